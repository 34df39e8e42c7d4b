/* mask = 1 at the first element of x that equals its maximum m over `axes`, 0 elsewhere: the gradient of max. */
#include "op/common.h"
#include "op/ops.h"

static bool max_mask_infer(rheo_graph *g, rheo_node *n)
{
    return rheo_infer_same(g, n);       /* m is max's own output: its shape needs no check */
}

/* Piecewise constant: no gradient to either input. */
static void max_mask_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    (void)g, (void)n, (void)dy, (void)dx;
}

static rheo_status max_mask_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_shape s = n->out[0].shape;
    const int32_t axes = *(const int32_t *)n->attr;
    const int64_t kept = rheo_count(n->in_spec[1].shape);
    return RHEO_EMIT(l, err, "pointwise", "max_mask", rheo_grid_pieces(l, kept, rheo_count(s) / kept), RHEO_BUF(rheo_in(l, 0)),
                     RHEO_BUF(rheo_in(l, 1)), RHEO_BUF(rheo_out(l, 0)), RHEO_INT(kept), RHEO_INT(s.n), RHEO_INT(s.h),
                     RHEO_INT(s.w), RHEO_INT(s.c), RHEO_INT(axes));
}

static void max_mask_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape s = n->out[0].shape, kept = n->in_spec[1].shape;
    for (int64_t i = 0; i < rheo_count(s); i++) out[0][i] = 0;
    for (int64_t k = 0; k < rheo_count(kept); k++) {
        int64_t i = 0, found = -1;
        for (int64_t a = 0; a < s.n; a++)
            for (int64_t h = 0; h < s.h; h++)
                for (int64_t w = 0; w < s.w; w++)
                    for (int64_t c = 0; c < s.c; c++, i++)
                        if (found < 0 && rheo_at(kept, a, h, w, c) == k && in[0][i] == in[1][k]) found = i;
        if (found >= 0) out[0][found] = 1;
    }
}

/* Small integers, so that m equals some elements, several at times and none at others. */
#define SAMPLE(n, h, w, c, mn, mh, mw, mc, over)                                                     \
    { .n_in = 2, .in = { RHEO_SPEC_F32(n, h, w, c), RHEO_SPEC_F32(mn, mh, mw, mc) },                 \
      .fill = { { .below = 7 }, { .below = 7 } }, .attr = &over, .attr_bytes = sizeof over }
static const int32_t over_c = RHEO_AXIS_C, over_positions = RHEO_AXIS_H | RHEO_AXIS_W;
static const rheo_op_sample max_mask_samples[] = {
    SAMPLE(2, 3, 1, 33, 2, 3, 1, 1, over_c), SAMPLE(3, 5, 7, 3, 3, 1, 1, 3, over_positions),
};

/* Tolerance 0: comparisons. */
const rheo_op rheo_op_max_mask = {
    .name = "max_mask", .infer = max_mask_infer, .gradient = max_mask_gradient, .launch = max_mask_launch,
    .reference = max_mask_reference, RHEO_SAMPLES(max_mask_samples),
};
