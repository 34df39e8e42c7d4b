/* The network of the toy experiments (score 3.7): vectors -> width -> width -> vectors, softplus between, linear at the end. */
#ifndef RHEO_NET_SOFTPLUS_NET_H
#define RHEO_NET_SOFTPLUS_NET_H

#include "graph/params.h"
#include "op/ops.h"

typedef struct rheo_softplus_net {
    int weight[3], bias[3];
} rheo_softplus_net;

rheo_softplus_net rheo_softplus_net_create(rheo_params *p, int64_t in, int64_t width, int64_t out);
/* x [N,1,1,in] -> [N,1,1,out] */
rheo_value rheo_softplus_net_apply(rheo_build *b, const rheo_softplus_net *net, rheo_value x);

#endif
