/* x = y exp(-factor l) - b per channel: actnorm undone (flows 1.1). */
#include "op/common.h"
#include "op/ops.h"

#include <math.h>

static bool inverse_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape channels = rheo_vector(n->in_spec[0].shape.c);
    n->n_out = 1;
    n->out[0] = n->in_spec[0];
    if (rheo_same_shape(n->in_spec[1].shape, channels) && rheo_same_shape(n->in_spec[2].shape, channels)) return true;
    rheo_graph_fail(g, "affine_inverse: b and l need one number for each of %lld channels", (long long)channels.c);
    return false;
}

static float factor_of(const rheo_node *n) { return *(const float *)n->attr; }

/* dy = dx exp(-factor l), db = -sum dx, dl = -factor sum dx (x + b). */
static void inverse_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dx, rheo_value *din)
{
    const rheo_shape channels = n->in_spec[1].shape;
    din[0] = rheo_mul(g, dx[0], rheo_exp(g, rheo_affine(g, n->in[2], -(double)factor_of(n), 0)));
    din[1] = rheo_neg(g, rheo_sum_to(g, dx[0], channels));
    din[2] = rheo_affine(g, rheo_sum_to(g, rheo_mul(g, din[0], n->in[0]), channels), -(double)factor_of(n), 0);
}

static rheo_status inverse_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_shape s = n->out[0].shape;
    return RHEO_EMIT(l, err, "flow", "affine_inverse", rheo_grid_items(l, rheo_positions(s)), RHEO_BUF(rheo_in(l, 0)), RHEO_BUF(rheo_in(l, 1)),
                     RHEO_BUF(rheo_in(l, 2)), RHEO_BUF(rheo_out(l, 0)), RHEO_INT(rheo_positions(s)), RHEO_INT(s.c),
                     RHEO_FLOAT(factor_of(n)));
}

static void inverse_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const int64_t channels = n->out[0].shape.c;
    for (int64_t i = 0; i < rheo_count(n->out[0].shape); i++)
        out[0][i] = in[0][i] * exp(-(double)factor_of(n) * in[2][i % channels]) - in[1][i % channels];
}

static const float factor = 3;
#define SAMPLE(n, h, w, c)                                                                                  \
    { .n_in = 3, .in = { RHEO_SPEC_F32(n, h, w, c), RHEO_SPEC_F32(1, 1, 1, c), RHEO_SPEC_F32(1, 1, 1, c) }, \
      .fill = { { .scale = 1 }, { .scale = 1 }, { .scale = 0.2 } }, .attr = &factor, .attr_bytes = sizeof factor }
static const rheo_op_sample inverse_samples[] = { SAMPLE(1, 1, 1, 1), SAMPLE(3, 5, 7, 12), SAMPLE(2, 3, 3, 33), SAMPLE(1, 1, 65, 4) };

/* 5: exp 3 ulp, product and difference half each, rounded up. */
const rheo_op rheo_op_affine_inverse = {
    .name = "affine_inverse", .flags = RHEO_OP_INPLACE, .infer = inverse_infer, .gradient = inverse_gradient, .launch = inverse_launch,
    .reference = inverse_reference, RHEO_SAMPLES(inverse_samples), .tolerance = 5,
};

rheo_value rheo_affine_inverse(rheo_graph *g, rheo_value y, rheo_value b, rheo_value l, float by)
{
    return rheo_apply(g, &rheo_op_affine_inverse, 3, (const rheo_value[]){ y, b, l }, &by, sizeof by);
}
