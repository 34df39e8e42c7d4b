/* For the files of host/flow/ that make layers. */
#ifndef RHEO_FLOW_LAYER_H
#define RHEO_FLOW_LAYER_H

#include "flow/flow.h"

/* A zeroed layer of `bytes` (its own struct, which begins with a rheo_flow), named after where the parameters' path stands. */
void *rheo_flow_new(const rheo_params *p, const rheo_flow_type *type, size_t bytes);

#endif
