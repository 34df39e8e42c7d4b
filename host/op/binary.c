/* y = f(a, b) element by element, each of a and b broadcast to the other: a dimension is equal or 1. */
#include "op/fold.h"
#include "op/ops.h"
#include "op/pointwise.h"

static double add_of(double a, double b) { return a + b; }
static double sub_of(double a, double b) { return a - b; }
static double mul_of(double a, double b) { return a * b; }
static double div_of(double a, double b) { return a / b; }
static double minimum_of(double a, double b) { return a < b ? a : b; }
static double maximum_of(double a, double b) { return a > b ? a : b; }
static double relu_backward_of(double dy, double y) { return y > 0 ? dy : 0; }
static double elu_backward_of(double dy, double y) { return y > 0 ? dy : dy * (y + 1); }

/* ---- gradients: with respect to a and b as broadcast, summed back to their shapes in `binary_gradient` --------------- */

typedef struct operands { rheo_value a, b, y, dy, da, db; } operands;

static void add_gradient(rheo_graph *g, operands *o) { (void)g, o->da = o->db = o->dy; }
static void sub_gradient(rheo_graph *g, operands *o) { o->da = o->dy, o->db = rheo_neg(g, o->dy); }

static void mul_gradient(rheo_graph *g, operands *o)
{
    o->da = rheo_mul(g, o->dy, o->b);
    o->db = rheo_mul(g, o->dy, o->a);
}

static void div_gradient(rheo_graph *g, operands *o)
{
    o->da = rheo_div(g, o->dy, o->b);
    o->db = rheo_neg(g, rheo_mul(g, o->da, o->y));
}

/* Where both are equal the gradient is b's. */
static void choose_gradient(rheo_graph *g, operands *o, rheo_value a_is_chosen)
{
    o->da = rheo_mul(g, o->dy, a_is_chosen);
    o->db = rheo_sub(g, o->dy, o->da);
}
static void minimum_gradient(rheo_graph *g, operands *o) { choose_gradient(g, o, rheo_step(g, rheo_sub(g, o->b, o->a))); }
static void maximum_gradient(rheo_graph *g, operands *o) { choose_gradient(g, o, rheo_step(g, rheo_sub(g, o->a, o->b))); }

/* a is dy of the forward function, b its y. */
static void relu_backward_gradient(rheo_graph *g, operands *o) { o->da = rheo_relu_backward(g, o->dy, o->b); }
static void elu_backward_gradient(rheo_graph *g, operands *o)
{
    o->da = rheo_elu_backward(g, o->dy, o->b);
    o->db = rheo_relu_backward(g, rheo_mul(g, o->dy, o->a), rheo_neg(g, o->b));
}

/* name, code, samples, tolerance: half an ulp an operation, 2.5 for division, rounded up; 0 where f is exact. */
#define FUNCTIONS(X)                        \
    X(add, ADD, any, 1)                     \
    X(sub, SUB, any, 1)                     \
    X(mul, MUL, any, 1)                     \
    X(div, DIV, positive, 3)                \
    X(minimum, MINIMUM, any, 0)             \
    X(maximum, MAXIMUM, any, 0)             \
    X(relu_backward, RELU_BACKWARD, any, 0) \
    X(elu_backward, ELU_BACKWARD, any, 1)

#define SAMPLE(s, m, an, ah, aw, ac, bn, bh, bw, bc)                                     \
    { .n_in = 2, .in = { RHEO_SPEC_F32(an, ah, aw, ac), RHEO_SPEC_F32(bn, bh, bw, bc) }, \
      .fill = { { 0 }, { .scale = s, .shift = m } } }
#define SAMPLES(s, m)                                                                                             \
    SAMPLE(s, m, 3, 5, 7, 5, 3, 5, 7, 5), SAMPLE(s, m, 1, 1, 1, 64, 1, 1, 1, 64), SAMPLE(s, m, 2, 3, 5, 33, 1, 1, 1, 33), \
    SAMPLE(s, m, 1, 1, 1, 31, 3, 2, 1, 31), SAMPLE(s, m, 3, 5, 3, 4, 3, 1, 1, 1), SAMPLE(s, m, 2, 4, 4, 3, 1, 1, 1, 1),   \
    SAMPLE(s, m, 2, 3, 4, 65, 2, 3, 4, 1), SAMPLE(s, m, 2, 1, 3, 1, 1, 5, 1, 4), SAMPLE(s, m, 2, 3, 1, 17, 2, 1, 5, 1),

