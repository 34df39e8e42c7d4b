/* Picking along an axis by a device-side index, and its transpose. An index too large counts as the last. */
#include <stdlib.h>
#include <string.h>

#include "op/copy.h"
#include "op/fold.h"
#include "op/ops.h"

typedef struct gather_attr { int32_t axis; } gather_attr;
typedef struct scatter_attr { int64_t size; int32_t axis, zero; } scatter_attr;

/* A tensor as [outer, size of the axis, inner]. */
typedef struct axis_view { int64_t outer, size, inner; } axis_view;

static axis_view view_along(rheo_shape s, int axis)
{
    axis_view v = { 1, 1, 1 };
    int64_t d[4];
    rheo_dims(s, d);
    for (int k = 0; k < 4; k++) *(k < axis ? &v.outer : k == axis ? &v.size : &v.inner) *= d[k];
    return v;
}

static rheo_shape with_size(rheo_shape s, int axis, int64_t size)
{
    int64_t d[4];
    rheo_dims(s, d);
    d[axis] = size;
    return rheo_shape_from(d);
}

/* Both ops: input 1 is the index, a vector. */
static bool index_is_fine(rheo_graph *g, const rheo_node *n, int axis)
{
    const rheo_shape index = n->in_spec[1].shape;
    if (!rheo_check_type(g, n, 1, RHEO_U32)) return false;
    if (axis >= 0 && axis <= 3 && rheo_count(index) == index.c) return true;
    rheo_graph_fail(g, "%s: along axis %d of 0 to 3 by an index " RHEO_SHAPE_TEXT ", expected [1 1 1 K]", n->op->name, axis,
                    RHEO_SHAPE_LIST(index));
    return false;
}

/* ---- gather: out[o, k, i] = x[o, index[k], i] ------------------------------------------------------------------- */

static bool gather_infer(rheo_graph *g, rheo_node *n)
{
    const int axis = ((const gather_attr *)n->attr)->axis;
    return index_is_fine(g, n, axis) && rheo_infer_shape(n, with_size(n->in_spec[0].shape, axis, n->in_spec[1].shape.c));
}

/* If v is a literal permutation of [0, size): its inverse as a literal, else RHEO_NONE. */
static rheo_value inverse_permutation(rheo_graph *g, rheo_value v, int64_t size)
{
    const rheo_node *n = rheo_node_of(g, v);
    while (n && n->op->flags & RHEO_OP_ALIAS) n = rheo_node_of(g, n->in[0]);
    if (!n || n->op != &rheo_op_table_u32 || n->attr_bytes != (size_t)size * sizeof(uint32_t)) return RHEO_NONE;
    const uint32_t *index = n->attr;
    uint32_t *inverse = malloc(n->attr_bytes);
    rheo_value result = RHEO_NONE;
    bool one_each = inverse != NULL;
    if (inverse) memset(inverse, 0xff, n->attr_bytes);
    for (int64_t k = 0; k < size && one_each; k++) {
        one_each = index[k] < (uint64_t)size && inverse[index[k]] == UINT32_MAX;
        if (one_each) inverse[index[k]] = (uint32_t)k;
    }
    if (one_each) result = rheo_table_u32(g, rheo_vector(size), inverse);
    free(inverse);
    return result;
}

static void gather_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const int axis = ((const gather_attr *)n->attr)->axis;
    const int64_t size = view_along(n->in_spec[0].shape, axis).size;
    const rheo_value inverse = inverse_permutation(g, n->in[1], size);
    dx[0] = rheo_is_none(inverse) ? rheo_scatter_add(g, dy[0], n->in[1], axis, size) : rheo_gather(g, dy[0], inverse, axis);
}

static rheo_status gather_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const axis_view v = view_along(n->in_spec[0].shape, ((const gather_attr *)n->attr)->axis);
    return RHEO_EMIT(l, err, "index", "gather", rheo_grid_items(l, rheo_count(n->out[0].shape)), RHEO_BUF(rheo_in(l, 0)),
                     RHEO_BUF(rheo_in(l, 1)), RHEO_BUF(rheo_out(l, 0)), RHEO_INT(v.outer), RHEO_INT(v.size),
                     RHEO_INT(n->in_spec[1].shape.c), RHEO_INT(v.inner));
}

static int64_t picked(double index, int64_t size) { return index < (double)size ? (int64_t)index : size - 1; }

static void gather_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const axis_view v = view_along(n->in_spec[0].shape, ((const gather_attr *)n->attr)->axis);
    const int64_t count = n->in_spec[1].shape.c;
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t k = 0; k < count; k++)
            for (int64_t i = 0; i < v.inner; i++)
                out[0][(o * count + k) * v.inner + i] = in[0][(o * v.size + picked(in[1][k], v.size)) * v.inner + i];
}

