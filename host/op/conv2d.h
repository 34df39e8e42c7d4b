/* What conv2d, its gradients and its fused form share; conv2d.c has it. */
#ifndef RHEO_OP_CONV2D_H
#define RHEO_OP_CONV2D_H

#include "op/conv_launch.h"

typedef struct rheo_conv2d_attr {
    int32_t pad, dilation;
} rheo_conv2d_attr;

/* x [N,H,W,I] and w [kh,kw,I,O] of y = conv2d(x, w): checks them and gives y's shape. */
bool rheo_conv2d_shape(rheo_graph *g, const char *op, rheo_shape x, rheo_shape w, rheo_conv2d_attr a, rheo_shape *y);
/* Whether dy has that shape, x and w being checked too. */
bool rheo_conv2d_check_dy(rheo_graph *g, const char *op, rheo_shape x, rheo_shape w, rheo_shape dy, rheo_conv2d_attr a);
bool rheo_conv2d_floats(rheo_graph *g, const rheo_node *n);
rheo_conv rheo_conv2d_describe(rheo_shape x, rheo_shape w, rheo_conv2d_attr a);
rheo_cost rheo_conv2d_cost(const rheo_conv *c);

void rheo_conv2d_reference(const rheo_conv *c, const double *x, const double *w, double *y);
void rheo_conv2d_dx_reference(const rheo_conv *c, const double *dy, const double *w, double *dx);
void rheo_conv2d_dw_reference(const rheo_conv *c, const double *x, const double *dy, double *dw);

#endif
