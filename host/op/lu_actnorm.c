/* Actnorm and the invertible 1x1 convolution after it as one matrix and a shift: (x + b) exp(factor l) W = x W' + b',
 * W' = diag(exp(factor l)) W and b' = b W', with both log-determinants (flows 1.1, 1.2). Rewriting makes it, after gradients are
 * taken. Inputs are lu_matrix's, b and l; outputs W', logdet and b'. */
#include "op/common.h"
#include "op/lu.h"
#include "op/ops.h"

#include <math.h>

enum { B = FACTORS + 1, L, INPUTS };

typedef struct actnorm_attr {
    int64_t positions;
    double factor;
} actnorm_attr;

static actnorm_attr attr_of(const rheo_node *n) { return *(const actnorm_attr *)n->attr; }

static bool actnorm_infer(rheo_graph *g, rheo_node *n)
{
    n->n_out = 3;
    n->out[0] = n->in_spec[P];
    n->out[1] = n->in_spec[FACTORS];
    n->out[2] = n->in_spec[B];
    if (!rheo_lu_check_factors(g, n, 0)) return false;
    for (int i = B; i < INPUTS; i++) {
        if (rheo_same_shape(n->in_spec[i].shape, n->in_spec[LOG_S].shape)) continue;
        rheo_graph_fail(g, "lu_actnorm: %s is " RHEO_SHAPE_TEXT ", expected " RHEO_SHAPE_TEXT, i == B ? "b" : "l",
                        RHEO_SHAPE_LIST(n->in_spec[i].shape), RHEO_SHAPE_LIST(n->in_spec[LOG_S].shape));
        return false;
    }
    return true;
}

static void actnorm_expand(rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    const actnorm_attr a = attr_of(n);
    const rheo_value l = rheo_affine(g, n->in[L], a.factor, 0), total = rheo_sum(g, l, RHEO_AXIS_C);
    const rheo_value logdet = rheo_add(g, n->in[FACTORS], rheo_affine(g, total, (double)a.positions, 0));
    const rheo_value w = rheo_lu_matrix(g, n->in, logdet, a.positions);
    const rheo_value rows = rheo_reshape(g, rheo_exp(g, l), RHEO_SHAPE(1, 1, n->out[0].shape.c, 1));
    out[0] = rheo_mul(g, w, rows);
    out[1] = rheo_output(w, 1);
    out[2] = rheo_matmul(g, n->in[B], out[0], false, false);
}

static rheo_status actnorm_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const actnorm_attr a = attr_of(n);
    return rheo_emit_lu_matrix(l, n, a.positions, rheo_in(l, B), rheo_in(l, L), rheo_out(l, 2), a.factor, err);
}

static void actnorm_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const actnorm_attr a = attr_of(n);
    const int64_t c = n->out[0].shape.c;
    double total = 0;
    rheo_lu_matrix_reference(n, in, out);
    for (int64_t r = 0; r < c; r++) {
        total += a.factor * in[L][r];
        for (int64_t k = 0; k < c; k++) {
            out[0][r * c + k] *= exp(a.factor * in[L][r]);
            out[2][k] += in[B][r] * out[0][r * c + k];
        }
    }
    for (int64_t i = 0; i < rheo_count(n->out[1].shape); i++) out[1][i] += (double)a.positions * total;
}

static const actnorm_attr sample_attr = { 9, 3 };
#define SAMPLE(c)                                                                                                                          \
    {                                                                                                                                      \
        .n_in = INPUTS,                                                                                                                    \
        .in = { RHEO_SPEC_F32(1, 1, c, c), RHEO_SPEC_F32(1, 1, c, c), RHEO_SPEC_F32(1, 1, c, c), RHEO_SPEC_F32(1, 1, 1, c),                \
                RHEO_SPEC_F32(1, 1, 1, c), RHEO_SPEC_F32(3, 1, 1, 1), RHEO_SPEC_F32(1, 1, 1, c), RHEO_SPEC_F32(1, 1, 1, c) },              \
        .fill = { { .permutation = true },                                                                                                 \
                  { .scale = 0.1 },                                                                                                        \
                  { .scale = 0.1 },                                                                                                        \
                  { .scale = 0.1 },                                                                                                        \
                  { .scale = 1e-30, .shift = 1, .fixed = true },                                                                           \
                  { 0 },                                                                                                                   \
                  { 0 },                                                                                                                   \
                  { .scale = 0.1 } },                                                                                                      \
        .attr = &sample_attr, .attr_bytes = sizeof sample_attr                                                                             \
    }
static const rheo_op_sample samples[] = { SAMPLE(1), SAMPLE(2), SAMPLE(5), SAMPLE(12), SAMPLE(33), SAMPLE(65) };

/* 41: lu_matrix's 20, with twice the products in a sum; 5 for exp and its product; the shift is one more such sum, 16. */
const rheo_op rheo_op_lu_actnorm = {
    .name = "lu_actnorm", .infer = actnorm_infer, .expand = actnorm_expand, .launch = actnorm_launch, .reference = actnorm_reference,
    RHEO_SAMPLES(samples), .tolerance = 41,
};

rheo_value rheo_lu_actnorm(rheo_graph *g, const rheo_value factors[5], rheo_value logdet, rheo_value b, rheo_value l, int64_t positions,
                           double factor)
{
    const actnorm_attr attr = { positions, factor };
    return rheo_apply(g, &rheo_op_lu_actnorm, INPUTS,
                      (const rheo_value[]){ factors[P], factors[LOWER], factors[UPPER], factors[LOG_S], factors[SIGN], logdet, b, l },
                      &attr, sizeof attr);
}
