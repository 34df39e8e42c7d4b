/* What the files of host/op/ share: shapes in words, spec checks, and the small steps every gradient takes. */
#ifndef RHEO_OP_COMMON_H
#define RHEO_OP_COMMON_H

#include "graph/op.h"
#include "op/ops.h"

/* "%s" of shapes: printf("... " RHEO_SHAPE_TEXT, RHEO_SHAPE_LIST(s)) */
#define RHEO_SHAPE_TEXT "[%lld %lld %lld %lld]"
#define RHEO_SHAPE_LIST(s) (long long)(s).n, (long long)(s).h, (long long)(s).w, (long long)(s).c

/* Initialisers of samples. */
#define RHEO_SPEC_F32(n, h, w, c) { { (n), (h), (w), (c) }, RHEO_F32 }
#define RHEO_SPEC_U32(n, h, w, c) { { (n), (h), (w), (c) }, RHEO_U32 }
#define RHEO_SAMPLES(array) .n_samples = (int)(sizeof(array) / sizeof *(array)), .samples = (array)

/* Output k of the node itself, for gradients written in terms of the result. */
static inline rheo_value rheo_result(const rheo_node *n, int k) { return (rheo_value){ n->id, k }; }

/* Element [n, h, w, c] of an array whose dimensions are those of the loop or 1. */
static inline int64_t rheo_at(rheo_shape s, int64_t n, int64_t h, int64_t w, int64_t c)
{
    return ((n % s.n * s.h + h % s.h) * s.w + w % s.w) * s.c + c % s.c;
}

/* False, with the graph's error set, unless input i is of `type`. */
bool rheo_check_type(rheo_graph *g, const rheo_node *n, int i, rheo_type type);
/* One output like input 0, all inputs float32. */
bool rheo_infer_same(rheo_graph *g, rheo_node *n);
/* `offers` of a fused op of one way for CPUs: elsewhere it is expanded. */
bool rheo_offers_on_cpus(const rheo_node *n, int variant, const rheo_device_facts *dev);
/* Every dimension of a and b equal or 1: *out is the larger of each. */
bool rheo_broadcast_shapes(rheo_shape a, rheo_shape b, rheo_shape *out);

/* y = act((x + b) exp(factor scale)) of x [s], without a log-determinant: affine_act's launch, for ops that end in it. */
rheo_status rheo_affine_act_launch(rheo_launcher *l, rheo_shape s, rheo_affine_attr a, cl_mem x, cl_mem b, cl_mem scale, cl_mem y,
                                   rheo_error *err);
/* y = act((y + b) exp(factor l)) in double, for references. */
void rheo_affine_act_on(rheo_affine_attr a, rheo_shape s, const double *b, const double *l, double *y);

/* A channel of an affine coupling undone, in double, for references: y / sigmoid(r + 2) - t, h = t, r. */
double rheo_coupling_undone(double y, const double h[2]);

/* Vectors of the device's width in so many elements: items of a kernel whose item is one vector. */
int64_t rheo_vectors(const rheo_launcher *l, int64_t elements);
/* rheo_grid_items for items that read about so many elements each. */
rheo_grid rheo_grid_pieces(const rheo_launcher *l, int64_t items, int64_t elements);

#endif
