/* The gradient of instance_norm in one op, from dy, x and the statistics that were kept (score 3.2): g = dy act'(u),
 *   dbeta = sum g,  dgamma = sum g (h + alpha c),  dalpha = gamma c sum g,  dc = gamma alpha sum g        (reference form),
 *   dx = gamma r (g - mean g - h mean(g h)) + dmean / P,   dmean = (dc - mean dc - c sum(dc c) / (C - 1)) / v.
 * The row's gradient comes one a sample. As a function of its inputs the statistics are independent of x. */
#include "op/instance_norm.h"
#include "op/pointwise.h"

#include <math.h>

enum { DY, X, STATISTICS, ROW };

static bool backward_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape dy = n->in_spec[DY].shape, statistics = n->in_spec[STATISTICS].shape;
    n->n_out = 2;
    n->out[0] = n->in_spec[DY];
    n->out[1] = (rheo_spec){ RHEO_SHAPE(dy.n, 1, 1, n->in_spec[ROW].shape.c), RHEO_F32 };
    if (!rheo_norm_check(g, n, dy, n->in_spec[ROW].shape)) return false;
    if (rheo_same_shape(dy, n->in_spec[X].shape) && rheo_same_shape(statistics, RHEO_SHAPE(dy.n, 1, 1, 2 * dy.c))) return true;
    rheo_graph_fail(g, "instance_norm_backward: dy is " RHEO_SHAPE_TEXT ", x " RHEO_SHAPE_TEXT ", statistics " RHEO_SHAPE_TEXT,
                    RHEO_SHAPE_LIST(dy), RHEO_SHAPE_LIST(n->in_spec[X].shape), RHEO_SHAPE_LIST(statistics));
    return false;
}

static void backward_expand(rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    const rheo_norm_attr a = rheo_norm_attr_of(n);
    const rheo_shape s = n->in_spec[DY].shape;
    const int over = RHEO_AXIS_H | RHEO_AXIS_W;
    const double each = 1 / (double)(s.h * s.w);
    const rheo_norm_values q = rheo_norm_values_of(g, n->in[X], n->in[STATISTICS], n->in[ROW], a);
    const rheo_value e = a.elu ? rheo_elu_backward(g, n->in[DY], rheo_elu(g, q.u)) : n->in[DY];
    const rheo_value sum = rheo_sum(g, e, over), sum_h = rheo_sum(g, rheo_mul(g, e, q.h), over);
    const rheo_value inner = rheo_sub(g, rheo_sub(g, e, rheo_affine(g, sum, each, 0)), rheo_mul(g, q.h, rheo_affine(g, sum_h, each, 0)));
    out[0] = rheo_mul(g, rheo_mul(g, q.gamma, q.r), inner);
    if (a.form == RHEO_NORM_PLAIN) {
        out[1] = rheo_concat(g, 3, 2, (const rheo_value[]){ sum_h, sum });
        return;
    }
    const bool reference = a.form == RHEO_NORM_REFERENCE;
    const rheo_value outer = reference ? rheo_mul(g, q.gamma, sum) : sum, dc = rheo_mul(g, q.alpha, outer);
    const rheo_value slope = rheo_affine(g, rheo_sum(g, rheo_mul(g, dc, q.c), RHEO_AXIS_C), 1 / (double)(s.c - 1), 0);
    const rheo_value dmean = rheo_div(g, rheo_sub(g, rheo_sub(g, dc, rheo_mean(g, dc, RHEO_AXIS_C)), rheo_mul(g, q.c, slope)), q.v);
    const rheo_value dgamma = reference ? rheo_add(g, sum_h, rheo_mul(g, rheo_mul(g, q.alpha, q.c), sum)) : sum_h;
    out[0] = rheo_add(g, out[0], rheo_affine(g, dmean, each, 0));
    out[1] = rheo_concat(g, 3, 3, (const rheo_value[]){ dgamma, rheo_mul(g, outer, q.c), sum });
}

static size_t backward_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    (void)dev;
    return (size_t)(2 * n->out[0].shape.n * n->out[0].shape.c);
}

static rheo_status backward_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_shape s = n->out[0].shape, row = n->in_spec[ROW].shape;
    const rheo_norm_attr a = rheo_norm_attr_of(n);
    return RHEO_EMIT(l, err, "score", "instance_norm_backward", rheo_norm_grid(l, s.n), RHEO_BUF(rheo_in(l, DY)), RHEO_BUF(rheo_in(l, X)),
                     RHEO_BUF(rheo_in(l, STATISTICS)), RHEO_BUF(rheo_in(l, ROW)), RHEO_BUF(rheo_out(l, 0)), RHEO_BUF(rheo_out(l, 1)),
                     RHEO_BUF(rheo_work(l)), RHEO_INT(s.h * s.w), RHEO_INT(s.c), RHEO_INT(row.n > 1 ? row.c : 0), RHEO_INT(a.form),
                     RHEO_INT(a.elu));
}

/* One channel k of sample i: its place in the arrays and what the formulas need. */
typedef struct channel {
    double mean, r, gamma, alpha, beta, c;
} channel;

static channel channel_of(const rheo_node *n, const double *const *in, int64_t i, int64_t k)
{
    const rheo_shape s = n->in_spec[DY].shape, row_shape = n->in_spec[ROW].shape;
    const double *mean = in[STATISTICS] + i * 2 * s.c, *row = in[ROW] + i % row_shape.n * row_shape.c;
    channel q = { mean[k], mean[s.c + k], row[k], 0, row[row_shape.c - s.c + k], 0 };
    if (rheo_norm_attr_of(n).form == RHEO_NORM_PLAIN) return q;
    const rheo_norm_channels all = rheo_norm_channels_of(mean, s.c);
    q.alpha = row[s.c + k];
    q.c = (q.mean - all.m) / all.v;
    return q;
}

