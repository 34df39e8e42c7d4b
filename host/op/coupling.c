/* Coupling (flows 1.3): the first C - C2 channels of x pass, the last C2 become y2 = (x2 + t) s, s = sigmoid(r + 2), with
 * logdet = logdet before + sum ln s per sample (affine; h holds t and r interleaved), or y2 = x2 + h (additive). One launch each for
 * forward, backward (from the output, so that a rebuilt layer need not run forward again) and inverse. */
#include "op/common.h"
#include "op/ops.h"

#include <math.h>
#include <string.h>

extern const rheo_op rheo_op_coupling, rheo_op_coupling_backward, rheo_op_coupling_inverse;

static bool is_affine(const rheo_node *n) { return *(const int32_t *)n->attr != 0; }
static int64_t transformed(const rheo_node *n) { return is_affine(n) ? n->in_spec[1].shape.c / 2 : n->in_spec[1].shape.c; }

static bool check(rheo_graph *g, const rheo_node *n)
{
    const rheo_shape x = n->in_spec[0].shape, h = n->in_spec[1].shape;
    const int64_t c2 = x.c - x.c / 2, wanted = is_affine(n) ? 2 * c2 : c2;
    if (x.n == h.n && x.h == h.h && x.w == h.w && h.c == wanted && x.c >= 2) return true;
    rheo_graph_fail(g, "%s: x is " RHEO_SHAPE_TEXT " and h " RHEO_SHAPE_TEXT ", expected h of %lld channels", n->op->name,
                    RHEO_SHAPE_LIST(x), RHEO_SHAPE_LIST(h), (long long)wanted);
    return false;
}

static bool coupling_infer(rheo_graph *g, rheo_node *n)
{
    if (!check(g, n)) return false;
    n->n_out = is_affine(n) ? 2 : 1;
    n->out[0] = n->in_spec[0];
    n->out[1] = (rheo_spec){ RHEO_SHAPE(n->in_spec[0].shape.n, 1, 1, 1), RHEO_F32 };
    return true;
}

static bool inverse_infer(rheo_graph *g, rheo_node *n)
{
    n->n_out = 1;
    n->out[0] = n->in_spec[0];
    return check(g, n);
}

static bool backward_infer(rheo_graph *g, rheo_node *n)
{
    n->n_out = 2;
    n->out[0] = n->in_spec[0];
    n->out[1] = n->in_spec[1];
    return check(g, n);
}

/* ---- in plain ops ------------------------------------------------------------------------------- */

typedef struct rheo_halves { rheo_value pass, change; } rheo_halves;

static rheo_halves halves_of(rheo_graph *g, rheo_value x, int64_t c2)
{
    const rheo_shape s = rheo_shape_of(g, x);
    return (rheo_halves){ rheo_slice(g, x, RHEO_SHAPE(0, 0, 0, 0), RHEO_SHAPE(s.n, s.h, s.w, s.c - c2)),
                          rheo_slice(g, x, RHEO_SHAPE(0, 0, 0, s.c - c2), RHEO_SHAPE(s.n, s.h, s.w, c2)) };
}

static rheo_value join(rheo_graph *g, rheo_value a, rheo_value b) { return rheo_concat(g, 3, 2, (const rheo_value[]){ a, b }); }

static rheo_value shifted(rheo_graph *g, rheo_value h) { return rheo_affine(g, rheo_every_second(g, h, 1), 1, 2); }

static void coupling_expand(rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    const rheo_halves x = halves_of(g, n->in[0], transformed(n));
    if (!is_affine(n)) {
        out[0] = join(g, x.pass, rheo_add(g, x.change, n->in[1]));
        return;
    }
    const rheo_value u = shifted(g, n->in[1]);
    out[0] = join(g, x.pass, rheo_mul(g, rheo_add(g, x.change, rheo_every_second(g, n->in[1], 0)), rheo_sigmoid(g, u)));
    out[1] = rheo_add(g, n->in[2], rheo_sum(g, rheo_log_sigmoid(g, u), RHEO_AXIS_H | RHEO_AXIS_W | RHEO_AXIS_C));
}

