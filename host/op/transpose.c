/* Dimensions in another order: out dimension k is input dimension order[k]. */
#include "op/copy.h"
#include "op/ops.h"

#include <string.h>

typedef struct transpose_attr { int32_t order[4]; } transpose_attr;

static bool transpose_infer(rheo_graph *g, rheo_node *n)
{
    const transpose_attr *a = n->attr;
    int64_t x[4], y[4];
    unsigned seen = 0;
    rheo_dims(n->in_spec[0].shape, x);
    for (int k = 0; k < 4; k++) {
        if (a->order[k] >= 0 && a->order[k] < 4) seen |= 1u << a->order[k];
        y[k] = x[a->order[k] & 3];
    }
    if (seen != 15) {
        rheo_graph_fail(g, "transpose: (%d %d %d %d) is no order of the dimensions 0 to 3", a->order[0], a->order[1], a->order[2],
                        a->order[3]);
        return false;
    }
    return rheo_infer_shape(n, rheo_shape_from(y));
}

static void transpose_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const transpose_attr *a = n->attr;
    int back[4];
    for (int k = 0; k < 4; k++) back[a->order[k]] = k;
    dx[0] = rheo_transpose(g, dy[0], back[0], back[1], back[2], back[3]);
}

static rheo_status transpose_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const transpose_attr *a = n->attr;
    int64_t count[4], from[4], to[4];
    rheo_loop loops[4];
    rheo_dims(n->out[0].shape, count);
    rheo_strides(n->in_spec[0].shape, from);
    rheo_strides(n->out[0].shape, to);
    for (int k = 0; k < 4; k++) loops[k] = (rheo_loop){ count[k], from[a->order[k]], to[k] };
    return rheo_emit_copy(l, rheo_in(l, 0), 0, rheo_out(l, 0), 0, 4, loops, err);
}

static void transpose_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const transpose_attr *a = n->attr;
    const rheo_shape x = n->in_spec[0].shape, y = n->out[0].shape;
    int64_t i[4], o[4];
    for (o[0] = 0; o[0] < y.n; o[0]++)
        for (o[1] = 0; o[1] < y.h; o[1]++)
            for (o[2] = 0; o[2] < y.w; o[2]++)
                for (o[3] = 0; o[3] < y.c; o[3]++) {
                    for (int k = 0; k < 4; k++) i[a->order[k]] = o[k];
                    out[0][rheo_index(y, o[0], o[1], o[2], o[3])] = in[0][rheo_index(x, i[0], i[1], i[2], i[3])];
                }
}

static const transpose_attr matrix = { { 0, 1, 3, 2 } }, to_nchw = { { 0, 3, 1, 2 } }, to_oihw = { { 3, 2, 0, 1 } },
                            backwards = { { 3, 2, 1, 0 } };
static const rheo_op_sample transpose_samples[] = {
    { .n_in = 1, .in = { RHEO_SPEC_F32(1, 2, 33, 65) }, .attr = &matrix, .attr_bytes = sizeof matrix },
    { .n_in = 1, .in = { RHEO_SPEC_F32(2, 5, 7, 3) }, .attr = &to_nchw, .attr_bytes = sizeof to_nchw },
    { .n_in = 1, .in = { RHEO_SPEC_F32(3, 3, 17, 8) }, .attr = &to_oihw, .attr_bytes = sizeof to_oihw },
    { .n_in = 1, .in = { RHEO_SPEC_F32(2, 3, 4, 5) }, .attr = &backwards, .attr_bytes = sizeof backwards },
};

/* Tolerance 0: copies. */
const rheo_op rheo_op_transpose = {
    .name = "transpose", .infer = transpose_infer, .gradient = transpose_gradient, .launch = transpose_launch,
    .reference = transpose_reference, RHEO_SAMPLES(transpose_samples),
};

/* Whether the dimensions other than 1 keep their order: the elements then lie as they lay. */
static bool keeps_order(rheo_shape x, const int32_t order[4])
{
    int64_t d[4];
    int last = -1;
    rheo_dims(x, d);
    for (int k = 0; k < 4; k++) {
        if (d[order[k]] == 1) continue;
        if (order[k] < last) return false;
        last = order[k];
    }
    return true;
}

rheo_value rheo_transpose(rheo_graph *g, rheo_value x, int d0, int d1, int d2, int d3)
{
    transpose_attr a = { { d0, d1, d2, d3 } };
    if (rheo_is_none(x)) return x;
    unsigned seen = 0;
    for (int k = 0; k < 4; k++) seen |= a.order[k] >= 0 && a.order[k] < 4 ? 1u << a.order[k] : 0;
    if (seen == 15) {
        const rheo_node *n = rheo_node_of(g, x);
        if (n->op == &rheo_op_transpose) {
            const transpose_attr *inner = n->attr;
            return rheo_transpose(g, n->in[0], inner->order[d0], inner->order[d1], inner->order[d2], inner->order[d3]);
        }
        if (keeps_order(rheo_shape_of(g, x), a.order)) {
            int64_t d[4];
            rheo_dims(rheo_shape_of(g, x), d);
            return rheo_reshape(g, x, RHEO_SHAPE(d[d0], d[d1], d[d2], d[d3]));
        }
    }
    return rheo_apply(g, &rheo_op_transpose, 1, &x, &a, sizeof a);
}
