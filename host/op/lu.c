/* The LU-parameterised invertible 1x1 convolution (Kingma and Dhariwal 2018, section 3.2; flows 1.2):
 * W = P L (U + diag(sign exp(s))). lu_matrix makes W; lu_solve.c applies its inverse. */
#include "op/lu.h"

#include "op/common.h"
#include "op/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool rheo_lu_check_factors(rheo_graph *g, const rheo_node *n, int first)
{
    const int64_t c = n->in_spec[first].shape.c;
    for (int i = 0; i < FACTORS; i++) {
        const rheo_shape s = n->in_spec[first + i].shape, wanted = RHEO_SHAPE(1, 1, i < LOG_S ? c : 1, c);
        if (rheo_same_shape(s, wanted)) continue;
        rheo_graph_fail(g, "%s: factor %d is " RHEO_SHAPE_TEXT ", expected " RHEO_SHAPE_TEXT, n->op->name, i, RHEO_SHAPE_LIST(s),
                        RHEO_SHAPE_LIST(wanted));
        return false;
    }
    return true;
}

/* ---- W and its gradient ---------------------------------------------------------------------------- */

/* The positions s counts for in the log-determinant. */
static int64_t positions_of(const rheo_node *n) { return *(const int64_t *)n->attr; }

static bool matrix_infer(rheo_graph *g, rheo_node *n)
{
    n->n_out = 2;
    n->out[0] = n->in_spec[P];
    n->out[1] = n->in_spec[FACTORS];
    return rheo_lu_check_factors(g, n, 0);
}

rheo_value rheo_lu_upper(rheo_graph *g, const rheo_value *f)
{
    const rheo_value diagonal = rheo_mul(g, f[SIGN], rheo_exp(g, f[LOG_S]));
    return rheo_add(g, rheo_triangle(g, f[UPPER], 1), rheo_diagonal_matrix(g, diagonal));
}

rheo_value rheo_lu_lower(rheo_graph *g, const rheo_value *f)
{
    const rheo_value ones = rheo_constant(g, rheo_shape_of(g, f[LOG_S]), 1);
    return rheo_add(g, rheo_triangle(g, f[LOWER], -1), rheo_diagonal_matrix(g, ones));
}

static void matrix_expand(rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    out[0] = rheo_matmul(g, n->in[P], rheo_matmul(g, rheo_lu_lower(g, n->in), rheo_lu_upper(g, n->in), false, false), false, false);
    out[1] = rheo_add(g, n->in[FACTORS], rheo_affine(g, rheo_sum(g, n->in[LOG_S], RHEO_AXIS_C), (double)positions_of(n), 0));
}

extern const rheo_op rheo_op_lu_matrix_backward;

static void matrix_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    rheo_value in[FACTORS + 2];
    memcpy(in, n->in, FACTORS * sizeof *in);
    in[FACTORS] = rheo_is_none(dy[0]) ? rheo_constant(g, n->out[0].shape, 0) : dy[0];
    in[FACTORS + 1] = rheo_is_none(dy[1]) ? rheo_constant(g, n->out[1].shape, 0) : dy[1];
    const rheo_value d = rheo_apply(g, &rheo_op_lu_matrix_backward, FACTORS + 2, in, n->attr, n->attr_bytes);
    for (int k = 0; k < 3; k++) dx[LOWER + k] = rheo_output(d, k);
    dx[FACTORS] = dy[1];
}

static bool backward_infer(rheo_graph *g, rheo_node *n)
{
    n->n_out = 3;
    for (int k = 0; k < 3; k++) n->out[k] = n->in_spec[LOWER + k];
    return rheo_lu_check_factors(g, n, 0);
}

static void backward_expand(rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    const rheo_value upper = rheo_lu_upper(g, n->in), dm = rheo_matmul(g, n->in[P], n->in[FACTORS], true, false);
    const rheo_value right = rheo_matmul(g, rheo_lu_lower(g, n->in), dm, true, false);
    const rheo_value dlogdet = rheo_affine(g, rheo_sum(g, n->in[FACTORS + 1], RHEO_AXIS_N), (double)positions_of(n), 0);
    out[0] = rheo_triangle(g, rheo_matmul(g, dm, upper, false, true), -1);
    out[1] = rheo_triangle(g, right, 1);
    out[2] = rheo_add(g, rheo_mul(g, rheo_diagonal(g, right), rheo_diagonal(g, upper)), dlogdet);
}

