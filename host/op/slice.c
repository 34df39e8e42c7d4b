/* slice: a box cut out of a tensor; pad: a tensor placed in zeros. Each is the other's transpose. */
#include "op/slice.h"

#include "op/ops.h"

#include <string.h>

static bool box_is_within(rheo_shape from, rheo_shape size, rheo_shape whole)
{
    int64_t f[4], s[4], w[4];
    rheo_dims(from, f), rheo_dims(size, s), rheo_dims(whole, w);
    for (int k = 0; k < 4; k++)
        if (f[k] < 0 || s[k] < 1 || s[k] > w[k] || f[k] > w[k] - s[k]) return false;
    return true;
}

static rheo_shape plus(rheo_shape a, rheo_shape b) { return (rheo_shape){ a.n + b.n, a.h + b.h, a.w + b.w, a.c + b.c }; }
static rheo_shape minus(rheo_shape a, rheo_shape b) { return (rheo_shape){ a.n - b.n, a.h - b.h, a.w - b.w, a.c - b.c }; }

int rheo_adjoining(rheo_shape a_from, rheo_shape a_size, rheo_shape b_from, rheo_shape b_size)
{
    int64_t af[4], as[4], bf[4], bs[4];
    int axis = -1;
    rheo_dims(a_from, af), rheo_dims(a_size, as), rheo_dims(b_from, bf), rheo_dims(b_size, bs);
    for (int k = 0; k < 4; k++) {
        if (af[k] == bf[k] && as[k] == bs[k]) continue;
        if (axis >= 0 || af[k] + as[k] != bf[k]) return -1;
        axis = k;
    }
    return axis;
}

/* ---- slice ---------------------------------------------------------------------------------------------------- */

static bool slice_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_box *a = n->attr;
    const rheo_shape x = n->in_spec[0].shape;
    if (!box_is_within(a->from, a->size, x)) {
        rheo_graph_fail(g, "slice: " RHEO_SHAPE_TEXT " elements from " RHEO_SHAPE_TEXT " on are not within " RHEO_SHAPE_TEXT,
                        RHEO_SHAPE_LIST(a->size), RHEO_SHAPE_LIST(a->from), RHEO_SHAPE_LIST(x));
        return false;
    }
    return rheo_infer_shape(n, a->size);
}

static void slice_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const rheo_box *a = n->attr;
    dx[0] = rheo_pad(g, dy[0], a->from, n->in_spec[0].shape);
}

static rheo_status slice_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_box *a = n->attr;
    return rheo_emit_window(l, rheo_in(l, 0), n->in_spec[0].shape, a->from, rheo_out(l, 0), a->size, RHEO_SHAPE(0, 0, 0, 0), a->size, err);
}

static void slice_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_box *a = n->attr;
    const rheo_shape x = n->in_spec[0].shape, s = a->size;
    for (int64_t i = 0; i < s.n; i++)
        for (int64_t h = 0; h < s.h; h++)
            for (int64_t w = 0; w < s.w; w++)
                for (int64_t c = 0; c < s.c; c++)
                    out[0][rheo_index(s, i, h, w, c)] = in[0][rheo_index(x, a->from.n + i, a->from.h + h, a->from.w + w, a->from.c + c)];
}

static const rheo_box slice_channels = { { 0, 0, 0, 3 }, { 2, 5, 3, 4 } }, slice_half = { { 0, 0, 0, 24 }, { 2, 8, 8, 24 } },
                      slice_middle = { { 1, 2, 1, 0 }, { 1, 2, 2, 7 } }, slice_run = { { 0, 0, 0, 1001 }, { 1, 1, 1, 70001 } },
                      slice_pairs = { { 0, 1, 0, 1 }, { 3, 30, 9, 2 } }, slice_sixes = { { 0, 0, 1, 2 }, { 3, 31, 8, 6 } },
                      slice_all = { { 0, 0, 0, 0 }, { 3, 1, 2, 5 } };
