/* Adam's family and exponential averages over flat arrays, in place, one launch each (score 8; Kingma and Ba 2015). A closed
 * gate leaves every bit as it was. */
#include "op/common.h"
#include "op/ops.h"

#include <math.h>
#include <string.h>

/* Inputs [0, flat) have one shape, [flat, n_in) are single numbers. */
static bool check_inputs(rheo_graph *g, const rheo_node *n, int flat)
{
    for (int i = 0; i < n->n_in; i++) {
        const rheo_shape s = n->in_spec[i].shape, expected = i < flat ? n->in_spec[0].shape : rheo_vector(1);
        if (!rheo_check_type(g, n, i, RHEO_F32)) return false;
        if (rheo_same_shape(s, expected)) continue;
        rheo_graph_fail(g, "%s: input %d is " RHEO_SHAPE_TEXT ", expected " RHEO_SHAPE_TEXT, n->op->name, i, RHEO_SHAPE_LIST(s),
                        RHEO_SHAPE_LIST(expected));
        return false;
    }
    return true;
}

/* ---- adam ------------------------------------------------------------------------------------------------------------ */

enum { THETA, M, V, GRAD, LR, SCALE, GATE, T, ADAM_INPUTS };

static bool adam_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_adam_attr *a = n->attr;
    if (!check_inputs(g, n, LR)) return false;
    if (a->kind < RHEO_ADAM || a->kind > RHEO_ADAMAX_GLOW || !(a->beta1 >= 0 && a->beta1 < 1 && a->beta2 >= 0 && a->beta2 < 1)) {
        rheo_graph_fail(g, "adam: kind %d of 0 to 3, betas %g and %g of [0, 1)", a->kind, a->beta1, a->beta2);
        return false;
    }
    n->n_out = 3;
    for (int k = 0; k < 3; k++) n->out[k] = n->in_spec[k];
    return true;
}

static rheo_status adam_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_adam_attr *a = n->attr;
    const int64_t count = rheo_count(n->out[0].shape);
    return RHEO_EMIT(l, err, "pointwise", "adam", rheo_grid_items(l, rheo_vectors(l, count)), RHEO_BUF(rheo_in(l, THETA)),
                     RHEO_BUF(rheo_in(l, M)), RHEO_BUF(rheo_in(l, V)), RHEO_BUF(rheo_in(l, GRAD)), RHEO_BUF(rheo_in(l, LR)),
                     RHEO_BUF(rheo_in(l, SCALE)), RHEO_BUF(rheo_in(l, GATE)), RHEO_BUF(rheo_in(l, T)), RHEO_BUF(rheo_out(l, 0)), RHEO_BUF(rheo_out(l, 1)),
                     RHEO_BUF(rheo_out(l, 2)), RHEO_INT(count), RHEO_INT(a->kind), RHEO_FLOAT(a->beta1), RHEO_FLOAT(a->beta2),
                     RHEO_FLOAT(1 - a->beta1), RHEO_FLOAT(1 - a->beta2), RHEO_FLOAT(fmax(log(a->beta1), -100)),
                     RHEO_FLOAT(fmax(log(a->beta2), -100)), RHEO_FLOAT(a->epsilon), RHEO_FLOAT(a->weight_decay));
}

static rheo_cost adam_cost(const rheo_node *n)
{
    const double count = (double)rheo_count(n->out[0].shape);
    return (rheo_cost){ 14 * count, 4 * 7 * count };
}

static void adam_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_adam_attr *a = n->attr;
    const double lr = in[LR][0], t = in[T][0], correct1 = 1 - pow(a->beta1, t), correct2 = 1 - pow(a->beta2, t);
    for (int64_t i = 0; i < rheo_count(n->out[0].shape); i++) {
        double theta = in[THETA][i], m = in[M][i], v = in[V][i];
        if (in[GATE][0] != 0) {
            double g = in[SCALE][0] * in[GRAD][i];
            if (a->kind == RHEO_ADAMW) theta *= 1 - lr * a->weight_decay;
            else g += a->weight_decay * theta;
            m = a->beta1 * m + (1 - a->beta1) * g;
            if (a->kind == RHEO_ADAMAX) {
                v = fmax(a->beta2 * v, fabs(g) + a->epsilon);
                theta -= lr / correct1 * m / v;
            } else if (a->kind == RHEO_ADAMAX_GLOW) {
                v = fmax(a->beta2 * v, fabs(g));
                theta -= lr * sqrt(correct2) / correct1 * m / (v + a->epsilon);
            } else {
                v = a->beta2 * v + (1 - a->beta2) * g * g;
                theta -= lr * (m / correct1) / (sqrt(v / correct2) + a->epsilon);
            }
        }
        out[0][i] = theta;
        out[1][i] = m;
        out[2][i] = v;
    }
}

static const rheo_adam_attr sample_adam = { RHEO_ADAM, 0.9, 0.999, 1e-8, 0.01 }, sample_adamax = { RHEO_ADAMAX, 0.9, 0.999, 1e-8, 0 },
                            sample_adamw = { RHEO_ADAMW, 0.9, 0.98, 1e-8, 0.1 }, sample_glow = { RHEO_ADAMAX_GLOW, 0.9, 0.98, 1e-8, 0 };
