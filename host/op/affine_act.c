/* y = act((x + b) exp(a)), b and a one number a channel: actnorm (flows 1.1) and what follows a convolution (flows 1.5).
 * The gradient needs y and the parameters only. */
#include "op/common.h"
#include "op/ops.h"
#include "op/pointwise.h"

#include <math.h>
#include <string.h>

static bool affine_act_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape channels = rheo_vector(n->in_spec[0].shape.c);
    if (!rheo_infer_same(g, n)) return false;
    for (int i = 1; i < 3; i++) {
        if (rheo_same_shape(n->in_spec[i].shape, channels)) continue;
        rheo_graph_fail(g, "affine_act: %s is " RHEO_SHAPE_TEXT ", expected one number for each of %lld channels", i == 1 ? "b" : "a",
                        RHEO_SHAPE_LIST(n->in_spec[i].shape), (long long)channels.c);
        return false;
    }
    return true;
}

static bool is_relu(const rheo_node *n) { return *(const int32_t *)n->attr != 0; }

/* The output: of an undone layer run again it is what was undone. */
static rheo_value output_of(rheo_graph *g, const rheo_node *n)
{
    extern const rheo_op rheo_op_affine_inverse;
    const rheo_node *x = rheo_node_of(g, n->in[0]);
    const bool undone = x->op == &rheo_op_affine_inverse && !is_relu(n) && memcmp(x->in + 1, n->in + 1, 2 * sizeof *n->in) == 0;
    return undone ? x->in[0] : rheo_result(n, 0);
}

static void affine_act_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const rheo_value back = rheo_affine_act_backward(g, dy[0], output_of(g, n), n->in[2], is_relu(n));
    for (int k = 0; k < 3; k++) dx[k] = rheo_output(back, k);
}

static rheo_status affine_act_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_shape s = n->out[0].shape;
    return RHEO_EMIT(l, err, "pointwise", "affine_act", rheo_grid_items(l, rheo_positions(s) * rheo_vectors(l, s.c)),
                     RHEO_BUF(rheo_in(l, 0)), RHEO_BUF(rheo_in(l, 1)), RHEO_BUF(rheo_in(l, 2)), RHEO_BUF(rheo_out(l, 0)),
                     RHEO_INT(rheo_positions(s)), RHEO_INT(s.c), RHEO_INT(is_relu(n)));
}

static void affine_act_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const int64_t channels = n->out[0].shape.c;
    for (int64_t i = 0; i < rheo_count(n->out[0].shape); i++) {
        const int64_t c = i % channels;
        const double y = (in[0][i] + in[1][c]) * exp(in[2][c]);
        out[0][i] = is_relu(n) && y < 0 ? 0 : y;
    }
}

static rheo_cost affine_act_cost(const rheo_node *n)
{
    const double count = (double)rheo_count(n->out[0].shape);
    return (rheo_cost){ 2 * count, 8 * count };
}

static const int32_t plain = 0, relu = 1;
#define SAMPLE(n, h, w, c, act)                                                                              \
    { .n_in = 3, .in = { RHEO_SPEC_F32(n, h, w, c), RHEO_SPEC_F32(1, 1, 1, c), RHEO_SPEC_F32(1, 1, 1, c) },  \
      .fill = { { 0 }, { 0 }, { .scale = 0.5 } }, .attr = &act, .attr_bytes = sizeof act }
static const rheo_op_sample affine_act_samples[] = {
    SAMPLE(1, 1, 1, 1, plain), SAMPLE(3, 5, 7, 12, plain),   SAMPLE(2, 3, 3, 33, relu),
    SAMPLE(1, 4, 5, 64, relu), SAMPLE(1, 1, 65, 31, plain),
};

/* 5: exp 3 ulp, sum and product half each, rounded up. */
const rheo_op rheo_op_affine_act = {
    .name = "affine_act", .flags = RHEO_OP_INPLACE, .infer = affine_act_infer, .gradient = affine_act_gradient,
    .launch = affine_act_launch, .cost = affine_act_cost, .reference = affine_act_reference, RHEO_SAMPLES(affine_act_samples),
    .tolerance = 5,
};

rheo_value rheo_affine_act(rheo_graph *g, rheo_value x, rheo_value b, rheo_value a, int act)
{
    const int32_t attr = act;
    return rheo_apply(g, &rheo_op_affine_act, 3, (const rheo_value[]){ x, b, a }, &attr, sizeof attr);
}
