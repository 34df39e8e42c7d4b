/* What conv2d, its gradients and its fused form share; conv2d.c has it. */
#ifndef RHEO_OP_CONV2D_H
#define RHEO_OP_CONV2D_H

#include "op/conv_launch.h"
#include "op/ops.h"

/* What the attributes of conv2d, its gradients and conv2d_act begin with. */
typedef struct rheo_conv2d_attr {
    int32_t pad, dilation;
    int32_t prefix; /* the first so many channels of x take part, where rewriting put x for a slice of it; 0: all */
} rheo_conv2d_attr;

/* x [N,H,W,I] and w [kh,kw,I,O] of y = conv2d(x, w): checks them and gives y's shape. With a prefix I, x has that many channels
 * or more. */
bool rheo_conv2d_shape(rheo_graph *g, const char *op, rheo_shape x, rheo_shape w, rheo_conv2d_attr a, rheo_shape *y);
/* Whether dy has that shape, x and w being checked too. */
bool rheo_conv2d_check_dy(rheo_graph *g, const char *op, rheo_shape x, rheo_shape w, rheo_shape dy, rheo_conv2d_attr a);
bool rheo_conv2d_floats(rheo_graph *g, const rheo_node *n);
rheo_conv rheo_conv2d_describe(rheo_shape x, rheo_shape w, rheo_conv2d_attr a);
/* dx, of a described convolution, as a convolution of dy: taps in reverse order, channels exchanged. */
rheo_conv rheo_conv2d_transposed(rheo_conv c);
/* The channels of x that take part. */
rheo_value rheo_conv2d_taken(rheo_graph *g, rheo_value x, rheo_conv2d_attr a);
rheo_cost rheo_conv2d_cost(const rheo_conv *c);

void rheo_conv2d_reference(const rheo_conv *c, const double *x, const double *w, double *y);
/* add: what dx is added to, or NULL. */
void rheo_conv2d_dx_reference(const rheo_conv *c, const double *dy, const double *w, const double *add, double *dx);
void rheo_conv2d_dw_reference(const rheo_conv *c, const double *x, const double *dy, double *dw);

/* ---- what rewriting makes ---- */

/* conv2d_act's attributes, and conv2d_dx_act's. */
typedef struct rheo_conv2d_act_attr {
    rheo_conv2d_attr conv;
    rheo_affine_attr act;
} rheo_conv2d_act_attr;

/* Whether inputs b and b + 1 have one number for each of so many channels; false after rheo_graph_fail. */
bool rheo_conv2d_check_act(rheo_graph *g, const rheo_node *n, int b, int64_t channels);
/* act((conv2d(x, w) + b) exp(factor l)), b and l [1,1,1,O] (conv2d_act.c) */
rheo_value rheo_conv2d_act(rheo_graph *g, rheo_value x, rheo_value w, rheo_value b, rheo_value l, rheo_conv2d_attr conv,
                           rheo_affine_attr act);
/* conv2d_act of conv2d_act of conv2d_act, the second of no window: x, then w, b, l of each; where rheo_conv_stack_fits. keep: what is between
 * them is output 1 and 2 (conv2d_stack.c) */
rheo_value rheo_conv2d_stack(rheo_graph *g, const rheo_value in[10], const rheo_conv2d_act_attr layer[3], bool keep);
/* The gradients of that, h1 and h2 being what it kept, from dz at the last convolution's output. in: dz, w3, h2, l2, w2, h1, l1, w1, x, and what dx
 * is added to; out: dx, dw1, db1, dl1, dw2, db2, dl2, dw3. Where rheo_conv_stack_backward_fits (conv2d_stack_backward.c) */
rheo_value rheo_conv2d_stack_backward(rheo_graph *g, const rheo_value in[10], const rheo_conv2d_act_attr layer[2], rheo_conv2d_attr last);
/* add, plus conv2d_dx(dy, w) in its first channels (conv2d_dx.c) */
rheo_value rheo_conv2d_dx_add(rheo_graph *g, rheo_value dy, rheo_value w, rheo_value add, int pad, int dilation);
/* affine_act_backward(conv2d_dx(dy, w), y, l), with its outputs; y's channels are a multiple of 16 (conv2d_dx_act.c) */
rheo_value rheo_conv2d_dx_act(rheo_graph *g, rheo_value dy, rheo_value w, rheo_value y, rheo_value l, rheo_conv2d_attr conv,
                              rheo_affine_attr act);

#endif
