/* y = f(x) element by element. A row of FUNCTIONS is an op: f in double, and dx from dy, x and y. Where the gradient
 * can be had from y it is, so that x need not be kept. */
#include "op/ops.h"
#include "op/pointwise.h"

#include <math.h>

static double softplus(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }

/*  name, y = f(x), dx or RHEO_NONE, samples, tolerance: the ulps OpenCL allows the built-ins that the kernel uses
 *  (exp, log, sqrt 3, division 2.5) plus half an ulp for each operation of its own, rounded up; 0 where f is exact. */
#define FUNCTIONS(X)                                                                                                  \
    X(neg,         NEG,         -x,                           rheo_neg(g, dy),                                  any, 0)      \
    X(exp,         EXP,         exp(x),                       rheo_mul(g, dy, y),                               any, 3)      \
    X(log,         LOG,         log(x),                       rheo_div(g, dy, x),                               positive, 3) \
    X(sqrt,        SQRT,        sqrt(x),                      rheo_div(g, rheo_affine(g, dy, 0.5, 0), y),       positive, 3) \
    X(reciprocal,  RECIPROCAL,  1 / x,                        rheo_neg(g, rheo_mul(g, dy, rheo_square(g, y))),  positive, 3) \
    X(square,      SQUARE,      x * x,                        rheo_mul(g, dy, rheo_affine(g, x, 2, 0)),         any, 1)      \
    X(abs,         ABS,         fabs(x),                      rheo_mul(g, dy, rheo_sign(g, x)),                 any, 0)      \
    X(sign,        SIGN,        (x > 0) - (x < 0),            RHEO_NONE,                                        any, 0)      \
    X(step,        STEP,        x > 0,                        RHEO_NONE,                                        any, 0)      \
    X(relu,        RELU,        x < 0 ? 0 : x,                rheo_relu_backward(g, dy, y),                     any, 0)      \
    X(elu,         ELU,         x > 0 ? x : expm1(x),         rheo_elu_backward(g, dy, y),                      any, 5)      \
    X(tanh,        TANH,        tanh(x),   rheo_mul(g, dy, rheo_affine(g, rheo_square(g, y), -1, 1)),           any, 8)      \
    X(sigmoid,     SIGMOID,     1 / (1 + exp(-x)),  rheo_mul(g, dy, rheo_mul(g, y, rheo_affine(g, y, -1, 1))),  any, 7)      \
    X(softplus,    SOFTPLUS,    softplus(x),                  rheo_mul(g, dy, rheo_sigmoid(g, x)),              any, 10)     \
    X(log_sigmoid, LOG_SIGMOID, -softplus(-x),  rheo_mul(g, dy, rheo_sigmoid(g, rheo_neg(g, x))),               any, 10)     \
    X(isfinite,    ISFINITE,    isfinite(x) ? 1 : 0,          RHEO_NONE,                                        any, 0)      \
    X(floor,       FLOOR,       floor(x),                     RHEO_NONE,                                        any, 0)

#define SAMPLE(s, m, n, h, w, c) { .n_in = 1, .in = { RHEO_SPEC_F32(n, h, w, c) }, .fill = { { .scale = s, .shift = m } } }
#define SAMPLES(s, m)                                                                                   \
    SAMPLE(s, m, 1, 1, 1, 1), SAMPLE(s, m, 1, 1, 1, 31), SAMPLE(s, m, 1, 1, 32, 1), SAMPLE(s, m, 3, 1, 1, 11), \
    SAMPLE(s, m, 2, 5, 13, 5), SAMPLE(s, m, 1, 64, 65, 3)
static const rheo_op_sample samples_any[] = { SAMPLES(3, 0) };
static const rheo_op_sample samples_positive[] = { SAMPLES(0.3, 2) };

static rheo_status unary_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err);
static void unary_reference(const rheo_node *n, const double *const *in, double *const *out);

#define DEFINE(NAME, CODE, F, DX, SET, TOLERANCE)                                                                  \
    static double NAME##_of(double x) { return F; }                                                                \
    static void NAME##_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dys, rheo_value *dxs)         \
    {                                                                                                              \
        const rheo_value x = n->in[0], y = rheo_result(n, 0), dy = dys[0];                                         \
        (void)g, (void)x, (void)y, (void)dy;                                                                       \
        dxs[0] = DX;                                                                                               \
    }                                                                                                              \
    const rheo_op rheo_op_##NAME = {                                                                               \
        .name = #NAME, .flags = RHEO_OP_INPLACE, .infer = rheo_infer_same, .gradient = NAME##_gradient,            \
        .launch = unary_launch, .reference = unary_reference, RHEO_SAMPLES(samples_##SET), .tolerance = TOLERANCE, \
    };                                                                                                             \
    rheo_value rheo_##NAME(rheo_graph *g, rheo_value x) { return rheo_apply(g, &rheo_op_##NAME, 1, &x, NULL, 0); }
FUNCTIONS(DEFINE)

static const struct function {
    const rheo_op *op;
    rheo_unary_function code;
    double (*of)(double);
} functions[] = {
#define ROW(NAME, CODE, F, DX, SET, TOLERANCE) { &rheo_op_##NAME, RHEO_UNARY_##CODE, NAME##_of },
    FUNCTIONS(ROW)
};

static const struct function *function_of(const rheo_op *op)
{
    const struct function *f = functions;
    while (f->op != op) f++;
    return f;
}

rheo_status rheo_emit_unary(rheo_launcher *l, rheo_unary_function f, cl_mem x, cl_mem y, int64_t count, float p, float q,
                            rheo_error *err)
{
    return RHEO_EMIT(l, err, "pointwise", "unary", rheo_grid_items(l, rheo_vectors(l, count)), RHEO_BUF(x), RHEO_BUF(y),
                     RHEO_INT(count), RHEO_INT(f), RHEO_FLOAT(p), RHEO_FLOAT(q));
}

static rheo_status unary_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    return rheo_emit_unary(l, function_of(n->op)->code, rheo_in(l, 0), rheo_out(l, 0), rheo_count(n->out[0].shape), 1, 0, err);
}

static void unary_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    double (*const of)(double) = function_of(n->op)->of;
    for (int64_t i = 0; i < rheo_count(n->out[0].shape); i++) out[0][i] = of(in[0][i]);
}
