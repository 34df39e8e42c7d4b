/* x = y W^{-1} by two triangular solves, W = P L (U + diag(sign exp(s))): the invertible 1x1 convolution undone (flows 1.2). Where actnorm is
 * undone right after it, rewriting makes it one operation: x = y W^{-1} exp(-factor l) - b; and where an affine coupling is undone right before
 * that, all of a step, with what coupling_inverse makes of y and h for y. Inputs: y, the factors, then b and l, then h, if so. */
#include "op/common.h"
#include "op/lu.h"
#include "op/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { Y = RHEO_SOLVE_Y, FIRST = RHEO_SOLVE_FACTORS, B = RHEO_SOLVE_B, L = RHEO_SOLVE_L, H = RHEO_SOLVE_H, INPUTS = RHEO_SOLVE_INPUTS };

static bool scaled(const rheo_node *n) { return n->n_in > B; }
static bool coupled(const rheo_node *n) { return n->n_in > H; }

/* Channels that the coupling changed. */
static int64_t changed(const rheo_node *n) { return coupled(n) ? n->in_spec[H].shape.c / 2 : 0; }

static float factor_of(const rheo_node *n) { return scaled(n) ? *(const float *)n->attr : 0; }

static bool solve_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape y = n->in_spec[Y].shape;
    n->n_out = 1;
    n->out[0] = n->in_spec[Y];
    if (!rheo_lu_check_factors(g, n, FIRST)) return false;
    bool same = y.c == n->in_spec[FIRST].shape.c;
    for (int i = B; i < n->n_in && i < H; i++) same = same && rheo_same_shape(n->in_spec[i].shape, rheo_vector(y.c));
    if (coupled(n)) same = same && rheo_same_shape(n->in_spec[H].shape, RHEO_SHAPE(y.n, y.h, y.w, 2 * (y.c - y.c / 2)));
    if (same) return true;
    rheo_graph_fail(g, "lu_solve: y has %lld channels, the factors, or b, l and h, others", (long long)y.c);
    return false;
}

static void solve_expand(rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    const rheo_value *f = n->in + FIRST;
    const rheo_shape s = n->in_spec[Y].shape;
    const rheo_value y = coupled(n) ? rheo_coupling_inverse(g, n->in[Y], n->in[H], true) : n->in[Y];
    const rheo_value half = rheo_solve_triangular(g, y, rheo_lu_upper(g, f), false, false, false);
    const rheo_value t = rheo_solve_triangular(g, half, f[LOWER], true, true, false);
    const rheo_value rows = rheo_reshape(g, t, RHEO_SHAPE(1, 1, rheo_positions(s), s.c));
    out[0] = rheo_reshape(g, rheo_matmul(g, rows, f[P], false, true), s);
    if (scaled(n)) out[0] = rheo_affine_inverse(g, out[0], n->in[B], n->in[L], factor_of(n));
}

static void solve_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const int64_t c = n->out[0].shape.c, rows = rheo_positions(n->out[0].shape);
    const double *const *f = in + FIRST;
    double *t = malloc((size_t)c * sizeof *t);
    for (int64_t r = 0; r < rows && t; r++) {
        double *x = out[0] + r * c;
        memcpy(t, in[Y] + r * c, (size_t)c * sizeof *t);
        for (int64_t k = 0, at = c - changed(n); k < changed(n); k++, at++)
            t[at] = rheo_coupling_undone(t[at], in[H] + 2 * (r * changed(n) + k));
        for (int64_t k = 0; k < c; k++) {
            for (int64_t j = 0; j < k; j++) t[k] -= t[j] * rheo_lu_upper_at(f, j, k, c);
            t[k] /= rheo_lu_upper_at(f, k, k, c);
        }
        for (int64_t k = c - 1; k >= 0; k--)
            for (int64_t j = k + 1; j < c; j++) t[k] -= t[j] * rheo_lu_lower_at(f, j, k, c);
        for (int64_t k = 0; k < c; k++) {
            x[k] = t[rheo_lu_column_at(f[P], k, c)];
            if (scaled(n)) x[k] = x[k] * exp(-(double)factor_of(n) * in[L][k]) - in[B][k];
        }
    }
    free(t);
}

/* LU_ROWS of cl/lu.cl, rows of a block; floats that a group has for one, and on CPUs for tables of each channel. */
static int64_t block_rows(const rheo_device_facts *dev) { return dev->kind == RHEO_CPU ? (int64_t)dev->vector_width : 64; }
static int64_t room_of(const rheo_node *n, const rheo_device_facts *dev)
{
    const int64_t c = n->out[0].shape.c;
    return dev->kind == RHEO_CPU ? (c + 2 * changed(n)) * block_rows(dev) + 4 * c : c * block_rows(dev);
}

