/* y = scale x + shift, scale and shift known when the graph is built. */
#include "op/ops.h"
#include "op/pointwise.h"

/* Kept in double: the host executor shall not see 1/n rounded to float. */
typedef struct affine_attr { double scale, shift; } affine_attr;

static void affine_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const affine_attr *a = n->attr;
    dx[0] = rheo_affine(g, dy[0], a->scale, 0);
}

static rheo_status affine_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const affine_attr *a = n->attr;
    return rheo_emit_unary(l, RHEO_UNARY_AFFINE, rheo_in(l, 0), rheo_out(l, 0), rheo_count(n->out[0].shape), (float)a->scale,
                           (float)a->shift, err);
}

static void affine_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const affine_attr *a = n->attr;
    for (int64_t i = 0; i < rheo_count(n->out[0].shape); i++) out[0][i] = a->scale * in[0][i] + a->shift;
}

static const affine_attr sample_third = { 1.0 / 3, -0.1 }, sample_negative = { -2, 0 };
static const rheo_op_sample affine_samples[] = {
    { .n_in = 1, .in = { RHEO_SPEC_F32(3, 5, 7, 11) }, .attr = &sample_third, .attr_bytes = sizeof sample_third },
    { .n_in = 1, .in = { RHEO_SPEC_F32(1, 1, 1, 65) }, .attr = &sample_negative, .attr_bytes = sizeof sample_negative },
};

/* 3: scale and shift rounded, product and sum rounded, half an ulp of the larger each; twice that when they cancel. */
const rheo_op rheo_op_affine = {
    .name = "affine", .flags = RHEO_OP_INPLACE, .infer = rheo_infer_same, .gradient = affine_gradient, .launch = affine_launch,
    .reference = affine_reference, RHEO_SAMPLES(affine_samples), .tolerance = 3,
};

/* Chains of affines become one. */
rheo_value rheo_affine(rheo_graph *g, rheo_value x, double scale, double shift)
{
    if (rheo_is_none(x)) return x;
    const rheo_node *n = rheo_node_of(g, x);
    if (n->op == &rheo_op_affine) {
        const affine_attr *inner = n->attr;
        shift += scale * inner->shift;
        scale *= inner->scale;
        x = n->in[0];
    }
    if (scale == 1 && shift == 0) return x;
    const affine_attr a = { scale, shift };
    return rheo_apply(g, &rheo_op_affine, 1, &x, &a, sizeof a);
}
