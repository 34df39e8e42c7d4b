/* InstanceNorm++ (Song and Ermon 2019; score 3.2): each channel of a sample is normalised over its positions, h, and the place of
 * its mean among the channels' means, c, is given back: gamma (h + alpha c) + beta in the reference form, gamma h + alpha c + beta as
 * printed, gamma h + beta plain; then an ELU if asked for. The row of factors is a sample's own (gathered by noise level) or
 * everybody's. Output 1 keeps mean | 1 / deviation for the gradient, which reads x and not y. */
#include "op/instance_norm.h"

#include <math.h>

bool rheo_norm_check(rheo_graph *g, const rheo_node *n, rheo_shape x, rheo_shape row)
{
    const rheo_norm_attr a = rheo_norm_attr_of(n);
    const bool fits = (row.n == x.n || row.n == 1) && row.h == 1 && row.w == 1 && row.c == rheo_norm_parts(a) * x.c;
    if (fits && (x.c > 1 || a.form == RHEO_NORM_PLAIN)) return true;
    rheo_graph_fail(g, "%s: x is " RHEO_SHAPE_TEXT " and the row " RHEO_SHAPE_TEXT ", expected one row or one a sample of %lld C, C > 1",
                    n->op->name, RHEO_SHAPE_LIST(x), RHEO_SHAPE_LIST(row), (long long)rheo_norm_parts(a));
    return false;
}

static bool norm_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape x = n->in_spec[0].shape;
    n->n_out = 2;
    n->out[0] = n->in_spec[0];
    n->out[1] = (rheo_spec){ RHEO_SHAPE(x.n, 1, 1, 2 * x.c), RHEO_F32 };
    return rheo_check_type(g, n, 0, RHEO_F32) && rheo_check_type(g, n, 1, RHEO_F32) && rheo_norm_check(g, n, x, n->in_spec[1].shape);
}

/* ---- in plain ops ------------------------------------------------------------------------------- */

/* Channels k C .. (k + 1) C */
static rheo_value part(rheo_graph *g, rheo_value v, int64_t k, int64_t c)
{
    return rheo_slice(g, v, RHEO_SHAPE(0, 0, 0, k * c), RHEO_SHAPE(rheo_shape_of(g, v).n, 1, 1, c));
}

rheo_norm_values rheo_norm_values_of(rheo_graph *g, rheo_value x, rheo_value statistics, rheo_value row, rheo_norm_attr attr)
{
    const int64_t c = rheo_shape_of(g, x).c;
    rheo_norm_values q = { .mean = part(g, statistics, 0, c),
                           .r = part(g, statistics, 1, c),
                           .gamma = part(g, row, 0, c),
                           .alpha = RHEO_NONE,
                           .beta = part(g, row, rheo_norm_parts(attr) - 1, c),
                           .c = RHEO_NONE,
                           .v = RHEO_NONE };
    q.h = rheo_mul(g, rheo_sub(g, x, q.mean), q.r);
    rheo_value shift = q.beta;
    if (attr.form != RHEO_NORM_PLAIN) {
        const rheo_value off = rheo_sub(g, q.mean, rheo_mean(g, q.mean, RHEO_AXIS_C));
        const rheo_value variance = rheo_affine(g, rheo_sum(g, rheo_square(g, off), RHEO_AXIS_C), 1 / (double)(c - 1), RHEO_NORM_EPSILON);
        q.v = rheo_sqrt(g, variance);
        q.c = rheo_div(g, off, q.v);
        q.alpha = part(g, row, 1, c);
        const rheo_value lift = rheo_mul(g, q.alpha, q.c);
        shift = rheo_add(g, attr.form == RHEO_NORM_REFERENCE ? rheo_mul(g, q.gamma, lift) : lift, q.beta);
    }
    q.u = rheo_add(g, rheo_mul(g, q.gamma, q.h), shift);
    return q;
}