/* ---- references -------------------------------------------------------------------------------------- */

double rheo_lu_upper_at(const double *const *f, int64_t m, int64_t k, int64_t c)
{
    return m == k ? f[SIGN][m] * exp(f[LOG_S][m]) : m < k ? f[UPPER][m * c + k] : 0;
}

double rheo_lu_lower_at(const double *const *f, int64_t j, int64_t m, int64_t c)
{
    return j == m ? 1 : j > m ? f[LOWER][j * c + m] : 0;
}

int64_t rheo_lu_column_at(const double *p, int64_t r, int64_t c)
{
    int64_t j = 0;
    while (j < c - 1 && p[r * c + j] == 0) j++;
    return j;
}

void rheo_lu_matrix_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const int64_t c = n->out[0].shape.c;
    double total = 0;
    for (int64_t r = 0; r < c; r++)
        for (int64_t k = 0; k < c; k++)
            for (int64_t m = 0; m < c; m++)
                out[0][r * c + k] += rheo_lu_lower_at(in, rheo_lu_column_at(in[P], r, c), m, c) * rheo_lu_upper_at(in, m, k, c);
    for (int64_t k = 0; k < c; k++) total += in[LOG_S][k];
    for (int64_t i = 0; i < rheo_count(n->out[1].shape); i++) out[1][i] = in[FACTORS][i] + (double)positions_of(n) * total;
}

/* dM = P^T dW: its row j is dW's row r with rheo_lu_column_at(r) = j. */
static void backward_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const int64_t c = n->out[0].shape.c;
    double *dm = calloc((size_t)(c * c), sizeof *dm), dlogdet = 0;
    for (int64_t r = 0; r < c && dm; r++) memcpy(dm + rheo_lu_column_at(in[P], r, c) * c, in[FACTORS] + r * c, (size_t)c * sizeof *dm);
    for (int64_t i = 0; i < rheo_count(n->in_spec[FACTORS + 1].shape); i++) dlogdet += in[FACTORS + 1][i];
    for (int64_t a = 0; a < c && dm; a++) {
        out[2][a] = (double)positions_of(n) * dlogdet;
        for (int64_t b = 0; b < c; b++)
            for (int64_t k = 0; k < c; k++) {
                const double right = rheo_lu_lower_at(in, k, a, c) * dm[k * c + b];
                if (a > b) out[0][a * c + b] += dm[a * c + k] * rheo_lu_upper_at(in, b, k, c);
                if (a < b) out[1][a * c + b] += right;
                if (a == b) out[2][a] += right * rheo_lu_upper_at(in, a, a, c);
            }
    }
    free(dm);
}

/* ---- launches ---------------------------------------------------------------------------------------------- */

static rheo_grid square_grid(const rheo_launcher *l, int64_t c)
{
    if (rheo_launcher_facts(l)->kind == RHEO_CPU) return rheo_grid_single(1, c, 1);
    return (rheo_grid){ { (size_t)c, (size_t)c, 1 }, { 16, 4, 1 } };
}