static const rheo_op_sample slice_samples[] = {
    { .n_in = 1, .in = { RHEO_SPEC_F32(2, 5, 3, 7) }, .attr = &slice_channels, .attr_bytes = sizeof(rheo_box) },
    { .n_in = 1, .in = { RHEO_SPEC_F32(2, 8, 8, 48) }, .attr = &slice_half, .attr_bytes = sizeof(rheo_box) },
    { .n_in = 1, .in = { RHEO_SPEC_F32(2, 5, 3, 7) }, .attr = &slice_middle, .attr_bytes = sizeof(rheo_box) },
    { .n_in = 1, .in = { RHEO_SPEC_F32(3, 31, 9, 5) }, .attr = &slice_pairs, .attr_bytes = sizeof(rheo_box) },
    { .n_in = 1, .in = { RHEO_SPEC_F32(3, 31, 9, 9) }, .attr = &slice_sixes, .attr_bytes = sizeof(rheo_box) },
    { .n_in = 1, .in = { RHEO_SPEC_F32(1, 1, 1, 72000) }, .attr = &slice_run, .attr_bytes = sizeof(rheo_box) },
    { .n_in = 1, .in = { RHEO_SPEC_U32(3, 1, 2, 5) }, .fill = { { .below = 1000 } }, .attr = &slice_all, .attr_bytes = sizeof(rheo_box) },
};

/* Tolerance 0: copies. */
const rheo_op rheo_op_slice = {
    .name = "slice", .infer = slice_infer, .gradient = slice_gradient, .launch = slice_launch, .reference = slice_reference,
    RHEO_SAMPLES(slice_samples),
};

/* The slice of a concat that lies within one of its inputs is a slice of that; RHEO_NONE where it straddles. */
static rheo_value slice_of_concat(rheo_graph *g, const rheo_node *concat, rheo_shape from, rheo_shape size)
{
    const int axis = *(const int32_t *)concat->attr;
    int64_t f[4], s[4], d[4], start = 0;
    rheo_dims(from, f), rheo_dims(size, s);
    for (int i = 0; i < concat->n_in; i++, start += d[axis]) {
        rheo_dims(concat->in_spec[i].shape, d);
        if (f[axis] < start || f[axis] + s[axis] > start + d[axis]) continue;
        f[axis] -= start;
        return rheo_slice(g, concat->in[i], rheo_shape_from(f), size);
    }
    return RHEO_NONE;
}

rheo_value rheo_slice(rheo_graph *g, rheo_value x, rheo_shape from, rheo_shape size)
{
    if (rheo_is_none(x)) return x;
    const rheo_node *n = rheo_node_of(g, x);
    const rheo_shape whole = rheo_shape_of(g, x);
    if (box_is_within(from, size, whole)) {
        const rheo_box *inner = n->attr;
        if (rheo_same_shape(size, whole)) return x;
        if (n->op == &rheo_op_slice) return rheo_slice(g, n->in[0], plus(inner->from, from), size);
        if (n->op == &rheo_op_pad && box_is_within(minus(from, inner->from), size, n->in_spec[0].shape))
            return rheo_slice(g, n->in[0], minus(from, inner->from), size);
        if (n->op == &rheo_op_concat) {
            const rheo_value part = slice_of_concat(g, n, from, size);
            if (!rheo_is_none(part)) return part;
        }
    }
    rheo_box a;
    memset(&a, 0, sizeof a);
    a.from = from, a.size = size;
    return rheo_apply(g, &rheo_op_slice, 1, &x, &a, sizeof a);
}

/* ---- pad ------------------------------------------------------------------------------------------------------ */

static bool pad_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_box *a = n->attr;
    const rheo_shape x = n->in_spec[0].shape;
    if (!box_is_within(a->from, x, a->size)) {
        rheo_graph_fail(g, "pad: " RHEO_SHAPE_TEXT " at " RHEO_SHAPE_TEXT " is not within " RHEO_SHAPE_TEXT, RHEO_SHAPE_LIST(x),
                        RHEO_SHAPE_LIST(a->from), RHEO_SHAPE_LIST(a->size));
        return false;
    }
    return rheo_infer_shape(n, a->size);
}

static void pad_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const rheo_box *a = n->attr;
    dx[0] = rheo_slice(g, dy[0], a->from, n->in_spec[0].shape);
}

static rheo_status pad_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_box *a = n->attr;
    const rheo_shape x = n->in_spec[0].shape;
    const rheo_status st = rheo_emit_zero(l, rheo_out(l, 0), 0, rheo_count(a->size), err);
    return st ? st : rheo_emit_window(l, rheo_in(l, 0), x, RHEO_SHAPE(0, 0, 0, 0), rheo_out(l, 0), a->size, a->from, x, err);
}

