/* The one strided copy behind slice, pad, concat, transpose, squeeze, unsqueeze, diagonals and pack. */
#ifndef RHEO_OP_COPY_H
#define RHEO_OP_COPY_H

#include "op/common.h"

/* `count` steps of `in` and `out` elements. */
typedef struct rheo_loop { int64_t count, in, out; } rheo_loop;

/* out[out_at + sum i_k out_k] = in[in_at + sum i_k in_k], 0 <= i_k < count_k; n <= 6 loops, outermost first. 4-byte elements of
 * either type. `in` and `out` do not overlap. */
rheo_status rheo_emit_copy(rheo_launcher *l, cl_mem in, int64_t in_at, cl_mem out, int64_t out_at, int n, const rheo_loop *loops,
                           rheo_error *err);
rheo_status rheo_emit_zero(rheo_launcher *l, cl_mem out, int64_t at, int64_t count, rheo_error *err);

/* Dimensions as an array, axis 0 to 3, and back. */
static inline void rheo_dims(rheo_shape s, int64_t d[4]) { d[0] = s.n, d[1] = s.h, d[2] = s.w, d[3] = s.c; }
static inline rheo_shape rheo_shape_from(const int64_t d[4]) { return (rheo_shape){ d[0], d[1], d[2], d[3] }; }
/* Elements from one index to the next along each axis. */
static inline void rheo_strides(rheo_shape s, int64_t d[4]) { d[0] = s.h * s.w * s.c, d[1] = s.w * s.c, d[2] = s.c, d[3] = 1; }
/* Where element [n, h, w, c] lies. */
static inline int64_t rheo_index(rheo_shape s, int64_t n, int64_t h, int64_t w, int64_t c)
{
    return ((n * s.h + h) * s.w + w) * s.c + c;
}

/* `size` elements of each axis, cut out of or put into an array of shape `whole` at `from`. */
rheo_status rheo_emit_window(rheo_launcher *l, cl_mem in, rheo_shape in_whole, rheo_shape in_from, cl_mem out, rheo_shape out_whole,
                             rheo_shape out_from, rheo_shape size, rheo_error *err);

/* The node's one output has this shape and its input 0's type. Always true, to end an infer with. */
bool rheo_infer_shape(rheo_node *n, rheo_shape shape);

#endif
