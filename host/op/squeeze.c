/* squeeze: 2 x 2 positions become channels, out channel 4 c + 2 i + j = position (2 h + i, 2 w + j) (Dinh et al. 2017,
 * section 3.6; flows 0.8); unsqueeze is its inverse and transpose. */
#include "op/copy.h"
#include "op/ops.h"

static bool squeeze_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape x = n->in_spec[0].shape;
    if (x.h % 2 || x.w % 2) {
        rheo_graph_fail(g, "squeeze: " RHEO_SHAPE_TEXT " has an odd height or width", RHEO_SHAPE_LIST(x));
        return false;
    }
    return rheo_infer_shape(n, RHEO_SHAPE(x.n, x.h / 2, x.w / 2, 4 * x.c));
}

static bool unsqueeze_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape x = n->in_spec[0].shape;
    if (x.c % 4) {
        rheo_graph_fail(g, "unsqueeze: the channels of " RHEO_SHAPE_TEXT " are no multiple of 4", RHEO_SHAPE_LIST(x));
        return false;
    }
    return rheo_infer_shape(n, RHEO_SHAPE(x.n, 2 * x.h, 2 * x.w, x.c / 4));
}

static void squeeze_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    (void)n;
    dx[0] = rheo_unsqueeze(g, dy[0]);
}

static void unsqueeze_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    (void)n;
    dx[0] = rheo_squeeze(g, dy[0]);
}

/* Loops over the squeezed shape s: n, h, w, i, j, c, each with its step in the wide and in the squeezed array. Channels are
 * innermost for the longest runs. */
static void loops_of(rheo_shape s, rheo_loop loop[6])
{
    const int64_t c = s.c / 4, row = 2 * s.w * c;
    loop[0] = (rheo_loop){ s.n, 2 * s.h * row, s.h * s.w * s.c };
    loop[1] = (rheo_loop){ s.h, 2 * row, s.w * s.c };
    loop[2] = (rheo_loop){ s.w, 2 * c, s.c };
    loop[3] = (rheo_loop){ 2, row, 2 };
    loop[4] = (rheo_loop){ 2, c, 1 };
    loop[5] = (rheo_loop){ c, 1, 4 };
}

static rheo_status squeeze_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    rheo_loop loop[6];
    loops_of(n->out[0].shape, loop);
    return rheo_emit_copy(l, rheo_in(l, 0), 0, rheo_out(l, 0), 0, 6, loop, err);
}

static rheo_status unsqueeze_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    rheo_loop loop[6];
    loops_of(n->in_spec[0].shape, loop);
    for (int k = 0; k < 6; k++) loop[k] = (rheo_loop){ loop[k].count, loop[k].out, loop[k].in };
    return rheo_emit_copy(l, rheo_in(l, 0), 0, rheo_out(l, 0), 0, 6, loop, err);
}

static void squeeze_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape x = n->in_spec[0].shape, y = n->out[0].shape;
    for (int64_t k = 0; k < x.n; k++)
        for (int64_t h = 0; h < x.h; h++)
            for (int64_t w = 0; w < x.w; w++)
                for (int64_t c = 0; c < x.c; c++)
                    out[0][rheo_index(y, k, h / 2, w / 2, 4 * c + 2 * (h % 2) + w % 2)] = in[0][rheo_index(x, k, h, w, c)];
}

static void unsqueeze_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape x = n->in_spec[0].shape, y = n->out[0].shape;
    for (int64_t k = 0; k < y.n; k++)
        for (int64_t h = 0; h < y.h; h++)
            for (int64_t w = 0; w < y.w; w++)
                for (int64_t c = 0; c < y.c; c++)
                    out[0][rheo_index(y, k, h, w, c)] = in[0][rheo_index(x, k, h / 2, w / 2, 4 * c + 2 * (h % 2) + w % 2)];
}

static const rheo_op_sample squeeze_samples[] = {
    { .n_in = 1, .in = { RHEO_SPEC_F32(1, 2, 2, 1) } },
    { .n_in = 1, .in = { RHEO_SPEC_F32(3, 6, 10, 3) } },
    { .n_in = 1, .in = { RHEO_SPEC_F32(2, 16, 16, 33) } },
};
static const rheo_op_sample unsqueeze_samples[] = {
    { .n_in = 1, .in = { RHEO_SPEC_F32(1, 1, 1, 4) } },
    { .n_in = 1, .in = { RHEO_SPEC_F32(3, 3, 5, 12) } },
    { .n_in = 1, .in = { RHEO_SPEC_F32(2, 8, 8, 132) } },
};

/* Tolerance 0: copies. */
const rheo_op rheo_op_squeeze = {
    .name = "squeeze", .infer = squeeze_infer, .gradient = squeeze_gradient, .launch = squeeze_launch, .reference = squeeze_reference,
    RHEO_SAMPLES(squeeze_samples),
};
const rheo_op rheo_op_unsqueeze = {
    .name = "unsqueeze", .infer = unsqueeze_infer, .gradient = unsqueeze_gradient, .launch = unsqueeze_launch,
    .reference = unsqueeze_reference, RHEO_SAMPLES(unsqueeze_samples),
};

/* One undoes the other. */
static rheo_value apply(rheo_graph *g, const rheo_op *op, const rheo_op *inverse, rheo_value x)
{
    const rheo_node *n = rheo_node_of(g, x);
    return n && n->op == inverse ? n->in[0] : rheo_apply(g, op, 1, &x, NULL, 0);
}

rheo_value rheo_squeeze(rheo_graph *g, rheo_value x) { return apply(g, &rheo_op_squeeze, &rheo_op_unsqueeze, x); }
rheo_value rheo_unsqueeze(rheo_graph *g, rheo_value x) { return apply(g, &rheo_op_unsqueeze, &rheo_op_squeeze, x); }
