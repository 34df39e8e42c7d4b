/* Tensors one after another along an axis. */
#include "op/ops.h"
#include "op/slice.h"

static bool concat_infer(rheo_graph *g, rheo_node *n)
{
    const int axis = *(const int32_t *)n->attr;
    int64_t whole[4], d[4];
    rheo_dims(n->in_spec[0].shape, whole);
    for (int i = 1; i < n->n_in; i++) {
        if (!rheo_check_type(g, n, i, n->in_spec[0].type)) return false;
        rheo_dims(n->in_spec[i].shape, d);
        for (int k = 0; k < 4; k++) {
            if (k == axis || d[k] == whole[k]) continue;
            rheo_graph_fail(g, "concat: along axis %d " RHEO_SHAPE_TEXT " does not continue " RHEO_SHAPE_TEXT, axis,
                            RHEO_SHAPE_LIST(n->in_spec[i].shape), RHEO_SHAPE_LIST(n->in_spec[0].shape));
            return false;
        }
        whole[axis] += d[axis];
    }
    return rheo_infer_shape(n, rheo_shape_from(whole));
}

/* Where input i begins in the output. */
static rheo_shape start_of(const rheo_node *n, int i)
{
    const int axis = *(const int32_t *)n->attr;
    int64_t start[4] = { 0 }, d[4];
    for (int k = 0; k < i; k++) {
        rheo_dims(n->in_spec[k].shape, d);
        start[axis] += d[axis];
    }
    return rheo_shape_from(start);
}

static void concat_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    for (int i = 0; i < n->n_in; i++) dx[i] = rheo_slice(g, dy[0], start_of(n, i), n->in_spec[i].shape);
}

static rheo_status concat_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    for (int i = 0; i < n->n_in && !st; i++) {
        const rheo_shape size = n->in_spec[i].shape;
        st = rheo_emit_window(l, rheo_in(l, i), size, RHEO_SHAPE(0, 0, 0, 0), rheo_out(l, 0), n->out[0].shape, start_of(n, i), size, err);
    }
    return st;
}

static void concat_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    for (int i = 0; i < n->n_in; i++) {
        const rheo_shape s = n->in_spec[i].shape, at = start_of(n, i);
        for (int64_t k = 0; k < s.n; k++)
            for (int64_t h = 0; h < s.h; h++)
                for (int64_t w = 0; w < s.w; w++)
                    for (int64_t c = 0; c < s.c; c++)
                        out[0][rheo_index(n->out[0].shape, at.n + k, at.h + h, at.w + w, at.c + c)] = in[i][rheo_index(s, k, h, w, c)];
    }
}

static const int32_t axis_n = 0, axis_h = 1, axis_c = 3;
static const rheo_op_sample concat_samples[] = {
    { .n_in = 3, .in = { RHEO_SPEC_F32(2, 3, 5, 4), RHEO_SPEC_F32(2, 3, 5, 1), RHEO_SPEC_F32(2, 3, 5, 17) }, .attr = &axis_c,
      .attr_bytes = 4 },
    { .n_in = 2, .in = { RHEO_SPEC_F32(1, 8, 9, 33), RHEO_SPEC_F32(1, 8, 9, 31) }, .attr = &axis_c, .attr_bytes = 4 },
    { .n_in = 2, .in = { RHEO_SPEC_F32(2, 3, 5, 4), RHEO_SPEC_F32(2, 1, 5, 4) }, .attr = &axis_h, .attr_bytes = 4 },
    { .n_in = 2, .in = { RHEO_SPEC_F32(2, 3, 5, 7), RHEO_SPEC_F32(1, 3, 5, 7) }, .attr = &axis_n, .attr_bytes = 4 },
};

/* Tolerance 0: copies. */
const rheo_op rheo_op_concat = {
    .name = "concat", .infer = concat_infer, .gradient = concat_gradient, .launch = concat_launch,
    .reference = concat_reference, RHEO_SAMPLES(concat_samples),
};

/* If the inputs are slices of one value, each beginning where the last ended, their union as one slice; else RHEO_NONE. */
static rheo_value concat_of_slices(rheo_graph *g, int axis, int n, const rheo_value *x)
{
    rheo_box all = { { 0, 0, 0, 0 }, { 0, 0, 0, 0 } };
    rheo_value whole = RHEO_NONE;
    for (int i = 0; i < n; i++) {
        const rheo_node *s = rheo_node_of(g, x[i]);
        if (!s || s->op != &rheo_op_slice) return RHEO_NONE;
        const rheo_box *b = s->attr;
        if (i == 0) {
            whole = s->in[0];
            all = *b;
            continue;
        }
        if (s->in[0].node != whole.node || s->in[0].out != whole.out || rheo_adjoining(all.from, all.size, b->from, b->size) != axis)
            return RHEO_NONE;
        int64_t d[4], e[4];
        rheo_dims(all.size, d), rheo_dims(b->size, e);
        d[axis] += e[axis];
        all.size = rheo_shape_from(d);
    }
    return rheo_slice(g, whole, all.from, all.size);
}

rheo_value rheo_concat(rheo_graph *g, int axis, int n, const rheo_value *x)
{
    const int32_t a = axis;
    if (axis < 0 || axis > 3 || n < 1) return rheo_graph_fail(g, "concat: %d tensors along axis %d of 0 to 3", n, axis);
    if (n == 1) return x[0];
    const rheo_value whole = concat_of_slices(g, axis, n, x);
    return rheo_is_none(whole) ? rheo_apply(g, &rheo_op_concat, n, x, &a, sizeof a) : whole;
}
