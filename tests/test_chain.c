/* Chains on exact scores: stationary and transient variances, annealing, inpainting (score 14: S1 to S3, S7, S8; S4 is in test_mixture.c). */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "op/ops.h"
#include "sample/chain.h"
#include "sample/ladder.h"
#include "support.h"

typedef struct run {
    rheo_device *dev;
    rheo_state *state;
    rheo_chain chain;
    float *x;
} run;

static run run_make(rheo_shape shape, rheo_chain_kind kind, const rheo_annealing *a, rheo_score_builder score, void *ctx)
{
    rheo_error err = RHEO_ERROR_INIT;
    run r = { .dev = test_device(), .state = rheo_state_create(), .x = malloc((size_t)rheo_count(shape) * sizeof(float)) };
    ASSERT_OK(rheo_state_bind(r.state, r.dev, &err));
    ASSERT_OK(rheo_chain_create(r.state, shape, kind, a, score, ctx, NULL, &r.chain, &err));
    return r;
}

static void run_free(run *r)
{
    rheo_chain_free(&r->chain);
    rheo_state_destroy(r->state);
    rheo_device_close(r->dev);
    free(r->x);
}

static void go(run *r, const float *x0)
{
    rheo_error err = RHEO_ERROR_INIT;
    ASSERT_OK(rheo_chain_run(&r->chain, 5, 0, x0, NULL, NULL, &err));
    ASSERT_OK(rheo_chain_read(&r->chain, r->x, &err));
}

static double variance(const float *x, int64_t n)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i], squares += (double)x[i] * (double)x[i];
    return squares / (double)n - sum / (double)n * (sum / (double)n);
}

/* ---- one Gaussian --------------------------------------------------------------------------------------- */

static rheo_value unit_gaussian(rheo_graph *g, void *ctx, rheo_value x, rheo_value labels, rheo_value sigma)
{
    (void)ctx, (void)labels, (void)sigma;
    return rheo_neg(g, x);
}

/* Stationary variance 1 / (1 - eta/2); on the way there (1 - eta)^2t (v0 - b) + b. Four standard errors at n = 200,000. */
Test(chain, variance_of_a_gaussian)
{
    enum { N = 200000 };
    static const struct { double eta; int steps; double expected; } rows[] = {
        { 0.05, 200, 1.025641 }, { 0.25, 60, 1.142857 }, { 0.5, 40, 1.333333 }, { 0.05, 10, NAN },
    };
    const double one = 1;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        const rheo_annealing a = { 1, &one, rows[k].steps, rows[k].eta, false };
        run r = run_make(RHEO_SHAPE(N, 1, 1, 1), RHEO_CHAIN_FREE, &a, unit_gaussian, NULL);
        const double b = 1 / (1 - rows[k].eta / 2), start = 1.0 / 12;
        const double expected = pow(1 - rows[k].eta, 2.0 * rows[k].steps) * (start - b) + b;
        go(&r, NULL);
        if (!isnan(rows[k].expected)) cr_expect_float_eq(expected, rows[k].expected, 1e-5);
        cr_expect_float_eq(variance(r.x, N), expected, 0.018, "eta %g: %f, expected %f", rows[k].eta, variance(r.x, N), expected);
        run_free(&r);
    }
}

/* All data at one point: s = -x / sigma^2. */
static rheo_value one_point(rheo_graph *g, void *ctx, rheo_value x, rheo_value labels, rheo_value sigma)
{
    (void)ctx, (void)labels;
    return rheo_neg(g, rheo_div(g, x, rheo_square(g, sigma)));
}

Test(chain, last_level_of_the_published_schedule)
{
    enum { D = 4096 };
    double sigma[10];
    rheo_ladder(1, 0.01, 10, true, sigma);
    for (int half = 0; half < 2; half++) {
        const rheo_annealing a = { 10, sigma, 100, half ? 1e-5 : 2e-5, false };
        run r = run_make(RHEO_SHAPE(1, 64, 64, 1), RHEO_CHAIN_FREE, &a, one_point, NULL);
        go(&r, NULL);
        const double ratio = variance(r.x, D) / 1e-4, expected = half ? 1.0526 : 1.1111;
        cr_expect_float_eq(ratio, expected, 0.1, "%f, expected %f", ratio, expected);
        run_free(&r);
    }
    const rheo_annealing clean = { 10, sigma, 100, 2e-5, true };
    run r = run_make(RHEO_SHAPE(1, 64, 64, 1), RHEO_CHAIN_FREE, &clean, one_point, NULL);
    go(&r, NULL);
    for (int i = 0; i < D; i++) cr_assert_lt(fabsf(r.x[i]), 1e-6f);
    run_free(&r);
}

/* ---- known pixels -------------------------------------------------------------------------------------------- */

/* N(0, [1 .8; .8 1] + sigma^2): s = -x S^-1 with 1 / det beside. */
static rheo_value correlated(rheo_graph *g, void *ctx, rheo_value x, rheo_value labels, rheo_value sigma)
{
    (void)ctx, (void)labels;
    const rheo_shape n = rheo_shape_of(g, x), half = RHEO_SHAPE(n.n, 1, 1, 1);
    const rheo_value a = rheo_affine(g, rheo_square(g, sigma), 1, 1), det = rheo_affine(g, rheo_square(g, a), 1, -0.64);
    const rheo_value x1 = rheo_slice(g, x, RHEO_SHAPE(0, 0, 0, 0), half), x2 = rheo_slice(g, x, RHEO_SHAPE(0, 0, 0, 1), half);
    const rheo_value s1 = rheo_sub(g, rheo_affine(g, x2, 0.8, 0), rheo_mul(g, a, x1)), s2 = rheo_sub(g, rheo_affine(g, x1, 0.8, 0), rheo_mul(g, a, x2));
    return rheo_div(g, rheo_concat(g, 3, 2, (const rheo_value[]){ s1, s2 }), det);
}