static void norm_expand(rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    const int positions = RHEO_AXIS_H | RHEO_AXIS_W;
    const rheo_value x = n->in[0], mean = rheo_mean(g, x, positions);
    const rheo_value variance = rheo_mean(g, rheo_square(g, rheo_sub(g, x, mean)), positions);
    const rheo_value kept[2] = { mean, rheo_reciprocal(g, rheo_sqrt(g, rheo_affine(g, variance, 1, RHEO_NORM_EPSILON))) };
    out[1] = rheo_concat(g, 3, 2, kept);
    const rheo_norm_values q = rheo_norm_values_of(g, x, out[1], n->in[1], rheo_norm_attr_of(n));
    out[0] = rheo_norm_attr_of(n).elu ? rheo_elu(g, q.u) : q.u;
}

/* ---- gradient -------------------------------------------------------------------------------------- */

/* Through the statistics: dmean / dx = 1 / P, dr / dx = -r^2 h / P. */
static rheo_value statistics_gradient(rheo_graph *g, const rheo_node *n, rheo_value d)
{
    const rheo_shape x = n->in_spec[0].shape;
    const rheo_norm_values q = rheo_norm_values_of(g, n->in[0], rheo_result(n, 1), n->in[1], rheo_norm_attr_of(n));
    const rheo_value along = rheo_mul(g, rheo_mul(g, part(g, d, 1, x.c), rheo_square(g, q.r)), q.h);
    return rheo_affine(g, rheo_sub(g, part(g, d, 0, x.c), along), 1 / (double)(x.h * x.w), 0);
}

static void norm_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    if (!rheo_is_none(dy[0])) {
        const rheo_value back = rheo_instance_norm_backward(g, dy[0], n->in[0], rheo_result(n, 1), n->in[1], rheo_norm_attr_of(n));
        dx[0] = back;
        dx[1] = rheo_sum_to(g, rheo_output(back, 1), n->in_spec[1].shape);
    }
    if (rheo_is_none(dy[1])) return;
    const rheo_value more = statistics_gradient(g, n, dy[1]);
    dx[0] = rheo_is_none(dy[0]) ? more : rheo_add(g, dx[0], more);
}

/* ---- launch and reference ---------------------------------------------------------------------------- */

rheo_grid rheo_norm_grid(const rheo_launcher *l, int64_t samples)
{
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    const size_t group = dev->kind == RHEO_CPU ? 1 : dev->group;
    return (rheo_grid){ { (size_t)samples * group, 1, 1 }, { group, 1, 1 } };
}

static rheo_status norm_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_shape x = n->in_spec[0].shape, row = n->in_spec[1].shape;
    const rheo_norm_attr a = rheo_norm_attr_of(n);
    return RHEO_EMIT(l, err, "score", "instance_norm", rheo_norm_grid(l, x.n), RHEO_BUF(rheo_in(l, 0)), RHEO_BUF(rheo_in(l, 1)),
                     RHEO_BUF(rheo_out(l, 0)), RHEO_BUF(rheo_out(l, 1)), RHEO_INT(x.h * x.w), RHEO_INT(x.c),
                     RHEO_INT(row.n > 1 ? row.c : 0), RHEO_INT(a.form), RHEO_INT(a.elu));
}

rheo_norm_channels rheo_norm_channels_of(const double *mean, int64_t c)
{
    double m = 0, squares = 0;
    for (int64_t k = 0; k < c; k++) m += mean[k] / (double)c;
    for (int64_t k = 0; k < c; k++) squares += (mean[k] - m) * (mean[k] - m);
    return (rheo_norm_channels){ m, sqrt(squares / (double)(c - 1) + RHEO_NORM_EPSILON) };
}