/* Groups: one a block; of a CPU fewer, which walk several. */
static int64_t groups_of(const rheo_node *n, const rheo_device_facts *dev)
{
    const int64_t blocks = (rheo_positions(n->out[0].shape) + block_rows(dev) - 1) / block_rows(dev), most = 16 * (int64_t)dev->compute_units;
    return dev->kind == RHEO_CPU && blocks > most ? most : blocks;
}

static size_t solve_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    return (size_t)(groups_of(n, dev) * room_of(n, dev));
}

static rheo_status solve_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    const size_t group = dev->kind == RHEO_CPU ? 1 : 64;
    const rheo_grid grid = { { (size_t)groups_of(n, dev) * group, 1, 1 }, { group, 1, 1 } };
    const cl_mem y = rheo_in(l, Y), b = scaled(n) ? rheo_in(l, B) : y, log_scale = scaled(n) ? rheo_in(l, L) : y;
    const cl_mem h = coupled(n) ? rheo_in(l, H) : y;
    return RHEO_EMIT(l, err, "flow", "lu_solve", grid, RHEO_BUF(y), RHEO_BUF(rheo_in(l, FIRST + P)), RHEO_BUF(rheo_in(l, FIRST + LOWER)),
                     RHEO_BUF(rheo_in(l, FIRST + UPPER)), RHEO_BUF(rheo_in(l, FIRST + LOG_S)), RHEO_BUF(rheo_in(l, FIRST + SIGN)), RHEO_BUF(b),
                     RHEO_BUF(log_scale), RHEO_BUF(h), RHEO_BUF(rheo_work(l)), RHEO_BUF(rheo_out(l, 0)),
                     RHEO_INT(rheo_positions(n->out[0].shape)), RHEO_INT(n->out[0].shape.c), RHEO_INT(changed(n)), RHEO_INT(scaled(n)),
                     RHEO_FLOAT(factor_of(n)), RHEO_INT(room_of(n, dev)));
}

static const float factor = 3;
#define SOLVE(n, h, w, c) .in = { RHEO_SPEC_F32(n, h, w, c), RHEO_LU_SPECS(c), RHEO_SPEC_F32(1, 1, 1, c), RHEO_SPEC_F32(1, 1, 1, c), \
                                 RHEO_SPEC_F32(n, h, w, 2 * ((c) - (c) / 2)) }, \
                          .fill = { { .scale = 1 }, RHEO_LU_FILLS, { .scale = 1 }, { .scale = 0.2 }, { .scale = 1 } }
#define ALONE(n, h, w, c) { .n_in = B, SOLVE(n, h, w, c) }
#define SCALED(n, h, w, c) { .n_in = H, SOLVE(n, h, w, c), .attr = &factor, .attr_bytes = sizeof factor }
#define STEP(n, h, w, c) { .n_in = INPUTS, SOLVE(n, h, w, c), .attr = &factor, .attr_bytes = sizeof factor }
static const rheo_op_sample samples[] = { ALONE(1, 1, 1, 2),  ALONE(2, 3, 5, 4),  ALONE(3, 7, 5, 12),  ALONE(1, 8, 9, 33), ALONE(2, 16, 17, 6),
                                          SCALED(1, 1, 1, 2), SCALED(2, 3, 5, 4), SCALED(3, 7, 5, 12), SCALED(1, 8, 9, 33),
                                          STEP(1, 1, 1, 2),   STEP(2, 3, 5, 4),   STEP(3, 7, 5, 12),   STEP(1, 8, 9, 33) };

/* 125: 20 as lu_matrix, for sums of up to 33 products of size 0.1, and 10 of a coupling undone (exp 3, of an argument within 8 that is rounded
 * 4, product, sum and difference). The solves amplify them by their condition, at most about exp(33 * 0.1 * 0.1 ..) < 4 in the samples;
 * affine_inverse's 5. */
const rheo_op rheo_op_lu_solve = {
    .name = "lu_solve", .infer = solve_infer, .expand = solve_expand, .launch = solve_launch, .workspace = solve_workspace,
    .reference = solve_reference, RHEO_SAMPLES(samples), .tolerance = 125,
};

rheo_value rheo_lu_solve(rheo_graph *g, rheo_value y, const rheo_value factors[5])
{
    rheo_value in[B] = { y };
    memcpy(in + FIRST, factors, FACTORS * sizeof *in);
    return rheo_apply(g, &rheo_op_lu_solve, B, in, NULL, 0);
}

rheo_value rheo_lu_solve_actnorm(rheo_graph *g, rheo_value y, const rheo_value factors[5], rheo_value b, rheo_value l, float by, rheo_value h)
{
    rheo_value in[INPUTS] = { y, [B] = b, [L] = l, [H] = h };
    memcpy(in + FIRST, factors, FACTORS * sizeof *in);
    return rheo_apply(g, &rheo_op_lu_solve, rheo_is_none(h) ? H : INPUTS, in, &by, sizeof by);
}
