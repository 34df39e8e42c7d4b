/* The network inside a Glow coupling (flows 2.1, 1.5): conv 3x3 -> width, relu, conv 1x1 -> width, relu, zero-initialised conv
 * 3x3 -> channels out. The first two carry an actnorm with its own data-dependent initialisation for bias and scale, the last
 * a bias and exp(3 l). For vectors all kernels are 1x1. */
#ifndef RHEO_NET_COUPLING_NET_H
#define RHEO_NET_COUPLING_NET_H

#include "graph/params.h"
#include "op/ops.h"

/* A convolution followed by y = act((x + b) exp(3 l)). */
typedef struct rheo_conv_layer {
    int weight, bias, log_scale;
    bool relu, edge, data_dependent;
    int kernel;
} rheo_conv_layer;

/* edge: one more input channel that is 1 on the padded ring and 0 inside (3x3 only). */
rheo_conv_layer rheo_conv_layer_create(rheo_params *p, const char *name, int64_t in, int64_t out, int kernel, bool edge, bool relu);
/* Weights, bias and scale start at 0, so that the output does. */
rheo_conv_layer rheo_conv_zero_create(rheo_params *p, const char *name, int64_t in, int64_t out, int kernel, bool edge);
rheo_value rheo_conv_layer_apply(rheo_build *b, const rheo_conv_layer *layer, rheo_value x);

typedef struct rheo_coupling_net { rheo_conv_layer layer[3]; } rheo_coupling_net;
rheo_coupling_net rheo_coupling_net_create(rheo_params *p, int64_t in, int64_t width, int64_t out, int kernel, bool edge);
rheo_value rheo_coupling_net_apply(rheo_build *b, const rheo_coupling_net *net, rheo_value x);

#endif