static const gather_attr along_n = { 0 }, along_c = { 3 }, along_w = { 2 };
static const rheo_op_sample gather_samples[] = {
    { .n_in = 2, .in = { RHEO_SPEC_F32(10, 1, 1, 33), RHEO_SPEC_U32(1, 1, 1, 17) }, .fill = { { 0 }, { .below = 10 } },
      .attr = &along_n, .attr_bytes = sizeof along_n },
    { .n_in = 2, .in = { RHEO_SPEC_F32(2, 3, 5, 7), RHEO_SPEC_U32(1, 1, 1, 9) }, .fill = { { 0 }, { .below = 7 } },
      .attr = &along_c, .attr_bytes = sizeof along_c },
    { .n_in = 2, .in = { RHEO_SPEC_F32(2, 3, 5, 7), RHEO_SPEC_U32(1, 1, 1, 4) }, .fill = { { 0 }, { .below = 9 } },
      .attr = &along_w, .attr_bytes = sizeof along_w },
};

/* Tolerance 0: copies. */
const rheo_op rheo_op_gather = {
    .name = "gather", .infer = gather_infer, .gradient = gather_gradient, .launch = gather_launch, .reference = gather_reference,
    RHEO_SAMPLES(gather_samples),
};

rheo_value rheo_gather(rheo_graph *g, rheo_value x, rheo_value index, int axis)
{
    const gather_attr a = { axis };
    return rheo_apply(g, &rheo_op_gather, 2, (rheo_value[]){ x, index }, &a, sizeof a);
}

/* ---- scatter_add: dx[o, j, i] = sum over k with index[k] = j of dy[o, k, i] ---------------------------------------- */

static bool scatter_add_infer(rheo_graph *g, rheo_node *n)
{
    const scatter_attr *a = n->attr;
    if (!rheo_check_type(g, n, 0, RHEO_F32) || !index_is_fine(g, n, a->axis)) return false;
    const int64_t count = view_along(n->in_spec[0].shape, a->axis).size;
    if (count != n->in_spec[1].shape.c || a->size < 1) {
        rheo_graph_fail(g, "scatter_add: %lld slices of " RHEO_SHAPE_TEXT " along axis %d by %lld indices into %lld", (long long)count,
                        RHEO_SHAPE_LIST(n->in_spec[0].shape), a->axis, (long long)n->in_spec[1].shape.c, (long long)a->size);
        return false;
    }
    return rheo_infer_shape(n, with_size(n->in_spec[0].shape, a->axis, a->size));
}

static void scatter_add_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    dx[0] = rheo_gather(g, dy[0], n->in[1], ((const scatter_attr *)n->attr)->axis);
}

static rheo_status scatter_add_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const scatter_attr *a = n->attr;
    const axis_view v = view_along(n->in_spec[0].shape, a->axis);
    return RHEO_EMIT(l, err, "index", "scatter_add", rheo_grid_items(l, rheo_count(n->out[0].shape)), RHEO_BUF(rheo_in(l, 0)),
                     RHEO_BUF(rheo_in(l, 1)), RHEO_BUF(rheo_out(l, 0)), RHEO_INT(v.outer), RHEO_INT(a->size), RHEO_INT(v.size),
                     RHEO_INT(v.inner));
}

static void scatter_add_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const scatter_attr *a = n->attr;
    const axis_view v = view_along(n->in_spec[0].shape, a->axis);
    for (int64_t e = 0; e < rheo_count(n->out[0].shape); e++) out[0][e] = 0;
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t k = 0; k < v.size; k++)
            for (int64_t i = 0; i < v.inner; i++)
                out[0][(o * a->size + picked(in[1][k], a->size)) * v.inner + i] += in[0][(o * v.size + k) * v.inner + i];
}

static const scatter_attr rows_of_ten = { 10, 0, 0 }, channels_of_seven = { 7, 3, 0 }, columns_of_five = { 5, 2, 0 };
static const rheo_op_sample scatter_add_samples[] = {
    { .n_in = 2, .in = { RHEO_SPEC_F32(17, 1, 1, 33), RHEO_SPEC_U32(1, 1, 1, 17) }, .fill = { { 0 }, { .below = 10 } },
      .attr = &rows_of_ten, .attr_bytes = sizeof rows_of_ten },
    { .n_in = 2, .in = { RHEO_SPEC_F32(2, 3, 5, 9), RHEO_SPEC_U32(1, 1, 1, 9) }, .fill = { { 0 }, { .below = 7 } },
      .attr = &channels_of_seven, .attr_bytes = sizeof channels_of_seven },
    { .n_in = 2, .in = { RHEO_SPEC_F32(2, 3, 4, 7), RHEO_SPEC_U32(1, 1, 1, 4) }, .fill = { { 0 }, { .below = 9 } },
      .attr = &columns_of_five, .attr_bytes = sizeof columns_of_five },
};

/* 8: as many additions to one element as the samples make at most, half an ulp of the running sum each. */
const rheo_op rheo_op_scatter_add = {
    .name = "scatter_add", .infer = scatter_add_infer, .gradient = scatter_add_gradient, .launch = scatter_add_launch,
    .reference = scatter_add_reference, RHEO_SAMPLES(scatter_add_samples), .tolerance = 8,
};

rheo_value rheo_scatter_add(rheo_graph *g, rheo_value dy, rheo_value index, int axis, int64_t size)
{
    const scatter_attr a = { size, axis, 0 };
    return rheo_apply(g, &rheo_op_scatter_add, 2, (rheo_value[]){ dy, index }, &a, sizeof a);
}