static const rheo_op_sample samples_any[] = { SAMPLES(1, 0.1) };
static const rheo_op_sample samples_positive[] = { SAMPLES(0.3, 2) };

static bool binary_infer(rheo_graph *g, rheo_node *n);
static void binary_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx);
static rheo_status binary_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err);
static void binary_reference(const rheo_node *n, const double *const *in, double *const *out);

#define DEFINE(NAME, CODE, SET, TOLERANCE)                                                                        \
    const rheo_op rheo_op_##NAME = {                                                                              \
        .name = #NAME, .flags = RHEO_OP_INPLACE, .infer = binary_infer, .gradient = binary_gradient,              \
        .launch = binary_launch, .reference = binary_reference, RHEO_SAMPLES(samples_##SET), .tolerance = TOLERANCE, \
    };
FUNCTIONS(DEFINE)

static const struct function {
    const rheo_op *op;
    rheo_binary_function code;
    double (*of)(double, double);
    void (*gradient)(rheo_graph *, operands *);
} functions[] = {
#define ROW(NAME, CODE, SET, TOLERANCE) { &rheo_op_##NAME, RHEO_BINARY_##CODE, NAME##_of, NAME##_gradient },
    FUNCTIONS(ROW)
};

static const struct function *function_of(const rheo_op *op)
{
    const struct function *f = functions;
    while (f->op != op) f++;
    return f;
}

static bool binary_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape a = n->in_spec[0].shape, b = n->in_spec[1].shape;
    if (!rheo_check_type(g, n, 0, RHEO_F32) || !rheo_check_type(g, n, 1, RHEO_F32)) return false;
    n->n_out = 1;
    n->out[0].type = RHEO_F32;
    if (rheo_broadcast_shapes(a, b, &n->out[0].shape)) return true;
    rheo_graph_fail(g, "%s: " RHEO_SHAPE_TEXT " and " RHEO_SHAPE_TEXT " do not broadcast", n->op->name, RHEO_SHAPE_LIST(a),
                    RHEO_SHAPE_LIST(b));
    return false;
}

static void binary_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    operands o = { n->in[0], n->in[1], rheo_result(n, 0), dy[0], RHEO_NONE, RHEO_NONE };
    function_of(n->op)->gradient(g, &o);
    if (!rheo_is_none(o.da)) dx[0] = rheo_sum_to(g, o.da, n->in_spec[0].shape);
    if (!rheo_is_none(o.db)) dx[1] = rheo_sum_to(g, o.db, n->in_spec[1].shape);
}

/* ---- launch -------------------------------------------------------------------------------------------------- */

/* Dimensions of 1 go, and neighbours in which both operands step on alike become one, the last innermost. What is left
 * is one dimension for equal shapes and numbers, two for a vector over C or a value a sample. */
static int collapse(rheo_shape a, rheo_shape b, rheo_shape y, int64_t size[4], bool whole_a[4], bool whole_b[4])
{
    const int64_t da[4] = { a.n, a.h, a.w, a.c }, db[4] = { b.n, b.h, b.w, b.c }, dy[4] = { y.n, y.h, y.w, y.c };
    int rank = 0;
    for (int d = 0; d < 4; d++) {
        if (dy[d] == 1) continue;
        const bool in_a = da[d] != 1, in_b = db[d] != 1;
        if (rank > 0 && whole_a[rank - 1] == in_a && whole_b[rank - 1] == in_b) {
            size[rank - 1] *= dy[d];
            continue;
        }
        size[rank] = dy[d], whole_a[rank] = in_a, whole_b[rank] = in_b;
        rank++;
    }
    return rank;
}

static void strides_of(int rank, const int64_t size[4], const bool whole[4], int64_t stride[4])
{
    int64_t step = 1;
    for (int k = 0; k < 4; k++) stride[k] = 0;
    for (int k = 0; k < rank; k++) {        /* k counts from the innermost */
        const int d = rank - 1 - k;
        if (!whole[d]) continue;
        stride[k] = step;
        step *= size[d];
    }
}

