/* y = maximum over 5 x 5, stride 1, padding 2 of minus infinity (score 3.1), and where in its window it was found: u32 code 5 i + j
 * of the first. The gradient goes there: max_pool5_scatter, whose transpose is max_pool5_pick. Each element of a gradient is gathered
 * from the windows around it, in a fixed order. */
#include "op/pool.h"

#include <math.h>

extern const rheo_op rheo_op_max_pool5, rheo_op_max_pool5_scatter, rheo_op_max_pool5_pick;

static bool max_infer(rheo_graph *g, rheo_node *n)
{
    n->n_out = 2;
    n->out[0] = n->in_spec[0];
    n->out[1] = (rheo_spec){ n->in_spec[0].shape, RHEO_U32 };
    return rheo_check_type(g, n, 0, RHEO_F32);
}

static bool moved_infer(rheo_graph *g, rheo_node *n)
{
    if (!rheo_check_type(g, n, 0, RHEO_F32) || !rheo_check_type(g, n, 1, RHEO_U32)) return false;
    if (rheo_same_shape(n->in_spec[0].shape, n->in_spec[1].shape)) return rheo_infer_shape(n, n->in_spec[0].shape);
    rheo_graph_fail(g, "%s: values " RHEO_SHAPE_TEXT " and codes " RHEO_SHAPE_TEXT, n->op->name, RHEO_SHAPE_LIST(n->in_spec[0].shape),
                    RHEO_SHAPE_LIST(n->in_spec[1].shape));
    return false;
}

static rheo_value moved(rheo_graph *g, const rheo_op *op, rheo_value x, rheo_value code)
{
    return rheo_apply(g, op, 2, (const rheo_value[]){ x, code }, NULL, 0);
}

static void max_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    if (!rheo_is_none(dy[0])) dx[0] = moved(g, &rheo_op_max_pool5_scatter, dy[0], rheo_result(n, 1));
}

static void scatter_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    dx[0] = moved(g, &rheo_op_max_pool5_pick, dy[0], n->in[1]);
}

static void pick_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    dx[0] = moved(g, &rheo_op_max_pool5_scatter, dy[0], n->in[1]);
}

static rheo_status max_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_shape s = n->out[0].shape;
    return RHEO_EMIT(l, err, "score", "max_pool5", rheo_pool_grid(l, s), RHEO_BUF(rheo_in(l, 0)), RHEO_BUF(rheo_out(l, 0)),
                     RHEO_BUF(rheo_out(l, 1)), RHEO_INT(s.n), RHEO_INT(s.h), RHEO_INT(s.w), RHEO_INT(s.c));
}

static rheo_status moved_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_shape s = n->out[0].shape;
    const rheo_grid grid = n->op == &rheo_op_max_pool5_pick ? rheo_grid_items(l, rheo_count(s)) : rheo_pool_grid(l, s);
    return RHEO_EMIT(l, err, "score", n->op->name, grid, RHEO_BUF(rheo_in(l, 0)), RHEO_BUF(rheo_in(l, 1)), RHEO_BUF(rheo_out(l, 0)),
                     RHEO_INT(s.n), RHEO_INT(s.h), RHEO_INT(s.w), RHEO_INT(s.c));
}

/* Where window e = [k, h, w, c] of s has the element of this code; -1: outside. */
static int64_t place(rheo_shape s, int64_t e, int64_t code)
{
    const int64_t c = e % s.c, w = e / s.c % s.w + code % 5 - 2, h = e / (s.c * s.w) % s.h + code / 5 - 2, k = e / (s.c * s.w * s.h);
    return h >= 0 && h < s.h && w >= 0 && w < s.w ? rheo_index(s, k, h, w, c) : -1;
}

static void max_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape s = n->out[0].shape;
    for (int64_t e = 0; e < rheo_count(s); e++) {
        out[0][e] = -INFINITY;
        for (int64_t code = 0; code < 25; code++) {
            const int64_t at = place(s, e, code);
            if (at < 0 || in[0][at] <= out[0][e]) continue;
            out[0][e] = in[0][at];
            out[1][e] = (double)code;
        }
    }
}

static void scatter_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape s = n->out[0].shape;
    for (int64_t e = 0; e < rheo_count(s); e++) out[0][e] = 0;
    for (int64_t e = 0; e < rheo_count(s); e++) {
        const int64_t at = place(s, e, (int64_t)in[1][e]);
        if (at >= 0) out[0][at] += in[0][e];
    }
}

static void pick_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape s = n->out[0].shape;
    for (int64_t e = 0; e < rheo_count(s); e++) {
        const int64_t at = place(s, e, (int64_t)in[1][e]);
        out[0][e] = at < 0 ? 0 : in[0][at];
    }
}

static rheo_cost max_cost(const rheo_node *n)
{
    const double count = (double)rheo_count(n->out[0].shape);
    return (rheo_cost){ 8 * count, 12 * count };
}

#define SAMPLE(n, h, w, c)                                                                                                                 \
    {                                                                                                                                      \
        .n_in = 1, .in = { RHEO_SPEC_F32(n, h, w, c) }                                                                                     \
    }
static const rheo_op_sample max_samples[] = { SAMPLE(1, 1, 1, 1), SAMPLE(3, 3, 5, 3), SAMPLE(2, 4, 2, 33), SAMPLE(2, 7, 9, 16),
                                              SAMPLE(1, 6, 1, 64) };
#define CODED(n, h, w, c)                                                                                                                  \
    {                                                                                                                                      \
        .n_in = 2, .in = { RHEO_SPEC_F32(n, h, w, c), RHEO_SPEC_U32(n, h, w, c) }, .fill = { { 0 }, { .below = 25 } }                      \
    }
static const rheo_op_sample moved_samples[] = { CODED(1, 1, 1, 1), CODED(3, 3, 5, 3), CODED(2, 4, 2, 33), CODED(2, 7, 9, 16),
                                                CODED(1, 6, 1, 64) };

/* Tolerance 0: comparisons. */
const rheo_op rheo_op_max_pool5 = {
    .name = "max_pool5",
    .infer = max_infer,
    .gradient = max_gradient,
    .launch = max_launch,
    .cost = max_cost,
    .reference = max_reference,
    RHEO_SAMPLES(max_samples),
};
/* 8: as many windows as find the same element in the samples, half an ulp of the running sum each, below twice the largest. */
const rheo_op rheo_op_max_pool5_scatter = {
    .name = "max_pool5_scatter",
    .infer = moved_infer,
    .gradient = scatter_gradient,
    .launch = moved_launch,
    .cost = max_cost,
    .reference = scatter_reference,
    RHEO_SAMPLES(moved_samples),
    .tolerance = 8,
};
/* Tolerance 0: copies. */
const rheo_op rheo_op_max_pool5_pick = {
    .name = "max_pool5_pick",
    .infer = moved_infer,
    .gradient = pick_gradient,
    .launch = moved_launch,
    .cost = max_cost,
    .reference = pick_reference,
    RHEO_SAMPLES(moved_samples),
};

rheo_value rheo_max_pool5(rheo_graph *g, rheo_value x)
{
    return rheo_apply(g, &rheo_op_max_pool5, 1, &x, NULL, 0);
}