static void inverse_expand(rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    const rheo_halves y = halves_of(g, n->in[0], transformed(n));
    const rheo_value h = n->in[1];
    out[0] = join(g, y.pass, is_affine(n) ? rheo_sub(g, rheo_div(g, y.change, rheo_sigmoid(g, shifted(g, h))), rheo_every_second(g, h, 0))
                                          : rheo_sub(g, y.change, h));
}

/* dx2 = dt = dy2 s, dr = (dy2 y2 + q)(1 - s). */
static void backward_expand(rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    const rheo_halves y = halves_of(g, n->in[0], transformed(n)), dy = halves_of(g, n->in[2], transformed(n));
    const rheo_shape s = n->in_spec[1].shape;
    if (!is_affine(n)) {
        out[0] = n->in[2];
        out[1] = dy.change;
        return;
    }
    const rheo_value sigma = rheo_sigmoid(g, shifted(g, n->in[1]));
    const rheo_value dt = rheo_mul(g, dy.change, sigma);
    const rheo_value dr = rheo_mul(g, rheo_add(g, rheo_mul(g, dy.change, y.change), n->in[3]), rheo_affine(g, sigma, -1, 1));
    const rheo_shape single = { s.n, s.h * s.w, s.c / 2, 1 };
    out[0] = join(g, dy.pass, dt);
    out[1] = rheo_reshape(g, join(g, rheo_reshape(g, dt, single), rheo_reshape(g, dr, single)), s);
}

/* ---- gradient -------------------------------------------------------------------------------------- */

/* The output: of an undone layer run again it is what was undone. */
static rheo_value output_of(rheo_graph *g, const rheo_node *n)
{
    const rheo_node *x = rheo_node_of(g, n->in[0]);
    const bool undone = x->op == &rheo_op_coupling_inverse && x->in[1].node == n->in[1].node && x->in[1].out == n->in[1].out;
    return undone ? x->in[0] : rheo_result(n, 0);
}

static void coupling_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const rheo_shape x = n->in_spec[0].shape;
    const rheo_value d = rheo_is_none(dy[0]) ? rheo_constant(g, x, 0) : dy[0];
    const rheo_value q = !is_affine(n) || rheo_is_none(dy[1]) ? rheo_constant(g, RHEO_SHAPE(x.n, 1, 1, 1), 0) : dy[1];
    const rheo_value y = is_affine(n) ? output_of(g, n) : d;
    const rheo_value back = rheo_apply(g, &rheo_op_coupling_backward, 4, (const rheo_value[]){ y, n->in[1], d, q }, n->attr, n->attr_bytes);
    dx[0] = is_affine(n) ? back : d;
    dx[1] = rheo_output(back, 1);
    if (is_affine(n)) dx[2] = dy[1];
}

static void inverse_pass(rheo_graph *g, const rheo_node *n, rheo_value *known, rheo_value *as)
{
    *known = halves_of(g, n->in[0], transformed(n)).pass;
    *as = halves_of(g, rheo_result(n, 0), transformed(n)).pass;
}

/* ---- references -------------------------------------------------------------------------------------- */

typedef struct rheo_sizes { int64_t samples, positions, c, c2; } rheo_sizes;

static rheo_sizes sizes_of(const rheo_node *n)
{
    const rheo_shape x = n->in_spec[0].shape;
    return (rheo_sizes){ x.n, x.h * x.w, x.c, transformed(n) };
}

static void coupling_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_sizes s = sizes_of(n);
    for (int64_t i = 0; i < s.samples && is_affine(n); i++) out[1][i] = in[2][i];
    for (int64_t p = 0; p < s.samples * s.positions; p++) {
        for (int64_t c = 0; c < s.c; c++) out[0][p * s.c + c] = in[0][p * s.c + c];
        for (int64_t k = 0; k < s.c2; k++) {
            double *y = &out[0][p * s.c + s.c - s.c2 + k];
            if (!is_affine(n)) {
                *y += in[1][p * s.c2 + k];
                continue;
            }
            const double t = in[1][2 * (p * s.c2 + k)], r = in[1][2 * (p * s.c2 + k) + 1], sigma = 1 / (1 + exp(-(r + 2)));
            *y = (*y + t) * sigma;
            out[1][p / s.positions] += log(sigma);
        }
    }
}

