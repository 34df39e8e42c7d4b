/* Means over windows (score 3.1): of 2 x 2 with stride 2, and its transpose; of 5 x 5 with stride 1 and padding 2, always divided by
 * 25, which is its own transpose. */
#include "op/pool.h"

extern const rheo_op rheo_op_mean_pool2, rheo_op_mean_pool2_transpose, rheo_op_avg_pool5;

/* On a CPU an item's work grows with the row; elsewhere an item is a work-item. */
rheo_grid rheo_pool_grid(const rheo_launcher *l, rheo_shape rows)
{
    const int64_t items = rows.n * rows.h * rheo_vectors(l, rows.c);
    return rheo_grid_items(l, rheo_launcher_facts(l)->kind == RHEO_CPU ? items * rows.w : items);
}

static bool mean_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape x = n->in_spec[0].shape;
    if (x.h % 2 || x.w % 2) {
        rheo_graph_fail(g, "mean_pool2: " RHEO_SHAPE_TEXT " has an odd height or width", RHEO_SHAPE_LIST(x));
        return false;
    }
    return rheo_check_type(g, n, 0, RHEO_F32) && rheo_infer_shape(n, RHEO_SHAPE(x.n, x.h / 2, x.w / 2, x.c));
}

static bool transpose_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape y = n->in_spec[0].shape;
    return rheo_check_type(g, n, 0, RHEO_F32) && rheo_infer_shape(n, RHEO_SHAPE(y.n, 2 * y.h, 2 * y.w, y.c));
}

static void mean_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    (void)n;
    dx[0] = rheo_mean_pool2_transpose(g, dy[0]);
}

static void transpose_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    (void)n;
    dx[0] = rheo_mean_pool2(g, dy[0]);
}

static void avg_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    (void)n;
    dx[0] = rheo_avg_pool5(g, dy[0]);
}

/* The kernel has the op's name. */
static rheo_status launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_shape y = n->out[0].shape;
    return RHEO_EMIT(l, err, "score", n->op->name, rheo_pool_grid(l, y), RHEO_BUF(rheo_in(l, 0)), RHEO_BUF(rheo_out(l, 0)), RHEO_INT(y.n),
                     RHEO_INT(y.h), RHEO_INT(y.w), RHEO_INT(y.c));
}

static void mean_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape x = n->in_spec[0].shape, y = n->out[0].shape;
    for (int64_t e = 0; e < rheo_count(y); e++) out[0][e] = 0;
    for (int64_t k = 0; k < x.n; k++)
        for (int64_t h = 0; h < x.h; h++)
            for (int64_t w = 0; w < x.w; w++)
                for (int64_t c = 0; c < x.c; c++) out[0][rheo_index(y, k, h / 2, w / 2, c)] += in[0][rheo_index(x, k, h, w, c)] / 4;
}

static void transpose_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape y = n->in_spec[0].shape, x = n->out[0].shape;
    for (int64_t k = 0; k < x.n; k++)
        for (int64_t h = 0; h < x.h; h++)
            for (int64_t w = 0; w < x.w; w++)
                for (int64_t c = 0; c < x.c; c++) out[0][rheo_index(x, k, h, w, c)] = in[0][rheo_index(y, k, h / 2, w / 2, c)] / 4;
}

static void avg_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape s = n->out[0].shape;
    for (int64_t e = 0; e < rheo_count(s); e++) {
        const int64_t c = e % s.c, w = e / s.c % s.w, h = e / (s.c * s.w) % s.h, k = e / (s.c * s.w * s.h);
        double sum = 0;
        for (int64_t i = h - 2; i <= h + 2; i++)
            for (int64_t j = w - 2; j <= w + 2; j++)
                if (i >= 0 && i < s.h && j >= 0 && j < s.w) sum += in[0][rheo_index(s, k, i, j, c)];
        out[0][e] = sum / 25;
    }
}

static rheo_cost pool_cost(const rheo_node *n)
{
    const double in = (double)rheo_count(n->in_spec[0].shape), out = (double)rheo_count(n->out[0].shape);
    return (rheo_cost){ n->op == &rheo_op_avg_pool5 ? 9 * out : in, 4 * (in + out) };
}

#define SAMPLE(n, h, w, c)                                                                                                                 \
    {                                                                                                                                      \
        .n_in = 1, .in = { RHEO_SPEC_F32(n, h, w, c) }                                                                                     \
    }
static const rheo_op_sample even_samples[] = { SAMPLE(1, 2, 2, 1), SAMPLE(3, 6, 10, 3), SAMPLE(2, 8, 4, 33), SAMPLE(2, 14, 14, 16) };
static const rheo_op_sample any_samples[] = { SAMPLE(1, 1, 1, 1), SAMPLE(3, 3, 5, 3), SAMPLE(2, 4, 2, 33), SAMPLE(2, 7, 9, 16),
                                              SAMPLE(1, 6, 1, 64) };

/* 4: two additions in a row of at most three times the largest mean, half an ulp each; halves are exact. */
const rheo_op rheo_op_mean_pool2 = {
    .name = "mean_pool2",
    .infer = mean_infer,
    .gradient = mean_gradient,
    .launch = launch,
    .cost = pool_cost,
    .reference = mean_reference,
    RHEO_SAMPLES(even_samples),
    .tolerance = 4,
};
/* Tolerance 0: quarters. */
const rheo_op rheo_op_mean_pool2_transpose = {
    .name = "mean_pool2_transpose",
    .infer = transpose_infer,
    .gradient = transpose_gradient,
    .launch = launch,
    .cost = pool_cost,
    .reference = transpose_reference,
    RHEO_SAMPLES(any_samples),
};
/* 15: a term passes at most eight additions and a product with a rounded 1/25, half an ulp each, of a sum of magnitudes at most
 * three times the largest mean. */
const rheo_op rheo_op_avg_pool5 = {
    .name = "avg_pool5",
    .infer = rheo_infer_same,
    .gradient = avg_gradient,
    .launch = launch,
    .cost = pool_cost,
    .reference = avg_reference,
    RHEO_SAMPLES(any_samples),
    .tolerance = 15,
};

rheo_value rheo_mean_pool2(rheo_graph *g, rheo_value x)
{
    return rheo_apply(g, &rheo_op_mean_pool2, 1, &x, NULL, 0);
}
rheo_value rheo_mean_pool2_transpose(rheo_graph *g, rheo_value dy)
{
    return rheo_apply(g, &rheo_op_mean_pool2_transpose, 1, &dy, NULL, 0);
}
rheo_value rheo_avg_pool5(rheo_graph *g, rheo_value x)
{
    return rheo_apply(g, &rheo_op_avg_pool5, 1, &x, NULL, 0);
}