/* theta, m, grad normal, v near 1; lr 0.01, scale 0.5, t 3. */
#define FLAT(c) RHEO_SPEC_F32(1, 1, 1, c)
#define NUMBER(x) { .scale = 1e-30, .shift = (x) }
#define ADAM_SAMPLE(c, gate, a)                                                                                            \
    { .n_in = ADAM_INPUTS, .in = { FLAT(c), FLAT(c), FLAT(c), FLAT(c), FLAT(1), FLAT(1), FLAT(1), FLAT(1) },               \
      .fill = { { 0 }, { 0 }, { .scale = 0.1, .shift = 1 }, { 0 }, NUMBER(0.01), NUMBER(0.5), NUMBER(gate), NUMBER(3) }, \
      .attr = &a, .attr_bytes = sizeof a }
static const rheo_op_sample adam_samples[] = {
    ADAM_SAMPLE(1, 1, sample_adam), ADAM_SAMPLE(65, 1, sample_adam), ADAM_SAMPLE(33, 1, sample_adamax), ADAM_SAMPLE(3001, 1, sample_adamw),
    ADAM_SAMPLE(31, 1, sample_glow),
};

/* 4: the step is small against theta, so each output has the roundings of its last two operations. */
const rheo_op rheo_op_adam = {
    .name = "adam", .flags = RHEO_OP_INPLACE | RHEO_OP_NO_GRADIENT, .infer = adam_infer, .launch = adam_launch, .cost = adam_cost,
    .reference = adam_reference, RHEO_SAMPLES(adam_samples), .tolerance = 4,
};

rheo_value rheo_adam(rheo_graph *g, rheo_value theta, rheo_value m, rheo_value v, rheo_value grad, rheo_value lr, rheo_value scale,
                     rheo_value gate, rheo_value t, const rheo_adam_attr *attr)
{
    rheo_adam_attr a;
    memset(&a, 0, sizeof a);
    a.kind = attr->kind, a.beta1 = attr->beta1, a.beta2 = attr->beta2, a.epsilon = attr->epsilon, a.weight_decay = attr->weight_decay;
    return rheo_apply(g, &rheo_op_adam, ADAM_INPUTS, (rheo_value[]){ theta, m, v, grad, lr, scale, gate, t }, &a, sizeof a);
}

/* ---- ema ------------------------------------------------------------------------------------------------------------- */

enum { AVERAGE, LATEST, DECAY, EMA_GATE, EMA_INPUTS };

static bool ema_infer(rheo_graph *g, rheo_node *n)
{
    n->n_out = 1;
    n->out[0] = n->in_spec[0];
    return check_inputs(g, n, DECAY);
}

static rheo_status ema_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const int64_t count = rheo_count(n->out[0].shape);
    return RHEO_EMIT(l, err, "pointwise", "ema", rheo_grid_items(l, rheo_vectors(l, count)), RHEO_BUF(rheo_in(l, AVERAGE)),
                     RHEO_BUF(rheo_in(l, LATEST)), RHEO_BUF(rheo_in(l, DECAY)), RHEO_BUF(rheo_in(l, EMA_GATE)), RHEO_BUF(rheo_out(l, 0)),
                     RHEO_INT(count));
}

static rheo_cost ema_cost(const rheo_node *n)
{
    const double count = (double)rheo_count(n->out[0].shape);
    return (rheo_cost){ 3 * count, 4 * 3 * count };
}

static void ema_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const double decay = in[DECAY][0];
    for (int64_t i = 0; i < rheo_count(n->out[0].shape); i++)
        out[0][i] = in[EMA_GATE][0] != 0 ? decay * in[AVERAGE][i] + (1 - decay) * in[LATEST][i] : in[AVERAGE][i];
}

#define EMA_SAMPLE(c, gate)                                              \
    { .n_in = EMA_INPUTS, .in = { FLAT(c), FLAT(c), FLAT(1), FLAT(1) },  \
      .fill = { { 0 }, { 0 }, NUMBER(0.999), NUMBER(gate) } }
static const rheo_op_sample ema_samples[] = { EMA_SAMPLE(1, 1), EMA_SAMPLE(65, 1), EMA_SAMPLE(3001, 1) };

/* 2: two products and a sum. */
const rheo_op rheo_op_ema = {
    .name = "ema", .flags = RHEO_OP_INPLACE | RHEO_OP_NO_GRADIENT, .infer = ema_infer, .launch = ema_launch, .cost = ema_cost,
    .reference = ema_reference, RHEO_SAMPLES(ema_samples), .tolerance = 2,
};

rheo_value rheo_ema(rheo_graph *g, rheo_value ema, rheo_value theta, rheo_value decay, rheo_value gate)
{
    return rheo_apply(g, &rheo_op_ema, EMA_INPUTS, (rheo_value[]){ ema, theta, decay, gate }, NULL, 0);
}