double rheo_coupling_undone(double y, const double h[2]) { return y * (1 + exp(-(h[1] + 2))) - h[0]; }

static void inverse_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_sizes s = sizes_of(n);
    for (int64_t p = 0; p < s.samples * s.positions; p++) {
        for (int64_t c = 0; c < s.c; c++) out[0][p * s.c + c] = in[0][p * s.c + c];
        for (int64_t k = 0; k < s.c2; k++) {
            double *x = &out[0][p * s.c + s.c - s.c2 + k];
            if (!is_affine(n)) {
                *x -= in[1][p * s.c2 + k];
                continue;
            }
            *x = rheo_coupling_undone(*x, in[1] + 2 * (p * s.c2 + k));
        }
    }
}

static void backward_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_sizes s = sizes_of(n);
    for (int64_t p = 0; p < s.samples * s.positions; p++) {
        for (int64_t c = 0; c < s.c; c++) out[0][p * s.c + c] = in[2][p * s.c + c];
        for (int64_t k = 0; k < s.c2; k++) {
            const int64_t e = p * s.c + s.c - s.c2 + k;
            if (!is_affine(n)) {
                out[1][p * s.c2 + k] = in[2][e];
                continue;
            }
            const double r = in[1][2 * (p * s.c2 + k) + 1], sigma = 1 / (1 + exp(-(r + 2)));
            out[0][e] = out[1][2 * (p * s.c2 + k)] = in[2][e] * sigma;
            out[1][2 * (p * s.c2 + k) + 1] = (in[2][e] * in[0][e] + in[3][p / s.positions]) * (1 - sigma);
        }
    }
}

/* ---- launches -------------------------------------------------------------------------------------------- */

/* A group a sample: the log-determinant is summed inside. */
static rheo_grid grid_of(const rheo_launcher *l, int64_t samples)
{
    const size_t group = rheo_launcher_facts(l)->kind == RHEO_CPU ? 1 : 64;
    return (rheo_grid){ { (size_t)samples * group, 1, 1 }, { group, 1, 1 } };
}

static rheo_status coupling_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_sizes s = sizes_of(n);
    return RHEO_EMIT(l, err, "flow", "coupling", grid_of(l, s.samples), RHEO_BUF(rheo_in(l, 0)), RHEO_BUF(rheo_in(l, 1)),
                     RHEO_BUF(rheo_in(l, is_affine(n) ? 2 : 0)), RHEO_BUF(rheo_out(l, 0)), RHEO_BUF(rheo_out(l, is_affine(n) ? 1 : 0)),
                     RHEO_INT(s.positions), RHEO_INT(s.c), RHEO_INT(s.c2), RHEO_INT(is_affine(n)));
}

static rheo_status inverse_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_sizes s = sizes_of(n);
    return RHEO_EMIT(l, err, "flow", "coupling_inverse", grid_of(l, s.samples), RHEO_BUF(rheo_in(l, 0)), RHEO_BUF(rheo_in(l, 1)),
                     RHEO_BUF(rheo_out(l, 0)), RHEO_INT(s.positions), RHEO_INT(s.c), RHEO_INT(s.c2), RHEO_INT(is_affine(n)));
}

static rheo_status backward_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_sizes s = sizes_of(n);
    return RHEO_EMIT(l, err, "flow", "coupling_backward", grid_of(l, s.samples), RHEO_BUF(rheo_in(l, 0)), RHEO_BUF(rheo_in(l, 1)),
                     RHEO_BUF(rheo_in(l, 2)), RHEO_BUF(rheo_in(l, 3)), RHEO_BUF(rheo_out(l, 0)), RHEO_BUF(rheo_out(l, 1)),
                     RHEO_INT(s.positions), RHEO_INT(s.c), RHEO_INT(s.c2), RHEO_INT(is_affine(n)));
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

static const int32_t additive = 0, affine = 1;
#define SAMPLE(inputs, n, h, w, c, ch, kind)                                                                                    \
    { .n_in = inputs, .in = { RHEO_SPEC_F32(n, h, w, c), RHEO_SPEC_F32(n, h, w, ch), RHEO_SPEC_F32(n, 1, 1, 1) }, .attr = &kind, \
      .attr_bytes = sizeof kind }
