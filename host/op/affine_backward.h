/* Launches of affine_act_backward (affine_backward.c) for ops that end in it. */
#ifndef RHEO_OP_AFFINE_BACKWARD_H
#define RHEO_OP_AFFINE_BACKWARD_H

#include "graph/op.h"
#include "op/ops.h"

typedef struct rheo_affine_backward_args {
    cl_mem dy, y, l;
    cl_mem dlogdet;          /* or NULL */
    cl_mem dx, db, dl;       /* dx may be dy where C is a multiple of 16 */
    rheo_affine_attr attr;
} rheo_affine_backward_args;

/* Floats that the launch takes as rheo_work; s is y's shape. */
size_t rheo_affine_backward_workspace(rheo_shape s, const rheo_device_facts *dev);
rheo_status rheo_affine_backward_launch(rheo_launcher *l, rheo_shape s, const rheo_affine_backward_args *a, rheo_error *err);

/* The second half alone: db and dl from sums of dx and e y, [blocks, 2, C] in rheo_work. */
rheo_status rheo_affine_backward_sums(rheo_launcher *l, rheo_shape s, int64_t blocks, const rheo_affine_backward_args *a, rheo_error *err);

/* in: dy, y, l; out: dx, db, dl, the last two zeros before. dx may be dy. */
void rheo_affine_backward_reference(rheo_shape s, rheo_affine_attr a, const double *const *in, double *const *out);

#endif
