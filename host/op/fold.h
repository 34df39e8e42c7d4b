/* For constructors that fold numbers known when the graph is built. */
#ifndef RHEO_OP_FOLD_H
#define RHEO_OP_FOLD_H

#include "graph/op.h"

extern const rheo_op rheo_op_table_f32, rheo_op_table_u32;

/* Whether v is one literal float, and which. */
bool rheo_literal_number(const rheo_graph *g, rheo_value v, float *out);
/* What v was broadcast from, or v. */
rheo_value rheo_unbroadcast(const rheo_graph *g, rheo_value v);

#endif
