/* Tensors at given offsets of one flat array, zeros between: gradients for one optimizer launch. The planner lets producers
 * write at their place; what remains is copied here. Where there are gaps, the last input is their table. */
#include <stdlib.h>

#include "op/copy.h"
#include "op/ops.h"

/* Element after the last of input k. */
static int64_t end_of(const rheo_pack_attr *a, const rheo_node *n, int64_t k) { return a->offset[k] + rheo_count(n->in_spec[k].shape); }

static bool pack_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_pack_attr *a = n->attr;
    int64_t end = 0;
    if (n->n_in > a->n && !rheo_check_type(g, n, (int)a->n, RHEO_U32)) return false;
    for (int k = 0; k < (int)a->n; k++) {
        if (!rheo_check_type(g, n, k, n->in_spec[0].type)) return false;
        if (a->offset[k] < end || end_of(a, n, k) > a->count) {
            rheo_graph_fail(g, "pack: input %d, " RHEO_SHAPE_TEXT " at %lld, overlaps the one before it (to %lld) or the end, %lld", k,
                            RHEO_SHAPE_LIST(n->in_spec[k].shape), (long long)a->offset[k], (long long)end, (long long)a->count);
            return false;
        }
        end = end_of(a, n, k);
    }
    return rheo_infer_shape(n, rheo_vector(a->count));
}

static void pack_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const rheo_pack_attr *a = n->attr;
    for (int k = 0; k < (int)a->n; k++) {
        const rheo_shape shape = n->in_spec[k].shape;
        dx[k] = rheo_reshape(g, rheo_slice(g, dy[0], RHEO_SHAPE(0, 0, 0, a->offset[k]), rheo_vector(rheo_count(shape))), shape);
    }
}

static rheo_status pack_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_pack_attr *a = n->attr;
    rheo_status st = RHEO_OK;
    for (int k = 0; k < (int)a->n && !st; k++) {
        if (rheo_in_place_of_pack(l, k)) continue;
        const rheo_loop loop = { rheo_count(n->in_spec[k].shape), 1, 1 };
        st = rheo_emit_copy(l, rheo_in(l, k), 0, rheo_out(l, 0), a->offset[k], 1, &loop, err);
    }
    if (st || n->n_in == a->n) return st;
    const int64_t gaps = n->in_spec[a->n].shape.c / 2;
    return RHEO_EMIT(l, err, "index", "zero_gaps", rheo_grid_items(l, 64 * gaps), RHEO_BUF(rheo_out(l, 0)), RHEO_BUF(rheo_in(l, (int)a->n)),
                     RHEO_INT(gaps));
}

static void pack_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_pack_attr *a = n->attr;
    for (int64_t i = 0; i < a->count; i++) out[0][i] = 0;
    for (int k = 0; k < (int)a->n; k++)
        for (int64_t i = 0; i < rheo_count(n->in_spec[k].shape); i++) out[0][a->offset[k] + i] = in[k][i];
}

/* Without gaps, whose table the walkers could not fill. */
static const struct { int64_t count, n, offset[3]; } three = { 60 + 1 + 33, 3, { 0, 60, 61 } };
static const rheo_op_sample pack_samples[] = {
    { .n_in = 3, .in = { RHEO_SPEC_F32(1, 3, 4, 5), RHEO_SPEC_F32(1, 1, 1, 1), RHEO_SPEC_F32(1, 1, 1, 33) }, .attr = &three,
      .attr_bytes = sizeof three },
};

/* Tolerance 0: copies. */
const rheo_op rheo_op_pack = {
    .name = "pack", .flags = RHEO_OP_PACK, .infer = pack_infer, .gradient = pack_gradient, .launch = pack_launch,
    .reference = pack_reference, RHEO_SAMPLES(pack_samples),
};

/* (offset, length) of the gaps before, between and after; returns how many. */
static int64_t find_gaps(const rheo_graph *g, int n, const rheo_value *x, const rheo_pack_attr *a, uint32_t *gap)
{
    int64_t gaps = 0, end = 0;
    for (int k = 0; k <= n; k++) {
        const int64_t next = k < n ? a->offset[k] : a->count;
        if (next > end) {
            gap[2 * gaps] = (uint32_t)end;
            gap[2 * gaps++ + 1] = (uint32_t)(next - end);
        }
        if (k < n) end = next + rheo_count(rheo_shape_of(g, x[k]));
    }
    return gaps;
}

rheo_value rheo_pack(rheo_graph *g, int n, const rheo_value *x, const int64_t *offset, int64_t count)
{
    if (n < 1) return rheo_graph_fail(g, "pack: %d tensors", n);
    const size_t attr_bytes = sizeof(rheo_pack_attr) + (size_t)n * sizeof *offset;
    rheo_pack_attr *a = malloc(attr_bytes);
    uint32_t *gap = malloc(2 * ((size_t)n + 1) * sizeof *gap);
    rheo_value *in = malloc(((size_t)n + 1) * sizeof *in), result = RHEO_NONE;
    if (!a || !gap || !in) {
        rheo_graph_fail(g, "pack: out of memory for %d tensors", n);
        goto done;
    }
    a->count = count;
    a->n = n;
    for (int k = 0; k < n; k++) {
        a->offset[k] = offset[k];
        in[k] = x[k];
    }
    const int64_t gaps = find_gaps(g, n, x, a, gap);
    if (gaps) in[n] = rheo_table_u32(g, rheo_vector(2 * gaps), gap);
    result = rheo_apply(g, &rheo_op_pack, gaps ? n + 1 : n, in, a, attr_bytes);
done:
    free(a);
    free(gap);
    free(in);
    return result;
}