Test(chain, inpainting_a_correlated_pair)
{
    enum { N = 100000 };
    rheo_error err = RHEO_ERROR_INIT;
    double sigma[10], mean = 0;
    rheo_ladder(1, 0.01, 10, true, sigma);
    const rheo_annealing a = { 10, sigma, 100, 2e-5, false };
    run r = run_make(RHEO_SHAPE(N, 1, 1, 2), RHEO_CHAIN_KNOWN, &a, correlated, NULL);
    const float mask[2] = { 1, 0 };
    float *reference = malloc(2 * N * sizeof *reference), *known = malloc(2 * N * sizeof *known), *x2 = malloc(N * sizeof *x2);
    for (int i = 0; i < N; i++) reference[2 * i] = 1, reference[2 * i + 1] = -7;
    ASSERT_OK(rheo_chain_set_known(&r.chain, mask, reference, &err));
    go(&r, NULL);
    ASSERT_OK(rheo_state_read(r.state, r.chain.known, 0, 2 * N, known, &err));
    double off = 0;
    for (int i = 0; i < N; i++) {
        cr_assert_eq(memcmp(&r.x[2 * i], &known[2 * i], sizeof(float)), 0, "sample %d: known pixel changed", i);
        off += (double)(r.x[2 * i] - 1) * (double)(r.x[2 * i] - 1) / N;
        x2[i] = r.x[2 * i + 1];
        mean += (double)x2[i] / N;
    }
    cr_expect_float_eq(sqrt(off), 0.01, 0.0005, "known pixels are off by %g", sqrt(off));
    cr_expect_float_eq(mean, 0.7834, 0.009, "mean %f", mean);
    cr_expect_float_eq(variance(x2, N), 0.3810, 0.009, "variance %f", variance(x2, N));
    run_free(&r);
    free(reference), free(known), free(x2);
}

/* The ends of an interpolation are the chains that z_p and z_q alone drive; all begin at one place. */
Test(chain, interpolation_turns_the_noise)
{
    const double one = 1;
    const rheo_annealing still = { 1, &one, 0, 0.1, false }, a = { 1, &one, 1, 0.5, false };
    run r = run_make(RHEO_SHAPE(3, 1, 1, 4), RHEO_CHAIN_INTERPOLATE, &still, unit_gaussian, NULL);
    float start[4];
    go(&r, NULL);
    memcpy(start, r.x, sizeof start);
    cr_expect_eq(memcmp(r.x, r.x + 8, sizeof start), 0);
    run_free(&r);
    r = run_make(RHEO_SHAPE(3, 1, 1, 4), RHEO_CHAIN_INTERPOLATE, &a, unit_gaussian, NULL);
    go(&r, NULL);
    for (int i = 0; i < 4; i++) {        /* x + (x' - x) cos + sin: the middle is sqrt(1/2) of both ends' steps */
        const double drift = -0.5 * (double)start[i], p = (double)(r.x[i] - start[i]) - drift, q = (double)(r.x[8 + i] - start[i]) - drift;
        const double middle = (double)(r.x[4 + i] - start[i]) - drift;
        cr_expect_float_eq(middle, sqrt(0.5) * (p + q), 1e-5);
    }
    run_free(&r);
}

typedef struct looked {
    run *r;
    int steps;
} looked;

/* The pasted pixels are those of the level's noisy reference, bit for bit. */
static bool look(void *user, int level, int step)
{
    enum { N = 64 };
    looked *l = user;
    float known[2 * N];
    rheo_error err = RHEO_ERROR_INIT;
    ASSERT_OK(rheo_chain_read(&l->r->chain, l->r->x, &err));
    ASSERT_OK(rheo_state_read(l->r->state, l->r->chain.known, 0, 2 * N, known, &err));
    for (int i = 0; i < N && step; i++)
        cr_assert_eq(memcmp(&l->r->x[2 * i], &known[2 * i], sizeof(float)), 0, "level %d, step %d, sample %d: known pixel changed", level, step, i);
    l->steps += step > 0;
    return true;
}

Test(chain, known_pixels_after_every_step)
{
    enum { N = 64 };
    rheo_error err = RHEO_ERROR_INIT;
    double sigma[4];
    rheo_ladder(1, 0.01, 4, true, sigma);
    const rheo_annealing a = { 4, sigma, 5, 2e-5, false };
    run r = run_make(RHEO_SHAPE(N, 1, 1, 2), RHEO_CHAIN_KNOWN, &a, correlated, NULL);
    const float mask[2] = { 1, 0 };
    float reference[2 * N];
    looked l = { &r, 0 };
    for (int i = 0; i < 2 * N; i++) reference[i] = 0.25f;
    ASSERT_OK(rheo_chain_set_known(&r.chain, mask, reference, &err));
    ASSERT_OK(rheo_chain_run(&r.chain, 5, 0, NULL, look, &l, &err));
    cr_expect_eq(l.steps, 20, "%d", l.steps);
    run_free(&r);
}
