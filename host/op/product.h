/* Products that are matrix products: by our own kernels, or by CLBlast. What an op that computes a rheo_conv gives as its
 * variants, and calls for its launches. */
#ifndef RHEO_OP_PRODUCT_H
#define RHEO_OP_PRODUCT_H

#include "op/conv_launch.h"

extern const char *const rheo_product_variants[]; /* "own" and, in a build that has it, "clblast" */
/* CLBlast can do it: a window of one tap without padding, everything dense. */
bool rheo_is_matrix_product(const rheo_conv *c);

/* rheo_conv_launch (without epilogue) and rheo_conv_dw_launch, or CLBlast where n->variant says so; and the workspace of the latter. */
rheo_status rheo_product_launch(rheo_launcher *l, const rheo_node *n, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, rheo_error *err);
rheo_status rheo_product_dw_launch(rheo_launcher *l, const rheo_node *n, const rheo_conv *c, cl_mem x, cl_mem dy, cl_mem dw,
                                   rheo_error *err);
size_t rheo_product_dw_workspace(const rheo_node *n, const rheo_conv *c, const rheo_device_facts *dev);

#endif