rheo_status rheo_emit_lu_matrix(rheo_launcher *l, const rheo_node *n, int64_t at_positions, cl_mem b, cl_mem log_scale, cl_mem shift,
                                double factor, rheo_error *err)
{
    enum { ROWS = 64 }; /* what one core does while others would start */
    const int64_t c = n->out[0].shape.c;
    const bool scaled = b != NULL, one = rheo_launcher_facts(l)->kind == RHEO_CPU && c <= ROWS;
    const cl_mem none = rheo_in(l, LOG_S);
    const rheo_status st =
        RHEO_EMIT(l, err, "flow", "lu_matrix", one ? rheo_grid_single(1, 1, 1) : square_grid(l, c), RHEO_BUF(rheo_in(l, P)),
                  RHEO_BUF(rheo_in(l, LOWER)), RHEO_BUF(rheo_in(l, UPPER)), RHEO_BUF(rheo_in(l, LOG_S)), RHEO_BUF(rheo_in(l, SIGN)),
                  RHEO_BUF(rheo_in(l, FACTORS)), RHEO_BUF(scaled ? b : none), RHEO_BUF(scaled ? log_scale : none), RHEO_BUF(rheo_out(l, 0)),
                  RHEO_BUF(rheo_out(l, 1)), RHEO_BUF(scaled ? shift : rheo_out(l, 0)), RHEO_INT(c), RHEO_INT(rheo_count(n->out[1].shape)),
                  RHEO_FLOAT(at_positions), RHEO_INT(scaled), RHEO_FLOAT(factor));
    if (st || !scaled || one) return st;
    return RHEO_EMIT(l, err, "flow", "lu_shift_of", rheo_grid_items(l, c), RHEO_BUF(b), RHEO_BUF(rheo_out(l, 0)), RHEO_BUF(shift),
                     RHEO_INT(c));
}

static rheo_status matrix_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    return rheo_emit_lu_matrix(l, n, positions_of(n), NULL, NULL, NULL, 0, err);
}

static rheo_status backward_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    return RHEO_EMIT(l, err, "flow", "lu_matrix_backward", square_grid(l, n->out[0].shape.c), RHEO_BUF(rheo_in(l, P)),
                     RHEO_BUF(rheo_in(l, LOWER)), RHEO_BUF(rheo_in(l, UPPER)), RHEO_BUF(rheo_in(l, LOG_S)), RHEO_BUF(rheo_in(l, SIGN)),
                     RHEO_BUF(rheo_in(l, FACTORS)), RHEO_BUF(rheo_in(l, FACTORS + 1)), RHEO_BUF(rheo_out(l, 0)), RHEO_BUF(rheo_out(l, 1)),
                     RHEO_BUF(rheo_out(l, 2)), RHEO_INT(n->out[0].shape.c), RHEO_INT(rheo_count(n->in_spec[FACTORS + 1].shape)),
                     RHEO_FLOAT(positions_of(n)));
}

/* ---- rows ------------------------------------------------------------------------------------------------------ */

static const int64_t positions = 9;
#define POSITIONS .attr = &positions, .attr_bytes = sizeof positions
#define MATRIX(c) { .n_in = 6, .in = { RHEO_LU_SPECS(c), RHEO_SPEC_F32(3, 1, 1, 1) }, .fill = { RHEO_LU_FILLS }, POSITIONS }
#define BACK(c) \
    { .n_in = 7, .in = { RHEO_LU_SPECS(c), RHEO_SPEC_F32(1, 1, c, c), RHEO_SPEC_F32(3, 1, 1, 1) }, .fill = { RHEO_LU_FILLS }, POSITIONS }
static const rheo_op_sample matrix_samples[] = { MATRIX(1), MATRIX(2), MATRIX(5), MATRIX(12), MATRIX(33) };
static const rheo_op_sample backward_samples[] = { BACK(1), BACK(2), BACK(5), BACK(12), BACK(33) };

/* Sums of up to 33 products of size 0.1: 33 / 2 roundings and exp's 3. */
const rheo_op rheo_op_lu_matrix = {
    .name = "lu_matrix", .infer = matrix_infer, .gradient = matrix_gradient, .expand = matrix_expand, .launch = matrix_launch,
    .reference = rheo_lu_matrix_reference, RHEO_SAMPLES(matrix_samples), .tolerance = 20,
};
const rheo_op rheo_op_lu_matrix_backward = {
    .name = "lu_matrix_backward", .infer = backward_infer, .expand = backward_expand, .launch = backward_launch,
    .reference = backward_reference, RHEO_SAMPLES(backward_samples), .tolerance = 20,
};

rheo_value rheo_lu_matrix(rheo_graph *g, const rheo_value factors[5], rheo_value logdet, int64_t at_positions)
{
    rheo_value in[FACTORS + 1];
    memcpy(in, factors, FACTORS * sizeof *in);
    in[FACTORS] = logdet;
    return rheo_apply(g, &rheo_op_lu_matrix, FACTORS + 1, in, &at_positions, sizeof at_positions);
}
