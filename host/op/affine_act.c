/* y = act((x + b) exp(factor l)), b and l one number a channel: actnorm (flows 1.1) and what follows a convolution (flows
 * 1.5). With a log-determinant so far (input 3, [N,1,1,1]) output 1 is that plus actnorm's own, H W factor sum(l). The gradient
 * needs y and the parameters only. */
#include "op/common.h"
#include "op/ops.h"
#include "op/pointwise.h"

#include <math.h>
#include <string.h>

static bool affine_act_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape x = n->in_spec[0].shape, channels = rheo_vector(x.c), samples = RHEO_SHAPE(x.n, 1, 1, 1);
    for (int i = 1; i < n->n_in; i++) {
        const rheo_shape wanted = i == 3 ? samples : channels;
        if (rheo_same_shape(n->in_spec[i].shape, wanted)) continue;
        rheo_graph_fail(g, "affine_act: input %d is " RHEO_SHAPE_TEXT ", expected " RHEO_SHAPE_TEXT, i, RHEO_SHAPE_LIST(n->in_spec[i].shape),
                        RHEO_SHAPE_LIST(wanted));
        return false;
    }
    n->n_out = n->n_in > 3 ? 2 : 1;
    n->out[0] = n->in_spec[0];
    n->out[1] = (rheo_spec){ samples, RHEO_F32 };
    return rheo_check_type(g, n, 0, RHEO_F32);
}

static rheo_affine_attr attr_of(const rheo_node *n) { return *(const rheo_affine_attr *)n->attr; }

/* H W factor: what sum(l) counts for in the log-determinant. */
static double logdet_weight(const rheo_node *n)
{
    return (double)(n->in_spec[0].shape.h * n->in_spec[0].shape.w) * (double)attr_of(n).factor;
}

/* The output: of an undone layer run again it is what was undone. */
static rheo_value output_of(rheo_graph *g, const rheo_node *n)
{
    extern const rheo_op rheo_op_affine_inverse;
    const rheo_node *x = rheo_node_of(g, n->in[0]);
    const bool undone = x->op == &rheo_op_affine_inverse && !attr_of(n).relu && memcmp(x->in + 1, n->in + 1, 2 * sizeof *n->in) == 0;
    return undone ? x->in[0] : rheo_result(n, 0);
}

static void affine_act_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const rheo_value dlogdet = n->n_out > 1 ? dy[1] : RHEO_NONE;
    const rheo_value d = rheo_is_none(dy[0]) ? rheo_constant(g, n->out[0].shape, 0) : dy[0];
    const rheo_value back = rheo_affine_act_backward(g, d, output_of(g, n), n->in[2], dlogdet, attr_of(n));
    for (int k = 0; k < 3; k++) dx[k] = rheo_output(back, k);
    if (n->n_in > 3) dx[3] = dlogdet;
}

/* Log-determinants of `batch` samples beside it; batch 0: none. */
static rheo_status emit(rheo_launcher *l, rheo_shape s, rheo_affine_attr a, cl_mem x, cl_mem b, cl_mem scale, cl_mem y, int64_t batch,
                        cl_mem logdet, cl_mem logdet_out, double weight, rheo_error *err)
{
    return RHEO_EMIT(l, err, "pointwise", "affine_act", rheo_grid_items(l, rheo_positions(s) * rheo_vectors(l, s.c)), RHEO_BUF(x),
                     RHEO_BUF(b), RHEO_BUF(scale), RHEO_BUF(y), RHEO_BUF(logdet), RHEO_BUF(logdet_out), RHEO_INT(rheo_positions(s)),
                     RHEO_INT(s.c), RHEO_INT(a.relu), RHEO_FLOAT(a.factor), RHEO_INT(batch), RHEO_FLOAT(weight));
}

rheo_status rheo_affine_act_launch(rheo_launcher *l, rheo_shape s, rheo_affine_attr a, cl_mem x, cl_mem b, cl_mem scale, cl_mem y,
                                   rheo_error *err)
{
    return emit(l, s, a, x, b, scale, y, 0, x, y, 0, err);
}

static rheo_status affine_act_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const bool logdet = n->n_out > 1;
    return emit(l, n->out[0].shape, attr_of(n), rheo_in(l, 0), rheo_in(l, 1), rheo_in(l, 2), rheo_out(l, 0),
                logdet ? n->out[0].shape.n : 0, rheo_in(l, logdet ? 3 : 0), rheo_out(l, logdet ? 1 : 0), logdet_weight(n), err);
}

void rheo_affine_act_on(rheo_affine_attr act, rheo_shape shape, const double *b, const double *l, double *y)
{
    for (int64_t k = 0; k < rheo_count(shape); k++) {
        const double z = (y[k] + b[k % shape.c]) * exp((double)act.factor * l[k % shape.c]);
        y[k] = act.relu && z < 0 ? 0 : z;
    }
}

static void affine_act_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape s = n->out[0].shape;
    double total = 0;
    memcpy(out[0], in[0], (size_t)rheo_count(s) * sizeof *out[0]);
    rheo_affine_act_on(attr_of(n), s, in[1], in[2], out[0]);
    for (int64_t c = 0; c < s.c; c++) total += in[2][c];
    for (int64_t i = 0; i < s.n && n->n_out > 1; i++) out[1][i] = in[3][i] + logdet_weight(n) * total;
}

static rheo_cost affine_act_cost(const rheo_node *n)
{
    const double count = (double)rheo_count(n->out[0].shape);
    return (rheo_cost){ 2 * count, 8 * count };
}

static const rheo_affine_attr plain = { 0, 1 }, relu = { 1, 3 };
#define SAMPLE(inputs, n, h, w, c, act)                                                                                               \
    { .n_in = inputs, .in = { RHEO_SPEC_F32(n, h, w, c), RHEO_SPEC_F32(1, 1, 1, c), RHEO_SPEC_F32(1, 1, 1, c), RHEO_SPEC_F32(n, 1, 1, 1) }, \
      .fill = { { 0 }, { 0 }, { .scale = 0.2 } }, .attr = &act, .attr_bytes = sizeof act }
static const rheo_op_sample affine_act_samples[] = {
    SAMPLE(4, 1, 1, 1, 1, plain), SAMPLE(4, 3, 5, 7, 12, plain), SAMPLE(3, 2, 3, 3, 33, relu),
    SAMPLE(3, 1, 4, 5, 64, relu), SAMPLE(4, 2, 1, 65, 31, plain),
};

/* 5: exp 3 ulp of an argument rounded once, sum and product half each, rounded up; the sum of up to 33 numbers is below. */
const rheo_op rheo_op_affine_act = {
    .name = "affine_act", .infer = affine_act_infer, .gradient = affine_act_gradient, .launch = affine_act_launch,
    .cost = affine_act_cost, .reference = affine_act_reference, RHEO_SAMPLES(affine_act_samples), .tolerance = 5,
};

rheo_value rheo_affine_act(rheo_graph *g, rheo_value x, rheo_value b, rheo_value l, rheo_value logdet, rheo_affine_attr attr)
{
    return rheo_apply(g, &rheo_op_affine_act, rheo_is_none(logdet) ? 3 : 4, (const rheo_value[]){ x, b, l, logdet }, &attr, sizeof attr);
}
