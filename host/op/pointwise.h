/* The kernels of cl/pointwise.cl, for the ops that share them. Enumerations are in the order of their kernel's switch. */
#ifndef RHEO_OP_POINTWISE_H
#define RHEO_OP_POINTWISE_H

#include "op/common.h"

typedef enum rheo_unary_function {
    RHEO_UNARY_NEG, RHEO_UNARY_EXP, RHEO_UNARY_LOG, RHEO_UNARY_SQRT, RHEO_UNARY_RECIPROCAL, RHEO_UNARY_SQUARE, RHEO_UNARY_ABS,
    RHEO_UNARY_SIGN, RHEO_UNARY_STEP, RHEO_UNARY_RELU, RHEO_UNARY_ELU, RHEO_UNARY_TANH, RHEO_UNARY_SIGMOID, RHEO_UNARY_SOFTPLUS,
    RHEO_UNARY_LOG_SIGMOID, RHEO_UNARY_ISFINITE, RHEO_UNARY_FLOOR, RHEO_UNARY_AFFINE
} rheo_unary_function;

typedef enum rheo_binary_function {
    RHEO_BINARY_ADD, RHEO_BINARY_SUB, RHEO_BINARY_MUL, RHEO_BINARY_DIV, RHEO_BINARY_MINIMUM, RHEO_BINARY_MAXIMUM,
    RHEO_BINARY_RELU_BACKWARD, RHEO_BINARY_ELU_BACKWARD, RHEO_BINARY_FIRST
} rheo_binary_function;

/* y = f(x), count elements; p and q are the scale and shift of AFFINE. y may be x. */
rheo_status rheo_emit_unary(rheo_launcher *l, rheo_unary_function f, cl_mem x, cl_mem y, int64_t count, float p, float q,
                            rheo_error *err);
/* y = f(a, b) with both broadcast to `shape`. y may be a or b where their shape is y's. */
rheo_status rheo_emit_binary(rheo_launcher *l, rheo_binary_function f, cl_mem a, rheo_shape a_shape, cl_mem b, rheo_shape b_shape,
                             cl_mem y, rheo_shape shape, rheo_error *err);

/* Ops of gradients, not in ops.h: dy where y > 0, else 0; dy where y > 0, else dy (y + 1). */
rheo_value rheo_relu_backward(rheo_graph *g, rheo_value dy, rheo_value y);
rheo_value rheo_elu_backward(rheo_graph *g, rheo_value dy, rheo_value y);

#endif
