/* A static, pure graph of tensor operations, closed under differentiation.
 *
 * A value is (node, output). Every tensor has four dimensions [N, H, W, C], C fastest; a vector is
 * [1, 1, 1, C], a matrix batch [1, B, M, N], a convolution weight [kh, kw, I, O], a scalar [1, 1, 1, 1].
 * Equal nodes are merged as they are built. Building never fails half-way: the graph keeps its
 * first error, later calls pass RHEO_NONE on, and compiling returns it with the op, names and shapes.
 *
 * State lives in storages (rheo_state), outside the graph. A window is a leaf that reads part of one;
 * a storage changes only by rheo_assign, after every read of that run. */
#ifndef RHEO_GRAPH_H
#define RHEO_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef enum rheo_type { RHEO_F32, RHEO_U32 } rheo_type;    /* four bytes each */

typedef struct rheo_shape { int64_t n, h, w, c; } rheo_shape;

typedef struct rheo_spec {
    rheo_shape shape;
    rheo_type type;
} rheo_spec;

static inline int64_t rheo_count(rheo_shape s) { return s.n * s.h * s.w * s.c; }
static inline int64_t rheo_positions(rheo_shape s) { return s.n * s.h * s.w; }
static inline bool rheo_same_shape(rheo_shape a, rheo_shape b) { return a.n == b.n && a.h == b.h && a.w == b.w && a.c == b.c; }
static inline rheo_shape rheo_vector(int64_t c) { return (rheo_shape){ 1, 1, 1, c }; }
#define RHEO_SHAPE(n, h, w, c) ((rheo_shape){ (n), (h), (w), (c) })

typedef struct rheo_graph rheo_graph;
typedef struct rheo_op rheo_op;
typedef struct rheo_node rheo_node;

typedef struct rheo_value { int32_t node, out; } rheo_value;
#define RHEO_NONE ((rheo_value){ -1, 0 })
static inline bool rheo_is_none(rheo_value v) { return v.node < 0; }
static inline rheo_value rheo_output(rheo_value v, int k) { return rheo_is_none(v) ? v : (rheo_value){ v.node, k }; }

/* ---- storages: named flat arrays that outlive runs ------------------------------------------ */

typedef struct rheo_state rheo_state;       /* state.h: the storages and where their contents are */

/* ---- building -------------------------------------------------------------------------------- */

/* The two operations differentiation itself needs; the graph knows no other by name. */
typedef struct rheo_arithmetic {
    rheo_value (*add)(rheo_graph *g, rheo_value a, rheo_value b);
    rheo_value (*constant)(rheo_graph *g, rheo_shape shape, float value);
} rheo_arithmetic;

/* An empty graph over the storages of `state`, which must outlive it. Ops hand in &rheo_op_arithmetic (op/table.h). */
rheo_graph *rheo_graph_create(const rheo_state *state, const rheo_arithmetic *arithmetic);     /* NULL when out of memory */
void rheo_graph_destroy(rheo_graph *g);                     /* accepts NULL */

/* The node op(in...; attributes), merged with an equal one of the same region. Returns its output 0. */
rheo_value rheo_apply(rheo_graph *g, const rheo_op *op, int n_in, const rheo_value *in, const void *attr, size_t attr_bytes);

/* Reads count(shape) elements of a storage from `offset` on. */
rheo_value rheo_window(rheo_graph *g, int storage, int64_t offset, rheo_shape shape);
static inline rheo_value rheo_whole(rheo_graph *g, int storage, rheo_shape shape) { return rheo_window(g, storage, 0, shape); }
/* The same elements under another shape; no copy. */
rheo_value rheo_reshape(rheo_graph *g, rheo_value x, rheo_shape shape);
/* x, not to be evaluated before all of `after` are; no copy. Opens what a region starts with. */
rheo_value rheo_barrier(rheo_graph *g, rheo_value x, int n_after, const rheo_value *after);
/* At the end of a run the window's elements become value's. Windows assigned in one graph must not overlap. */
void rheo_assign(rheo_graph *g, rheo_value window, rheo_value value);

rheo_spec rheo_spec_of(const rheo_graph *g, rheo_value v);
rheo_shape rheo_shape_of(const rheo_graph *g, rheo_value v);   /* all zero for RHEO_NONE */
const rheo_node *rheo_node_of(const rheo_graph *g, rheo_value v);
int rheo_node_count(const rheo_graph *g);

/* Names the layer that nodes built from now on belong to ("level0.step3.coupling"); kept in errors, the guard's
 * report and profiles. The text is copied. */
void rheo_name_scope(rheo_graph *g, const char *name);

/* ---- regions: blocks that are rebuilt from their output in the backward pass --------------------- */

/* How a block is rebuilt. `inverse` builds the block's input from its output; `forward` builds outputs from the
 * input: out[0] is y, of the input's size, further ones (log-determinants, or RHEO_NONE) are seen only by their gradient. */
typedef struct rheo_block {
    rheo_value (*inverse)(rheo_graph *g, void *ctx, rheo_value y);
    void (*forward)(rheo_graph *g, void *ctx, rheo_value x, rheo_value *out);
    rheo_value carry;        /* with n_out > 1: out[1] is this plus the block's own (a sum that runs through many blocks), or
                              * RHEO_NONE; its gradient is out[1]'s, so that re-running the block need not read it */
    void *ctx;               /* must outlive rheo_gradients */
    int n_out;               /* 1..4 */
} rheo_block;

/* Builds out[] = block.forward(x). With invert, the backward pass will not use what the forward pass computed
 * between x and out[]: behind a barrier on y and its gradient it rebuilds x by the inverse, runs forward again
 * and differentiates that, so only y need live in between. Without, the same as calling forward. */
void rheo_apply_block(rheo_graph *g, const rheo_block *block, bool invert, rheo_value x, rheo_value *out);

/* ---- gradients ----------------------------------------------------------------------------------- */

/* dx[k] = sum_j (d y[j] / d x[k])^T dy[j], as nodes of the same graph; dy NULL stands for ones. An x on which
 * nothing depends gets zeros. The x's are cuts: nothing is differentiated beyond them. */
void rheo_gradients(rheo_graph *g, int n_y, const rheo_value *y, const rheo_value *dy, int n_x, const rheo_value *x, rheo_value *dx);

/* ---- errors -------------------------------------------------------------------------------------- */

/* Records the first error, with the op and layer it happened in; returns RHEO_NONE. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
rheo_value rheo_graph_fail(rheo_graph *g, const char *format, ...);
const rheo_error *rheo_graph_error(const rheo_graph *g);

#endif
