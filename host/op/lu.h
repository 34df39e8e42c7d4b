/* What lu_matrix and lu_actnorm share. */
#ifndef RHEO_OP_LU_H
#define RHEO_OP_LU_H

#include "graph/op.h"

enum { P, LOWER, UPPER, LOG_S, SIGN, FACTORS }; /* inputs, in this order wherever they stand together */

/* Whether inputs from `first` on are the factors of one matrix; false after rheo_graph_fail. */
bool rheo_lu_check_factors(rheo_graph *g, const rheo_node *n, int first);
/* W (output 0) and the log-determinant (output 1) of a node that begins with an `int64_t` of positions. */
void rheo_lu_matrix_reference(const rheo_node *n, const double *const *in, double *const *out);
/* Launches for both; with b and log_scale, W' and shift = b W' of x -> (x + b) exp(factor log_scale) W. */
rheo_status rheo_emit_lu_matrix(rheo_launcher *l, const rheo_node *n, int64_t positions, cl_mem b, cl_mem log_scale, cl_mem shift,
                                double factor, rheo_error *err);

#endif