static double g_of(rheo_norm_attr a, const channel *q, double dy, double x)
{
    const double lift = (a.form == RHEO_NORM_REFERENCE ? q->gamma : 1) * q->alpha * q->c,
                 u = q->gamma * (x - q->mean) * q->r + lift + q->beta;
    return a.elu && u <= 0 ? dy * exp(u) : dy;
}

static void backward_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape s = n->in_spec[DY].shape;
    const rheo_norm_attr a = rheo_norm_attr_of(n);
    const bool reference = a.form == RHEO_NORM_REFERENCE;
    const int64_t positions = s.h * s.w, parts = rheo_norm_parts(a);
    for (int64_t i = 0; i < s.n; i++) {
        const double *dy = in[DY] + i * positions * s.c, *x = in[X] + i * positions * s.c;
        double *dx = out[0] + i * positions * s.c, *drow = out[1] + i * parts * s.c, sum_dc = 0, sum_dcc = 0;
        for (int64_t k = 0; k < s.c; k++) {
            const channel q = channel_of(n, in, i, k);
            double sum = 0, sum_h = 0;
            for (int64_t e = k; e < positions * s.c; e += s.c) {
                sum += g_of(a, &q, dy[e], x[e]);
                sum_h += g_of(a, &q, dy[e], x[e]) * (x[e] - q.mean) * q.r;
            }
            const double outer = reference ? q.gamma * sum : sum;
            drow[k] = reference ? sum_h + q.alpha * q.c * sum : sum_h;
            drow[(parts - 1) * s.c + k] = sum;
            if (parts == 3) drow[s.c + k] = outer * q.c;
            sum_dc += outer * q.alpha;
            sum_dcc += outer * q.alpha * q.c;
            for (int64_t e = k; e < positions * s.c; e += s.c)
                dx[e] = q.gamma * q.r * (g_of(a, &q, dy[e], x[e]) - (sum + (x[e] - q.mean) * q.r * sum_h) / (double)positions);
        }
        if (parts == 2) continue;
        const double v = rheo_norm_channels_of(in[STATISTICS] + i * 2 * s.c, s.c).v;
        for (int64_t k = 0; k < s.c; k++) {
            const channel q = channel_of(n, in, i, k);
            const double dc = (reference ? q.gamma : 1) * q.alpha * drow[2 * s.c + k];
            const double dmean = (dc - sum_dc / (double)s.c - q.c * sum_dcc / (double)(s.c - 1)) / v;
            for (int64_t e = k; e < positions * s.c; e += s.c) dx[e] += dmean / (double)positions;
        }
    }
}

static rheo_cost backward_cost(const rheo_node *n)
{
    const double count = (double)rheo_count(n->out[0].shape);
    return (rheo_cost){ 13 * count, 12 * count };
}

static const rheo_norm_attr reference_form = { RHEO_NORM_REFERENCE, 0 }, reference_elu = { RHEO_NORM_REFERENCE, 1 },
                            paper = { RHEO_NORM_PAPER, 1 }, plain = { RHEO_NORM_PLAIN, 0 }, plain_elu = { RHEO_NORM_PLAIN, 1 };
#define SAMPLE(n, h, w, c, rows, at, what)                                                                                                 \
    {                                                                                                                                      \
        .n_in = 4,                                                                                                                         \
        .in = { RHEO_SPEC_F32(n, h, w, c), RHEO_SPEC_F32(n, h, w, c), RHEO_SPEC_F32(n, 1, 1, 2 * (c)), RHEO_NORM_ROW(rows, c, at) },       \
        .attr = &what, .attr_bytes = sizeof what                                                                                           \
    }
static const rheo_op_sample backward_samples[] = {
    SAMPLE(3, 2, 3, 5, 3, RHEO_NORM_REFERENCE, reference_form),
    SAMPLE(2, 3, 3, 16, 1, RHEO_NORM_REFERENCE, reference_elu),
    SAMPLE(2, 5, 7, 33, 2, RHEO_NORM_REFERENCE, reference_elu),
    SAMPLE(3, 2, 2, 6, 1, RHEO_NORM_PAPER, paper),
    SAMPLE(2, 1, 3, 1, 2, RHEO_NORM_PLAIN, plain),
    SAMPLE(1, 8, 8, 64, 1, RHEO_NORM_PLAIN, plain_elu),
    SAMPLE(1, 3, 2, 300, 1, RHEO_NORM_REFERENCE, reference_form),
};

/* Sums of up to 64 terms in two running sums: 32 roundings in a row of partial sums below the sum of magnitudes, which is below 3
 * times the largest result; 6 for each term with its exponential. */
const rheo_op rheo_op_instance_norm_backward = {
    .name = "instance_norm_backward",
    .infer = backward_infer,
    .expand = backward_expand,
    .launch = backward_launch,
    .workspace = backward_workspace,
    .cost = backward_cost,
    .reference = backward_reference,
    RHEO_SAMPLES(backward_samples),
    .tolerance = 54,
};

rheo_value rheo_instance_norm_backward(rheo_graph *g, rheo_value dy, rheo_value x, rheo_value statistics, rheo_value row,
                                       rheo_norm_attr attr)
{
    return rheo_apply(g, &rheo_op_instance_norm_backward, 4, (const rheo_value[]){ dy, x, statistics, row }, &attr, sizeof attr);
}