static void pad_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_box *a = n->attr;
    const rheo_shape x = n->in_spec[0].shape;
    for (int64_t i = 0; i < rheo_count(a->size); i++) out[0][i] = 0;
    for (int64_t i = 0; i < x.n; i++)
        for (int64_t h = 0; h < x.h; h++)
            for (int64_t w = 0; w < x.w; w++)
                for (int64_t c = 0; c < x.c; c++)
                    out[0][rheo_index(a->size, a->from.n + i, a->from.h + h, a->from.w + w, a->from.c + c)] =
                        in[0][rheo_index(x, i, h, w, c)];
}

static const rheo_box pad_channels = { { 0, 0, 0, 3 }, { 2, 5, 3, 7 } }, pad_border = { { 0, 1, 1, 0 }, { 2, 7, 5, 17 } },
                      pad_samples_axis = { { 1, 0, 0, 0 }, { 4, 1, 1, 33 } };
static const rheo_op_sample pad_samples[] = {
    { .n_in = 1, .in = { RHEO_SPEC_F32(2, 5, 3, 4) }, .attr = &pad_channels, .attr_bytes = sizeof(rheo_box) },
    { .n_in = 1, .in = { RHEO_SPEC_F32(2, 5, 3, 17) }, .attr = &pad_border, .attr_bytes = sizeof(rheo_box) },
    { .n_in = 1, .in = { RHEO_SPEC_F32(2, 1, 1, 33) }, .attr = &pad_samples_axis, .attr_bytes = sizeof(rheo_box) },
};

const rheo_op rheo_op_pad = {
    .name = "pad", .infer = pad_infer, .gradient = pad_gradient, .launch = pad_launch, .reference = pad_reference,
    RHEO_SAMPLES(pad_samples),
};

rheo_value rheo_pad(rheo_graph *g, rheo_value x, rheo_shape before, rheo_shape size)
{
    if (rheo_is_none(x)) return x;
    const rheo_node *n = rheo_node_of(g, x);
    const rheo_shape inside = rheo_shape_of(g, x);
    if (box_is_within(before, inside, size)) {
        if (rheo_same_shape(inside, size)) return x;
        if (n->op == &rheo_op_pad) {
            const rheo_box *inner = n->attr;
            return rheo_pad(g, n->in[0], plus(inner->from, before), size);
        }
    }
    rheo_box a;
    memset(&a, 0, sizeof a);
    a.from = before, a.size = size;
    return rheo_apply(g, &rheo_op_pad, 1, &x, &a, sizeof a);
}

rheo_value rheo_join_pads(rheo_graph *g, rheo_value a, rheo_value b)
{
    const rheo_node *m = rheo_node_of(g, a), *n = rheo_node_of(g, b);
    if (!m || !n || m->op != &rheo_op_pad || n->op != &rheo_op_pad) return RHEO_NONE;
    const rheo_box *p = m->attr, *q = n->attr;
    if (!rheo_same_shape(p->size, q->size)) return RHEO_NONE;
    const rheo_shape ps = m->in_spec[0].shape, qs = n->in_spec[0].shape;
    int axis = rheo_adjoining(p->from, ps, q->from, qs);
    if (axis >= 0) return rheo_pad(g, rheo_concat(g, axis, 2, (rheo_value[]){ m->in[0], n->in[0] }), p->from, p->size);
    axis = rheo_adjoining(q->from, qs, p->from, ps);
    if (axis >= 0) return rheo_pad(g, rheo_concat(g, axis, 2, (rheo_value[]){ n->in[0], m->in[0] }), q->from, q->size);
    return RHEO_NONE;
}

rheo_value rheo_every_second(rheo_graph *g, rheo_value x, int which)
{
    const rheo_shape s = rheo_shape_of(g, x), pairs = { s.n, s.h * s.w, s.c / 2, 2 };
    const rheo_value one = rheo_slice(g, rheo_reshape(g, x, pairs), RHEO_SHAPE(0, 0, 0, which), RHEO_SHAPE(pairs.n, pairs.h, pairs.w, 1));
    return rheo_reshape(g, one, RHEO_SHAPE(s.n, s.h, s.w, s.c / 2));
}
