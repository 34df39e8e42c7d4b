/* Convolutions and matrix products as the kernels of cl/conv2d.cl see them: which to launch, on what grid, with how
 * much workspace. The ops describe their product here and know no kernel. */
#ifndef RHEO_OP_CONV_LAUNCH_H
#define RHEO_OP_CONV_LAUNCH_H

#include "graph/op.h"

/* By Winograd's F(2x2, 3x3) where it suits, by his F(4x4, 3x3) where that does, or by neither. */
typedef enum rheo_conv_way { RHEO_CONV_F23, RHEO_CONV_F43, RHEO_CONV_DIRECT } rheo_conv_way;

/* y[p, o] = sum over k of patch[p, k] w[k, o], batch times: x [n,h,w,i], y [n,oh,ow,o], window kh x kw whose first tap
 * reads pad_h, pad_w before the output's position. The batch's tensors follow one another. */
typedef struct rheo_conv {
    int64_t batch, n, h, w, i, o, oh, ow, kh, kw, pad_h, pad_w, dilation;
    int64_t x_c, y_c;        /* channels that a position of x and y has in memory: the first i and o of them take part */
    /* w[tap, i, o] lies at base + tap s_tap + i s_in + o s_out */
    int64_t base, s_tap, s_in, s_out;
    rheo_conv_way way;
} rheo_conv;

typedef struct rheo_epilogue {
    cl_mem b, l;             /* [o] each */
    int act;                 /* -1: none of it; y = act((y + b) exp(factor l)), act 0 nothing, 1 relu */
    float factor;
    cl_mem add;              /* [n,oh,ow,y_c], or NULL: y = add + product; channels from o on are add's. Only with act -1 */
    cl_mem backward;         /* y's shape, or NULL: that of an affine_act (affine_backward.c) whose output this is, whose dy the product, whose
                              * dx y; sums of dx and e y go to rheo_work, [blocks, 2, o]. Only where rheo_conv_has_backward */
} rheo_epilogue;

bool rheo_conv_has_backward(const rheo_conv *c, const rheo_device_facts *dev);
int64_t rheo_conv_backward_blocks(const rheo_conv *c, const rheo_device_facts *dev);

enum { RHEO_CONV_MOST = 1 << 30 };      /* elements of a tensor: kernels count in int */

/* Would it be launched by Winograd's algorithm if it went this way? */
bool rheo_conv_by_winograd(const rheo_conv *c, rheo_conv_way way, const rheo_device_facts *dev);
/* The floats that rheo_conv_launch takes as rheo_work. */
size_t rheo_conv_workspace(const rheo_conv *c, const rheo_device_facts *dev);
/* y; epilogue may be NULL. */
rheo_status rheo_conv_launch(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *epilogue,
                             rheo_error *err);

/* y = the third convolution of the second's output, that of no window and of the first's: of what is between them a CPU's cache holds few
 * positions. hidden: where the outputs of the first two go, or NULL each (conv_stack.c). */
bool rheo_conv_stack_fits(const rheo_conv layer[3]);
size_t rheo_conv_stack_workspace(const rheo_conv layer[3], const rheo_device_facts *dev);
rheo_status rheo_conv_launch_stack(rheo_launcher *l, const rheo_conv layer[3], const cl_mem w[3], const rheo_epilogue e[3], cl_mem x, cl_mem y,
                                   const cl_mem hidden[2], rheo_error *err);

/* All gradients of the same, from that at the last convolution's output, its hidden layers having been kept (conv_stack_backward.c). */
typedef struct rheo_stack_gradient {
    cl_mem dz, h2, h1, x, w[3], l[2];
    cl_mem add;              /* of x's size; dx is what it is plus the gradient */
    int relu[2];             /* h1 = act((.. + b) exp(factor l)), with or without */
    float factor[2];
    cl_mem dx, dw[3], db[2], dl[2];
} rheo_stack_gradient;
bool rheo_conv_stack_backward_fits(const rheo_conv layer[3]);
size_t rheo_conv_stack_backward_workspace(const rheo_conv layer[3], const rheo_device_facts *dev);
rheo_status rheo_conv_launch_stack_backward(rheo_launcher *l, const rheo_conv layer[3], const rheo_stack_gradient *s, rheo_error *err);

/* The same of dw. */
bool rheo_conv_dw_by_winograd(const rheo_conv *c, rheo_conv_way way, const rheo_device_facts *dev);
/* dw[k, o] = sum over p of patch[p, k] dy[p, o]; strides of w are not read: dw is dense. */
size_t rheo_conv_dw_workspace(const rheo_conv *c, const rheo_device_facts *dev);
rheo_status rheo_conv_dw_launch(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem dy, cl_mem dw, rheo_error *err);

#endif