rheo_status rheo_emit_binary(rheo_launcher *l, rheo_binary_function f, cl_mem a, rheo_shape a_shape, cl_mem b, rheo_shape b_shape,
                             cl_mem y, rheo_shape shape, rheo_error *err)
{
    int64_t size[4], sa[4], sb[4];
    bool whole_a[4], whole_b[4];
    const int rank = collapse(a_shape, b_shape, shape, size, whole_a, whole_b);
    strides_of(rank, size, whole_a, sa);
    strides_of(rank, size, whole_b, sb);
    const int64_t inner = rank > 0 ? size[rank - 1] : 1, rows = rheo_count(shape) / inner;
    const int64_t d1 = rank > 1 ? size[rank - 2] : 1, d2 = rank > 2 ? size[rank - 3] : 1;
    return RHEO_EMIT(l, err, "pointwise", "binary", rheo_grid_items(l, rows * rheo_vectors(l, inner)), RHEO_BUF(a), RHEO_BUF(b),
                     RHEO_BUF(y), RHEO_INT(f), RHEO_INT(rows), RHEO_INT(inner), RHEO_INT(d1), RHEO_INT(d2), RHEO_INT(sa[0]),
                     RHEO_INT(sa[1]), RHEO_INT(sa[2]), RHEO_INT(sa[3]), RHEO_INT(sb[0]), RHEO_INT(sb[1]), RHEO_INT(sb[2]),
                     RHEO_INT(sb[3]));
}

static rheo_status binary_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    return rheo_emit_binary(l, function_of(n->op)->code, rheo_in(l, 0), n->in_spec[0].shape, rheo_in(l, 1), n->in_spec[1].shape,
                            rheo_out(l, 0), n->out[0].shape, err);
}

static void binary_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape s = n->out[0].shape;
    double (*const of)(double, double) = function_of(n->op)->of;
    double *y = out[0];
    for (int64_t i = 0; i < s.n; i++)
        for (int64_t h = 0; h < s.h; h++)
            for (int64_t w = 0; w < s.w; w++)
                for (int64_t c = 0; c < s.c; c++)
                    *y++ = of(in[0][rheo_at(n->in_spec[0].shape, i, h, w, c)], in[1][rheo_at(n->in_spec[1].shape, i, h, w, c)]);
}

/* ---- constructors ----------------------------------------------------------------------------------------------- */

/* a where reading what it was broadcast from gives the same result beside an operand of shape b. */
static rheo_value narrow(const rheo_graph *g, rheo_value a, rheo_shape b)
{
    const rheo_value source = rheo_unbroadcast(g, a);
    rheo_shape with_a, with_source;
    return rheo_broadcast_shapes(rheo_shape_of(g, a), b, &with_a) && rheo_broadcast_shapes(rheo_shape_of(g, source), b, &with_source) &&
                   rheo_same_shape(with_a, with_source)
               ? source : a;
}

static rheo_value apply(rheo_graph *g, const rheo_op *op, rheo_value a, rheo_value b)
{
    if (rheo_is_none(a) || rheo_is_none(b)) return RHEO_NONE;
    a = narrow(g, a, rheo_shape_of(g, b));
    b = narrow(g, b, rheo_shape_of(g, a));
    if (op == &rheo_op_add) {
        const rheo_value joined = rheo_join_pads(g, a, b);
        if (!rheo_is_none(joined)) return joined;
    }
    float k;
    if (rheo_literal_number(g, b, &k)) {
        if (op == &rheo_op_add) return rheo_affine(g, a, 1, (double)k);
        if (op == &rheo_op_sub) return rheo_affine(g, a, 1, -(double)k);
        if (op == &rheo_op_mul) return rheo_affine(g, a, (double)k, 0);
    } else if (rheo_literal_number(g, a, &k)) {
        if (op == &rheo_op_add) return rheo_affine(g, b, 1, (double)k);
        if (op == &rheo_op_sub) return rheo_affine(g, b, -1, (double)k);
        if (op == &rheo_op_mul) return rheo_affine(g, b, (double)k, 0);
    }
    return rheo_apply(g, op, 2, (const rheo_value[]){ a, b }, NULL, 0);
}

#define CONSTRUCT(NAME, CODE, SET, TOLERANCE) \
    rheo_value rheo_##NAME(rheo_graph *g, rheo_value a, rheo_value b) { return apply(g, &rheo_op_##NAME, a, b); }
FUNCTIONS(CONSTRUCT)
