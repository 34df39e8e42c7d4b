/* The ways to compute a rheo_conv: by our own kernels, or, where it is a matrix product, by CLBlast. What an op that computes one
 * gives as its variants, and calls for its launches. */
#ifndef RHEO_OP_PRODUCT_H
#define RHEO_OP_PRODUCT_H

#include "graph/choices.h"
#include "op/conv_launch.h"

/* "own"; "direct", the same never by Winograd's algorithm; "f43", the same by his F(4x4, 3x3), which rounds more; and, in a build that has it,
 * "clblast" */
extern const char *const rheo_product_variants[];
enum { RHEO_PRODUCT_OWN, RHEO_PRODUCT_DIRECT, RHEO_PRODUCT_F43, RHEO_PRODUCT_CLBLAST };
extern const double rheo_product_looseness[];
rheo_conv_way rheo_product_way(const rheo_node *n);
/* Has "f43" chosen wherever it is offered. False when out of memory. */
bool rheo_product_prefer_f43(rheo_choices *c);
/* CLBlast can do it: a window of one tap without padding, everything dense. */
bool rheo_is_matrix_product(const rheo_conv *c);

/* For rheo_op.offers. */
bool rheo_product_offers(const rheo_conv *c, int variant, const rheo_device_facts *dev);
bool rheo_product_dw_offers(const rheo_conv *c, int variant, const rheo_device_facts *dev);

/* rheo_conv_launch (without epilogue) and rheo_conv_dw_launch, or CLBlast where n->variant says so; and their workspaces. */
rheo_status rheo_product_launch(rheo_launcher *l, const rheo_node *n, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, rheo_error *err);
size_t rheo_product_workspace(const rheo_node *n, const rheo_conv *c, const rheo_device_facts *dev);
rheo_status rheo_product_dw_launch(rheo_launcher *l, const rheo_node *n, const rheo_conv *c, cl_mem x, cl_mem dy, cl_mem dw,
                                   rheo_error *err);
size_t rheo_product_dw_workspace(const rheo_node *n, const rheo_conv *c, const rheo_device_facts *dev);

#endif
