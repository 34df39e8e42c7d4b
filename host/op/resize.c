/* Bilinear resizing with aligned corners (score 3.1): output p reads input p (in - 1) / (out - 1), or 0 where out = 1. Its transpose
 * gathers, for each input, the outputs that read it, in their order. */
#include "op/pool.h"

#include <math.h>

typedef struct resize_attr {
    int64_t h, w;
} resize_attr; /* of the output */

extern const rheo_op rheo_op_resize, rheo_op_resize_transpose;

static bool resize_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape x = n->in_spec[0].shape;
    const resize_attr a = *(const resize_attr *)n->attr;
    if (a.h < 1 || a.w < 1) {
        rheo_graph_fail(g, "%s: " RHEO_SHAPE_TEXT " to %lld x %lld", n->op->name, RHEO_SHAPE_LIST(x), (long long)a.h, (long long)a.w);
        return false;
    }
    return rheo_check_type(g, n, 0, RHEO_F32) && rheo_infer_shape(n, RHEO_SHAPE(x.n, a.h, a.w, x.c));
}

static rheo_value apply(rheo_graph *g, const rheo_op *op, rheo_value x, int64_t h, int64_t w)
{
    const resize_attr a = { h, w };
    return rheo_apply(g, op, 1, &x, &a, sizeof a);
}

/* One is the other's gradient. */
static void resize_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const rheo_op *other = n->op == &rheo_op_resize ? &rheo_op_resize_transpose : &rheo_op_resize;
    dx[0] = apply(g, other, dy[0], n->in_spec[0].shape.h, n->in_spec[0].shape.w);
}

/* The kernel has the op's name; "to" is the size on the side of y. */
static rheo_status resize_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_shape out = n->out[0].shape;
    const bool forward = n->op == &rheo_op_resize;
    const rheo_shape x = forward ? n->in_spec[0].shape : out, y = forward ? out : n->in_spec[0].shape;
    return RHEO_EMIT(l, err, "score", n->op->name, rheo_pool_grid(l, out), RHEO_BUF(rheo_in(l, 0)), RHEO_BUF(rheo_out(l, 0)), RHEO_INT(x.n),
                     RHEO_INT(x.h), RHEO_INT(x.w), RHEO_INT(y.h), RHEO_INT(y.w), RHEO_INT(x.c));
}

/* How much of input h is in output p. */
static double weight(int64_t p, int64_t h, int64_t in, int64_t out)
{
    const double at = out > 1 ? (double)(p * (in - 1)) / (double)(out - 1) : 0;
    return fmax(0, 1 - fabs(at - (double)h));
}

static void resize_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const bool forward = n->op == &rheo_op_resize;
    const rheo_shape x = forward ? n->in_spec[0].shape : n->out[0].shape, y = forward ? n->out[0].shape : n->in_spec[0].shape;
    for (int64_t e = 0; e < rheo_count(n->out[0].shape); e++) out[0][e] = 0;
    for (int64_t e = 0; e < rheo_count(y); e++) {
        const int64_t c = e % y.c, q = e / y.c % y.w, p = e / (y.c * y.w) % y.h, k = e / (y.c * y.w * y.h);
        for (int64_t h = 0; h < x.h; h++)
            for (int64_t w = 0; w < x.w; w++) {
                const double part = weight(p, h, x.h, y.h) * weight(q, w, x.w, y.w);
                const int64_t at = rheo_index(x, k, h, w, c);
                if (part > 0) out[0][forward ? e : at] += part * in[0][forward ? at : e];
            }
    }
}

static rheo_cost resize_cost(const rheo_node *n)
{
    const double in = (double)rheo_count(n->in_spec[0].shape), out = (double)rheo_count(n->out[0].shape);
    return (rheo_cost){ 9 * (n->op == &rheo_op_resize ? out : in), 4 * (in + out) };
}

static const resize_attr to[] = { { 4, 4 }, { 7, 10 }, { 1, 1 }, { 5, 3 }, { 14, 8 }, { 3, 1 } };
#define SAMPLE(n, h, w, c, k)                                                                                                              \
    {                                                                                                                                      \
        .n_in = 1, .in = { RHEO_SPEC_F32(n, h, w, c) }, .attr = &to[k], .attr_bytes = sizeof *to                                           \
    }
static const rheo_op_sample resize_samples[] = {
    SAMPLE(1, 2, 2, 1, 0),  SAMPLE(3, 4, 5, 3, 1),  SAMPLE(2, 3, 2, 5, 2),
    SAMPLE(2, 1, 4, 33, 3), SAMPLE(2, 7, 4, 16, 4), SAMPLE(1, 5, 1, 17, 5),
};

/* Three interpolations a + f (b - a): weights rounded once, difference, product and sum, 2 ulps each of twice the largest input;
 * the largest output is above half of that. */
const rheo_op rheo_op_resize = {
    .name = "resize",
    .infer = resize_infer,
    .gradient = resize_gradient,
    .launch = resize_launch,
    .cost = resize_cost,
    .reference = resize_reference,
    RHEO_SAMPLES(resize_samples),
    .tolerance = 24,
};
/* Up to 25 readers in the samples: as many half ulps and three roundings a term, of sums of magnitudes below twice the largest. */
const rheo_op rheo_op_resize_transpose = {
    .name = "resize_transpose",
    .infer = resize_infer,
    .gradient = resize_gradient,
    .launch = resize_launch,
    .cost = resize_cost,
    .reference = resize_reference,
    RHEO_SAMPLES(resize_samples),
    .tolerance = 30,
};

rheo_value rheo_resize(rheo_graph *g, rheo_value x, int64_t h, int64_t w)
{
    const rheo_shape s = rheo_shape_of(g, x);
    return s.h == h && s.w == w ? x : apply(g, &rheo_op_resize, x, h, w);
}
