/* The table of all operations: what is here is tested, gradient-checked, benchmarked and verifiable by `rheo doctor`. */
#ifndef RHEO_OP_TABLE_H
#define RHEO_OP_TABLE_H

#include "graph/op.h"
#include "op/ops.h"

/* An op is a `const rheo_op rheo_op_<name>` in host/op/ and a row here. */
#define RHEO_OPS(X)                                                                                               \
    X(table_f32) X(table_u32)                                                                                     \
    X(neg) X(exp) X(log) X(sqrt) X(reciprocal) X(square) X(abs) X(sign) X(step) X(relu) X(elu) X(tanh) X(sigmoid) \
    X(softplus) X(log_sigmoid) X(isfinite) X(floor) X(affine) X(to_float) X(add_u32)                                       \
    X(add) X(sub) X(mul) X(div) X(minimum) X(maximum) X(relu_backward) X(elu_backward) X(affine_act)              \
    X(broadcast) X(sum) X(max) X(max_mask) X(softmax) X(logsumexp)                                               \
    X(affine_inverse) X(affine_act_backward) X(coupling) X(coupling_backward) X(coupling_inverse)                 \
    X(lu_matrix) X(lu_matrix_backward) X(lu_solve) X(lu_actnorm)                                                                  \
    X(conv2d) X(conv2d_dx) X(conv2d_dw) X(conv2d_act) X(conv2d_stack) X(conv2d_dx_act) X(conv2d_stack_backward) X(matmul)                      \
    X(slice) X(pad) X(concat) X(transpose) X(squeeze) X(unsqueeze) X(gather) X(scatter_add) X(pack)               \
    X(triangle) X(diagonal) X(diagonal_matrix) X(solve_triangular) X(gaussian_logp)                               \
    X(instance_norm) X(instance_norm_backward) X(resize) X(resize_transpose) X(select) X(langevin)                 \
    X(mean_pool2) X(mean_pool2_transpose) X(avg_pool5) X(max_pool5) X(max_pool5_scatter) X(max_pool5_pick)         \
    X(uniform) X(uniform16) X(normal) X(rademacher) X(random_index) X(adam) X(ema) X(norm2) X(square_sums)

#define RHEO_OP_DECLARE(name) extern const rheo_op rheo_op_##name;
RHEO_OPS(RHEO_OP_DECLARE)
#undef RHEO_OP_DECLARE

extern const rheo_op *const rheo_ops[];
extern const int rheo_op_count;

#endif
