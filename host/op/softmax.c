/* y = exp(x - m) / sum exp(x - m) and y = m + log sum exp(x - m), m the maximum, both over C (flows 1.8). */
#include "op/common.h"
#include "op/ops.h"

#include <math.h>

extern const rheo_op rheo_op_softmax, rheo_op_logsumexp;

static bool logsumexp_infer(rheo_graph *g, rheo_node *n)
{
    if (!rheo_infer_same(g, n)) return false;
    n->out[0].shape.c = 1;
    return true;
}

static void softmax_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const rheo_value y = rheo_result(n, 0);
    const rheo_value mean = rheo_sum(g, rheo_mul(g, dy[0], y), RHEO_AXIS_C);
    dx[0] = rheo_mul(g, y, rheo_sub(g, dy[0], mean));
}

static void logsumexp_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    dx[0] = rheo_mul(g, rheo_softmax(g, n->in[0]), dy[0]);
}

static rheo_status softmax_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_shape s = n->in_spec[0].shape;
    return RHEO_EMIT(l, err, "pointwise", "softmax", rheo_grid_pieces(l, rheo_positions(s), s.c), RHEO_BUF(rheo_in(l, 0)),
                     RHEO_BUF(rheo_out(l, 0)), RHEO_INT(rheo_positions(s)), RHEO_INT(s.c), RHEO_INT(n->op == &rheo_op_logsumexp));
}

/* Exponentials as one operation each, twice for softmax. */
static rheo_cost softmax_cost(const rheo_node *n)
{
    const double in = (double)rheo_count(n->in_spec[0].shape), out = (double)rheo_count(n->out[0].shape);
    return (rheo_cost){ 4 * in, 4 * (in + out) };
}

static void softmax_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape s = n->in_spec[0].shape;
    const bool log_sum = n->op == &rheo_op_logsumexp;
    for (int64_t p = 0; p < rheo_positions(s); p++) {
        const double *x = in[0] + p * s.c;
        double m = -INFINITY, sum = 0;
        for (int64_t c = 0; c < s.c; c++) m = fmax(m, x[c]);
        for (int64_t c = 0; c < s.c; c++) sum += exp(x[c] - m);
        if (log_sum) out[0][p] = m + log(sum);
        else
            for (int64_t c = 0; c < s.c; c++) out[0][p * s.c + c] = exp(x[c] - m) / sum;
    }
}

#define SAMPLE(s, n, h, w, c) { .n_in = 1, .in = { RHEO_SPEC_F32(n, h, w, c) }, .fill = { { .scale = s } } }
static const rheo_op_sample softmax_samples[] = {
    SAMPLE(1, 1, 1, 1, 1),  SAMPLE(3, 3, 5, 3, 10), SAMPLE(3, 1, 1, 2, 31),
    SAMPLE(3, 2, 1, 1, 32), SAMPLE(3, 1, 3, 1, 33), SAMPLE(20, 1, 1, 3, 65),
};

/* Of the largest y: x - m is off by half an ulp of itself, which changes exp(x - m) by at most max |t| e^t / 2 < 1 ulp of 1;
 * exp 3, the sum's additions 4, reciprocal 2.5, product, rounded up. */
const rheo_op rheo_op_softmax = {
    .name = "softmax", .infer = rheo_infer_same, .gradient = softmax_gradient, .launch = softmax_launch, .cost = softmax_cost,
    .reference = softmax_reference, RHEO_SAMPLES(softmax_samples), .tolerance = 12,
};
/* log 3, exp 3, additions 4 and the last one, of results whose largest is above 1. */
const rheo_op rheo_op_logsumexp = {
    .name = "logsumexp", .infer = logsumexp_infer, .gradient = logsumexp_gradient, .launch = softmax_launch, .cost = softmax_cost,
    .reference = softmax_reference, RHEO_SAMPLES(softmax_samples), .tolerance = 12,
};

rheo_value rheo_softmax(rheo_graph *g, rheo_value x) { return rheo_apply(g, &rheo_op_softmax, 1, &x, NULL, 0); }
rheo_value rheo_logsumexp(rheo_graph *g, rheo_value x) { return rheo_apply(g, &rheo_op_logsumexp, 1, &x, NULL, 0); }
