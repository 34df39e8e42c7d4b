/* y[n,h,w,c] = x[n,h,w,c], where a dimension of x may be 1 and y's is not. Its transpose sums these dimensions. */
#include "op/fold.h"
#include "op/ops.h"
#include "op/pointwise.h"

static bool broadcast_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape from = n->in_spec[0].shape, to = *(const rheo_shape *)n->attr;
    rheo_shape both;
    if (!rheo_check_type(g, n, 0, RHEO_F32)) return false;
    if (!rheo_broadcast_shapes(from, to, &both) || !rheo_same_shape(both, to)) {
        rheo_graph_fail(g, "broadcast: " RHEO_SHAPE_TEXT " does not broadcast to " RHEO_SHAPE_TEXT, RHEO_SHAPE_LIST(from),
                        RHEO_SHAPE_LIST(to));
        return false;
    }
    n->n_out = 1;
    n->out[0] = (rheo_spec){ to, RHEO_F32 };
    return true;
}

static void broadcast_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    dx[0] = rheo_sum_to(g, dy[0], n->in_spec[0].shape);
}

static rheo_status broadcast_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_shape x = n->in_spec[0].shape;
    return rheo_emit_binary(l, RHEO_BINARY_FIRST, rheo_in(l, 0), x, rheo_in(l, 0), x, rheo_out(l, 0), n->out[0].shape, err);
}

static void broadcast_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape s = n->out[0].shape;
    double *y = out[0];
    for (int64_t i = 0; i < s.n; i++)
        for (int64_t h = 0; h < s.h; h++)
            for (int64_t w = 0; w < s.w; w++)
                for (int64_t c = 0; c < s.c; c++) *y++ = in[0][rheo_at(n->in_spec[0].shape, i, h, w, c)];
}

static const rheo_shape to_image = { 2, 3, 5, 33 };
#define SAMPLE(n, h, w, c) { .n_in = 1, .in = { RHEO_SPEC_F32(n, h, w, c) }, .attr = &to_image, .attr_bytes = sizeof to_image }
static const rheo_op_sample broadcast_samples[] = {
    SAMPLE(1, 1, 1, 1), SAMPLE(1, 1, 1, 33), SAMPLE(2, 1, 1, 1), SAMPLE(1, 3, 1, 33), SAMPLE(2, 1, 5, 1), SAMPLE(2, 3, 5, 1),
};

/* Tolerance 0: copies. */
const rheo_op rheo_op_broadcast = {
    .name = "broadcast", .infer = broadcast_infer, .gradient = broadcast_gradient, .launch = broadcast_launch,
    .reference = broadcast_reference, RHEO_SAMPLES(broadcast_samples),
};

rheo_value rheo_broadcast(rheo_graph *g, rheo_value x, rheo_shape shape)
{
    if (!rheo_is_none(x) && rheo_same_shape(rheo_shape_of(g, x), shape)) return x;
    return rheo_apply(g, &rheo_op_broadcast, 1, &x, &shape, sizeof shape);
}

rheo_value rheo_unbroadcast(const rheo_graph *g, rheo_value v)
{
    const rheo_node *n = rheo_node_of(g, v);
    return n->op == &rheo_op_broadcast ? n->in[0] : v;
}