#define SAMPLES(affine_inputs)                                                                                               \
    SAMPLE(affine_inputs, 1, 1, 1, 2, 2, affine), SAMPLE(affine_inputs, 3, 1, 1, 3, 4, affine),                              \
    SAMPLE(affine_inputs, 2, 5, 7, 4, 4, affine), SAMPLE(affine_inputs, 2, 3, 3, 12, 12, affine),                            \
    SAMPLE(affine_inputs, 2, 9, 9, 8, 8, affine), SAMPLE(affine_inputs, 1, 1, 2, 515, 516, affine),                          \
    SAMPLE(2, 2, 3, 5, 4, 2, additive), SAMPLE(2, 1, 1, 1, 3, 2, additive)
static const rheo_op_sample coupling_samples[] = { SAMPLES(3) }, inverse_samples[] = { SAMPLES(2) };
#define BACK(n, h, w, c, ch, kind)                                                                                         \
    { .n_in = 4, .in = { RHEO_SPEC_F32(n, h, w, c), RHEO_SPEC_F32(n, h, w, ch), RHEO_SPEC_F32(n, h, w, c), RHEO_SPEC_F32(n, 1, 1, 1) }, \
      .attr = &kind, .attr_bytes = sizeof kind }
static const rheo_op_sample backward_samples[] = {
    BACK(1, 1, 1, 2, 2, affine), BACK(3, 1, 1, 3, 4, affine), BACK(2, 5, 7, 4, 4, affine),
    BACK(2, 9, 9, 8, 8, affine), BACK(2, 3, 3, 12, 12, affine), BACK(1, 1, 2, 515, 516, affine), BACK(2, 3, 5, 4, 2, additive),
};

/* Tolerances: exp 3 ulp of an argument within 6, division and sums one each: under 16; logdet adds terms of one sign in blocks of
 * 256, by lanes: at most 64 roundings of half an ulp, of partial sums that are half of the whole on average: 16. The inverse divides by
 * s >= 0.02 in the samples: 64. */
const rheo_op rheo_op_coupling = {
    .name = "coupling", .infer = coupling_infer, .gradient = coupling_gradient, .expand = coupling_expand, .launch = coupling_launch,
    .reference = coupling_reference, RHEO_SAMPLES(coupling_samples), .tolerance = 16,
};
const rheo_op rheo_op_coupling_backward = {
    .name = "coupling_backward", .infer = backward_infer, .expand = backward_expand, .launch = backward_launch,
    .reference = backward_reference, RHEO_SAMPLES(backward_samples), .tolerance = 16,
};
const rheo_op rheo_op_coupling_inverse = {
    .name = "coupling_inverse", .infer = inverse_infer, .expand = inverse_expand, .pass = inverse_pass, .launch = inverse_launch,
    .reference = inverse_reference, RHEO_SAMPLES(inverse_samples), .tolerance = 64,
};

/* ---- constructors ---------------------------------------------------------------------------------------------- */

rheo_value rheo_coupling(rheo_graph *g, rheo_value x, rheo_value h, rheo_value logdet, bool is_affine_form)
{
    const int32_t attr = is_affine_form;
    return rheo_apply(g, &rheo_op_coupling, is_affine_form ? 3 : 2, (const rheo_value[]){ x, h, logdet }, &attr, sizeof attr);
}

rheo_value rheo_coupling_inverse(rheo_graph *g, rheo_value y, rheo_value h, bool is_affine_form)
{
    const int32_t attr = is_affine_form;
    return rheo_apply(g, &rheo_op_coupling_inverse, 2, (const rheo_value[]){ y, h }, &attr, sizeof attr);
}

rheo_value rheo_coupling_condition(rheo_graph *g, rheo_value x)
{
    const rheo_node *n = rheo_node_of(g, x);
    const rheo_shape s = rheo_shape_of(g, x);
    const rheo_value from = n && n->op == &rheo_op_coupling_inverse ? n->in[0] : x;     /* passed through: the same numbers */
    return rheo_slice(g, from, RHEO_SHAPE(0, 0, 0, 0), RHEO_SHAPE(s.n, s.h, s.w, s.c / 2));
}
