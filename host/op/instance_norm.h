/* What instance_norm.c and its gradient share. */
#ifndef RHEO_OP_INSTANCE_NORM_H
#define RHEO_OP_INSTANCE_NORM_H

#include "op/common.h"
#include "op/ops.h"

#define RHEO_NORM_EPSILON 1e-5

/* Inputs of samples: [n,h,w,c] with a row a sample (rows = n) or one for all. */
#define RHEO_NORM_ROW(rows, c, form) RHEO_SPEC_F32(rows, 1, 1, ((form) == RHEO_NORM_PLAIN ? 2 : 3) * (c))

static inline rheo_norm_attr rheo_norm_attr_of(const rheo_node *n)
{
    return *(const rheo_norm_attr *)n->attr;
}
static inline int64_t rheo_norm_parts(rheo_norm_attr a)
{
    return a.form == RHEO_NORM_PLAIN ? 2 : 3;
}

/* The channels of a sample x [P, C] in double: h = (x - mean) r, c = (mean - m) / v, from given statistics mean | r [2C]. */
typedef struct rheo_norm_channels {
    double m, v;
} rheo_norm_channels;
rheo_norm_channels rheo_norm_channels_of(const double *mean, int64_t c);

/* The same in plain ops, [N,1,1,C] each; statistics and row as in the ops. alpha and c are RHEO_NONE in the plain form. */
typedef struct rheo_norm_values {
    rheo_value mean, r, h, gamma, alpha, beta, c, v, u;
} rheo_norm_values;
rheo_norm_values rheo_norm_values_of(rheo_graph *g, rheo_value x, rheo_value statistics, rheo_value row, rheo_norm_attr attr);

/* Whether x and row fit; records the error. */
bool rheo_norm_check(rheo_graph *g, const rheo_node *n, rheo_shape x, rheo_shape row);
rheo_grid rheo_norm_grid(const rheo_launcher *l, int64_t samples);

#endif