static void norm_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape s = n->in_spec[0].shape, row_shape = n->in_spec[1].shape;
    const rheo_norm_attr a = rheo_norm_attr_of(n);
    const int64_t positions = s.h * s.w, c = s.c, size = positions * c;
    for (int64_t i = 0; i < s.n; i++) {
        const double *x = in[0] + i * size, *row = in[1] + i % row_shape.n * row_shape.c;
        double *mean = out[1] + i * 2 * c, *r = mean + c;
        for (int64_t k = 0; k < c; k++) {
            double sum = 0, squares = 0;
            for (int64_t p = 0; p < positions; p++) sum += x[p * c + k];
            mean[k] = sum / (double)positions;
            for (int64_t p = 0; p < positions; p++) squares += (x[p * c + k] - mean[k]) * (x[p * c + k] - mean[k]);
            r[k] = 1 / sqrt(squares / (double)positions + RHEO_NORM_EPSILON);
        }
        const rheo_norm_channels q = a.form == RHEO_NORM_PLAIN ? (rheo_norm_channels){ 0 } : rheo_norm_channels_of(mean, c);
        for (int64_t e = 0; e < size; e++) {
            const int64_t k = e % c;
            const double h = (x[e] - mean[k]) * r[k], gamma = row[k], beta = row[row_shape.c - c + k];
            const double lift = a.form == RHEO_NORM_PLAIN ? 0 : row[c + k] * (mean[k] - q.m) / q.v;
            const double u = a.form == RHEO_NORM_PAPER ? gamma * h + lift + beta : gamma * (h + lift) + beta;
            out[0][i * size + e] = a.elu && u <= 0 ? expm1(u) : u;
        }
    }
}

/* Two passes of sums, one of differences, then five operations. */
static rheo_cost norm_cost(const rheo_node *n)
{
    const double count = (double)rheo_count(n->out[0].shape);
    return (rheo_cost){ (rheo_norm_attr_of(n).elu ? 10 : 9) * count, 8 * count };
}

static const rheo_norm_attr reference = { RHEO_NORM_REFERENCE, 0 }, reference_elu = { RHEO_NORM_REFERENCE, 1 },
                            paper = { RHEO_NORM_PAPER, 0 }, plain = { RHEO_NORM_PLAIN, 0 }, plain_elu = { RHEO_NORM_PLAIN, 1 };
#define SAMPLE(n, h, w, c, rows, at, what)                                                                                                 \
    {                                                                                                                                      \
        .n_in = 2, .in = { RHEO_SPEC_F32(n, h, w, c), RHEO_NORM_ROW(rows, c, at) }, .fill = { { .scale = 1, .shift = 0.5 } },              \
        .attr = &what, .attr_bytes = sizeof what                                                                                           \
    }
static const rheo_op_sample norm_samples[] = {
    SAMPLE(3, 2, 3, 5, 3, RHEO_NORM_REFERENCE, reference),
    SAMPLE(2, 3, 3, 16, 1, RHEO_NORM_REFERENCE, reference_elu),
    SAMPLE(2, 5, 7, 33, 2, RHEO_NORM_REFERENCE, reference_elu),
    SAMPLE(3, 2, 2, 2, 1, RHEO_NORM_PAPER, paper),
    SAMPLE(2, 1, 3, 1, 2, RHEO_NORM_PLAIN, plain),
    SAMPLE(1, 8, 8, 64, 1, RHEO_NORM_PLAIN, plain_elu),
    SAMPLE(1, 3, 2, 300, 1, RHEO_NORM_REFERENCE, reference),
};

/* Scale is the largest output, which is above the largest |h| and |c| of most channels. A mean of up to 64 positions: 16 roundings
 * in a row of each running sum, so 10 ulps at most, which move h by as much times |x| / deviation < 3: 30; the variance as much
 * again, halved by the root: 10; c: means as before, over v > 1/4 where channels are many or means far apart: 40. Then five
 * operations and an exponential: 5. */
const rheo_op rheo_op_instance_norm = {
    .name = "instance_norm",
    .infer = norm_infer,
    .gradient = norm_gradient,
    .expand = norm_expand,
    .launch = norm_launch,
    .cost = norm_cost,
    .reference = norm_reference,
    RHEO_SAMPLES(norm_samples),
    .tolerance = 85,
};

rheo_value rheo_instance_norm(rheo_graph *g, rheo_value x, rheo_value row, rheo_norm_attr attr)
{
    return rheo_apply(g, &rheo_op_instance_norm, 2, (const rheo_value[]){ x, row }, &attr, sizeof attr);
}
