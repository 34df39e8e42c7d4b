/* Invertible layers. A layer is a pair of builders: forward adds the nodes of y = f(x) and its log-determinant, inverse
 * those of x = f^{-1}(y). Gradients are the graph's; back-propagation by inversion is rheo_flow_apply's, for all layers.
 *
 * *logdet is [N,1,1,1], in nats: a layer adds its log|det dy/dx| to what it finds there, in the launch that does its work.
 * The inverse's log-determinant is the negative. With b->initialise a layer that has a data-dependent initialisation sets
 * its parameters from x (flows 2.3), then behaves as forward. */
#ifndef RHEO_FLOW_FLOW_H
#define RHEO_FLOW_FLOW_H

#include "graph/params.h"
#include "op/ops.h"

typedef struct rheo_flow rheo_flow;

typedef struct rheo_flow_type {
    const char *name;
    void (*forward)(rheo_build *b, const rheo_flow *f, rheo_value x, rheo_value *y, rheo_value *logdet);
    rheo_value (*inverse)(rheo_build *b, const rheo_flow *f, rheo_value y);
} rheo_flow_type;

/* What every layer starts with; a layer's own struct follows. Layers are made by their create call, freed by rheo_flow_destroy. */
struct rheo_flow {
    const rheo_flow_type *type;
    char scope[64];          /* "level0.step3.actnorm": names its nodes */
};

void rheo_flow_destroy(rheo_flow *f);       /* accepts NULL; layers own no memory besides themselves */

/* forward as a block that the backward pass rebuilds from y when b->invert. */
void rheo_flow_apply(rheo_build *b, const rheo_flow *f, rheo_value x, rheo_value *y, rheo_value *logdet);
rheo_value rheo_flow_invert(rheo_build *b, const rheo_flow *f, rheo_value y);

/* y = (x + b) exp(3 l) per channel (flows 1.1). */
rheo_flow *rheo_actnorm_create(rheo_params *p, int64_t channels);

/* y = x W per position, W = P L (U + diag(sign exp(s))) (flows 1.2), from a random orthogonal W drawn by (seed, the parameter's index). */
rheo_flow *rheo_conv1x1_create(rheo_params *p, int64_t channels, uint64_t seed);

/* Channels in a fixed order: reversed, or shuffled by the seed (stored with the parameters). */
rheo_flow *rheo_permutation_create(rheo_params *p, int64_t channels, bool shuffle, uint64_t seed);

/* y1 = x1, y2 = (x2 + t) sigmoid(r + 2) or x2 + t, with (t, r) = net(x1) interleaved (flows 1.3). The first channels / 2
 * condition, the rest are transformed. kernel 3 for images, 1 for vectors. */
typedef struct rheo_coupling_options {
    bool affine;
    int64_t width;
    int kernel;
    bool edge;               /* 3x3 layers see an extra channel that is 1 on the padded ring (flows 1.5) */
} rheo_coupling_options;
rheo_flow *rheo_coupling_create(rheo_params *p, int64_t channels, const rheo_coupling_options *options);

#endif
