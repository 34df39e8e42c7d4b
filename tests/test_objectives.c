/* Score matching losses against closed forms (score 14: L1 to L6). */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "base/philox.h"
#include "expect.h"
#include "model/ncsn.h"
#include "model/score_matching.h"
#include "sample/ladder.h"
#include "support.h"

/* Data N(0, S) in the plane, S = [2 .5; .5 1] = R'R, and the score s = -A x as rows x (-A). */
static const double root_of_s[4] = { 1.41421356237309504880, 0.35355339059327376220, 0, 0.93541434669348534640 };
static const double minus_a[4] = { -1, -0.2, -0.2, -0.5 };
static const double sigma_l2 = 0.5;
#define ROOT 1.41421356237309504880 /* of 2 */
static const rheo_shape square = { 1, 1, 2, 2 };

static rheo_value table(test_bench *t, rheo_shape shape, const double *contents)
{
    return rheo_window(t->g, test_storage(t->s, RHEO_F32, rheo_count(shape), contents), 0, shape);
}

static int keep(test_bench *t, rheo_value v)
{
    const rheo_shape shape = rheo_shape_of(t->g, v);
    const int k = test_storage(t->s, RHEO_F32, rheo_count(shape), NULL);
    rheo_assign(t->g, rheo_window(t->g, k, 0, shape), v);
    return k;
}

typedef struct moments {
    double mean, deviation;
} moments;

static moments moments_of(test_bench *t, int storage)
{
    const int64_t n = rheo_storage_at(t->s, storage)->count;
    double *x = malloc((size_t)n * sizeof *x), sum = 0, squares = 0;
    test_read(t->s, storage, x);
    for (int64_t i = 0; i < n; i++) sum += x[i];
    for (int64_t i = 0; i < n; i++) squares += (x[i] - sum / (double)n) * (x[i] - sum / (double)n);
    free(x);
    return (moments){ sum / (double)n, sqrt(squares / (double)n) };
}

/* ---- L1 --------------------------------------------------------------------------------------------------------- */

/* A network whose parameters are all zero has the score 0, whatever the level. */
Test(objectives, a_zero_network_has_half_the_dimension_as_its_loss)
{
    enum { N = 4096, D = 32 };
    static const char *const networks[] = { "{\"network\":\"v1\",\"width\":2}", "{\"network\":\"v2\",\"width\":2}" };
    rheo_device *dev = test_device();
    for (int k = 0; k < 2; k++) {
        rheo_error err = RHEO_ERROR_INIT;
        rheo_model *m = NULL;
        rheo_build b;
        int theta, fixed;
        cJSON *config = cJSON_Parse(networks[k]);
        ASSERT_OK(rheo_model_ncsn.create(config, (rheo_data_shape){ 4, 4, 2, true }, 0, &m, &err));
        test_bench t = test_start(dev);
        ASSERT_OK(rheo_params_declare(m->params, t.s, &theta, &fixed, &err));
        ASSERT_OK(rheo_build_init(&b, t.g, m->params, theta, fixed, &err));
        const rheo_value key = rheo_table_u32(t.g, rheo_vector(4), (const uint32_t[]){ 21, 0, 0, 0 });
        const int out = keep(&t, rheo_ncsn_loss(&b, m, rheo_constant(t.g, RHEO_SHAPE(N, 4, 4, 2), 100), key));
        test_run(t.g, t.s);
        const double mean = moments_of(&t, out).mean, expected = D / 2.0;
        cr_expect_float_eq(mean, expected, expected * 4 * sqrt(2.0 / (N * D)), "%s: %f, expected %f", networks[k], mean, expected);
        rheo_build_finish(&b);
        test_finish(&t);
        rheo_model_ncsn.destroy(m);
        cJSON_Delete(config);
    }
    rheo_device_close(dev);
}

/* ---- L2: closed forms ---------------------------------------------------------------------------------------------- */

typedef struct losses {
    int dsm, ssm_noisy, ssm_clean; /* storages [n] */
} losses;

/* Losses of s = -A x at data e R and noise z, projections v; denoising without its weight sigma^2. */
static losses linear_losses(test_bench *t, rheo_value e, rheo_value z, rheo_value v)
{
    rheo_graph *g = t->g;
    const rheo_value a = table(t, square, minus_a), sigma = table(t, rheo_vector(1), &sigma_l2);
    const rheo_value x = rheo_conv2d(g, e, table(t, square, root_of_s), 0, 1), noisy = rheo_add(g, x, rheo_mul(g, sigma, z));
    const rheo_value s = rheo_conv2d(g, noisy, a, 0, 1), clean = rheo_conv2d(g, x, a, 0, 1);
    return (losses){ .dsm = keep(t, rheo_affine(g, rheo_denoising(g, s, z, sigma), 1 / (sigma_l2 * sigma_l2), 0)),
                     .ssm_noisy = keep(t, rheo_sliced(g, s, noisy, v, true)),
                     .ssm_clean = keep(t, rheo_sliced(g, clean, x, v, true)) };
}

/* All three are quadratic in (e, z) and in v. The 12 points +-sqrt(6) along each axis of (e, z, v) have mean 0 and covariance I, so
 * that their mean is the expectation exactly. */
Test(objectives, closed_forms_of_a_linear_score_in_double)
{
    enum { POINTS = 12 };
    double e[3][2 * POINTS] = { { 0 } };
    for (int k = 0; k < POINTS; k++) e[k / 4][2 * k + k / 2 % 2] = k % 2 ? -sqrt(6) : sqrt(6);
    test_bench t = test_start(NULL);
    rheo_value in[3];
    for (int k = 0; k < 3; k++) in[k] = table(&t, RHEO_SHAPE(POINTS, 1, 1, 2), e[k]);
    const losses l = linear_losses(&t, in[0], in[1], in[2]);
    test_run(t.g, t.s);
    cr_expect_float_eq(moments_of(&t, l.dsm).mean, 4.00125, 1e-9);
    cr_expect_float_eq(moments_of(&t, l.ssm_noisy).mean, 0.00125, 1e-9); /* DSM - D / (2 sigma^2) */
    cr_expect_float_eq(moments_of(&t, l.ssm_clean).mean, -0.165, 1e-9);
    test_finish(&t);
}

/* L6: the best score -x / (1 + sigma^2) for N(0, 1) at the ten published levels; exact at the four points +-sqrt(2). */
Test(objectives, best_loss_over_the_published_levels_in_double)
{
    enum { LEVELS = 10, POINTS = 4 };
    static const double e[POINTS] = { ROOT, -ROOT, 0, 0 }, z[POINTS] = { 0, 0, ROOT, -ROOT };
    double sigma[LEVELS], mean = 0;
    rheo_ladder(1, 0.01, LEVELS, true, sigma);
    for (int i = 0; i < LEVELS; i++) {
        test_bench t = test_start(NULL);
        const rheo_shape shape = { POINTS, 1, 1, 1 };
        const rheo_value noise = table(&t, shape, z), deviation = table(&t, rheo_vector(1), &sigma[i]);
        const rheo_value x = rheo_add(t.g, table(&t, shape, e), rheo_mul(t.g, deviation, noise));
        const rheo_value s = rheo_neg(t.g, rheo_div(t.g, x, rheo_affine(t.g, rheo_square(t.g, deviation), 1, 1)));
        const int out = keep(&t, rheo_denoising(t.g, s, noise, deviation));
        test_run(t.g, t.s);
        mean += moments_of(&t, out).mean / LEVELS;
        test_finish(&t);
    }
    cr_expect_float_eq(mean, 0.452561, 5e-7, "%f", mean);
}

/* ---- L2, L3: on the device ------------------------------------------------------------------------------------------ */

enum { SAMPLES = 1000000 };

static rheo_value drawn(test_bench *t, int64_t n, uint32_t purpose)
{
    const rheo_value key = rheo_table_u32(t->g, rheo_vector(4), (const uint32_t[]){ 11, 0, 0, 0 });
    return rheo_normal(t->g, key, RHEO_SHAPE(n, 1, 1, 2), purpose, 0);
}

Test(objectives, losses_of_a_linear_score)
{
    rheo_device *dev = test_device();
    test_bench t = test_start(dev);
    const losses l = linear_losses(&t, drawn(&t, SAMPLES, RHEO_FOR_SYNTHETIC_DATA), drawn(&t, SAMPLES, RHEO_FOR_DSM_NOISE),
                                   drawn(&t, SAMPLES, RHEO_FOR_PROJECTION));
    test_run(t.g, t.s);
    cr_expect_float_eq(moments_of(&t, l.dsm).mean, 4.00125, 0.02);
    cr_expect_float_eq(moments_of(&t, l.ssm_noisy).mean, 0.00125, 0.02);
    cr_expect_float_eq(moments_of(&t, l.ssm_clean).mean, -0.165, 0.02);
    test_finish(&t);
    rheo_device_close(dev);
}

Test(objectives, variances_of_the_four_sliced_losses)
{
    static const struct {
        bool reduced, rademacher;
        double deviation;
    } rows[] = { { true, false, 2.42 }, { false, false, 3.18 }, { true, true, 1.83 }, { false, true, 2.21 } };
    const rheo_shape shape = { SAMPLES, 1, 1, 2 };
    rheo_device *dev = test_device();
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        test_bench t = test_start(dev);
        const rheo_value key = rheo_table_u32(t.g, rheo_vector(4), (const uint32_t[]){ 11, 0, 0, 0 });
        const rheo_value x = rheo_conv2d(t.g, drawn(&t, SAMPLES, RHEO_FOR_SYNTHETIC_DATA), table(&t, square, root_of_s), 0, 1);
        const rheo_value v =
            rows[k].rademacher ? rheo_rademacher(t.g, key, shape, RHEO_FOR_PROJECTION, 0) : drawn(&t, SAMPLES, RHEO_FOR_PROJECTION);
        const int out = keep(&t, rheo_sliced(t.g, rheo_conv2d(t.g, x, table(&t, square, minus_a), 0, 1), x, v, rows[k].reduced));
        test_run(t.g, t.s);
        const moments m = moments_of(&t, out);
        cr_expect_float_eq(m.mean, -0.165, 4 * rows[k].deviation / sqrt(SAMPLES), "row %zu: mean %f", k, m.mean);
        /* The deviation's own four standard errors are below 1 % for fourth moments like these; the table has three digits. */
        cr_expect_float_eq(m.deviation / rows[k].deviation, 1, 0.01, "row %zu: deviation %f, expected %.2f", k, m.deviation,
                           rows[k].deviation);
        test_finish(&t);
    }
    rheo_device_close(dev);
}

/* ---- L4 ------------------------------------------------------------------------------------------------------------- */

/* s = -a x, data N(0, I): the gradient of DSM by a, and the same by hand from the draws: x~ (a x~ - z / sigma). */
static void check_slope(rheo_device *dev, int64_t n, double by_hand, double in_expectation)
{
    const double a0 = 0.5;
    test_bench t = test_start(dev);
    rheo_graph *g = t.g;
    const rheo_value a = table(&t, rheo_vector(1), &a0), sigma = table(&t, rheo_vector(1), &sigma_l2);
    const rheo_value z = drawn(&t, n, RHEO_FOR_DSM_NOISE), x = rheo_add(g, drawn(&t, n, RHEO_FOR_SYNTHETIC_DATA), rheo_mul(g, sigma, z));
    const rheo_value loss = rheo_mean(g, rheo_denoising(g, rheo_neg(g, rheo_mul(g, a, x)), z, sigma), RHEO_AXIS_N);
    rheo_value da;
    rheo_gradients(g, 1, &loss, NULL, 1, &a, &da);
    const int kept[3] = { keep(&t, rheo_affine(g, da, 1 / (sigma_l2 * sigma_l2), 0)), keep(&t, x), keep(&t, z) };
    test_run(g, t.s);
    double found, expected = 0, *xs = malloc(2 * (size_t)n * sizeof *xs), *zs = malloc(2 * (size_t)n * sizeof *zs);
    test_read(t.s, kept[0], &found);
    test_read(t.s, kept[1], xs);
    test_read(t.s, kept[2], zs);
    for (int64_t i = 0; i < 2 * n; i++) expected += xs[i] * (a0 * xs[i] - zs[i] / sigma_l2) / (double)n;
    cr_expect_float_eq(found, expected, by_hand, "slope %.9f, by hand %.9f", found, expected);
    cr_expect_float_eq(found, -0.75, in_expectation, "slope %.6f, expected -0.75", found);
    free(xs), free(zs);
    test_finish(&t);
}

Test(objectives, slope_of_the_denoising_loss)
{
    rheo_device *dev = test_device();
    check_slope(NULL, 1000, 1e-6, 0.02 * sqrt(1000));
    /* Sums over all samples in float: each of the 2e6 terms is rounded, and the tree adds log2(2e6) = 21 roundings of eps / 2 of the
     * sum of magnitudes, about 4.6 a sample. */
    check_slope(dev, SAMPLES, 22 * 0x1p-24 * 4.6, 0.02);
    rheo_device_close(dev);
}

/* ---- L5 ------------------------------------------------------------------------------------------------------------- */

enum { BATCH = 16384, STEPS = 600 };

/* Trains s = -A x from A = 0 with Adam and a falling rate, fresh draws each step; A as rows. */
static void train_linear(rheo_device *dev, bool denoise, double a[4])
{
    rheo_error err = RHEO_ERROR_INIT;
    test_bench t = test_start(dev);
    rheo_graph *g = t.g;
    const rheo_adam_attr adam = { .kind = RHEO_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8 };
    const rheo_shape shape = { BATCH, 1, 1, 2 }, flat = rheo_vector(4), one = rheo_vector(1);
    const int theta = test_storage(t.s, RHEO_F32, 4, NULL), m = test_storage(t.s, RHEO_F32, 4, NULL),
              v = test_storage(t.s, RHEO_F32, 4, NULL);
    const int rate = test_storage(t.s, RHEO_F32, 1, NULL), count = test_storage(t.s, RHEO_F32, 1, (const double[]){ 1 });
    const int step = test_storage(t.s, RHEO_U32, 1, NULL);
    const rheo_value now = rheo_window(g, step, 0, one), adams = rheo_window(g, count, 0, one);
    const rheo_value key = rheo_concat(g, 3, 3,
                                       (const rheo_value[]){ rheo_table_u32(g, rheo_vector(2), (const uint32_t[]){ 31, 0 }), now,
                                                             rheo_table_u32(g, one, (const uint32_t[]){ 0 }) });
    const rheo_value sigma = table(&t, one, &sigma_l2), weight = rheo_window(g, theta, 0, square);
    const rheo_value z = rheo_normal(g, key, shape, RHEO_FOR_DSM_NOISE, 0), probe = rheo_normal(g, key, shape, RHEO_FOR_PROJECTION, 0);
    rheo_value x = rheo_conv2d(g, rheo_normal(g, key, shape, RHEO_FOR_SYNTHETIC_DATA, 0), table(&t, square, root_of_s), 0, 1);
    if (denoise) x = rheo_add(g, x, rheo_mul(g, sigma, z));
    const rheo_value s = rheo_neg(g, rheo_conv2d(g, x, weight, 0, 1));
    const rheo_value loss = rheo_mean(g, denoise ? rheo_denoising(g, s, z, sigma) : rheo_sliced(g, s, x, probe, true), RHEO_AXIS_N);
    rheo_value d;
    rheo_gradients(g, 1, &loss, NULL, 1, &weight, &d);
    const rheo_value unit = rheo_constant(g, one, 1);
    const rheo_value updated = rheo_adam(g, rheo_window(g, theta, 0, flat), rheo_window(g, m, 0, flat), rheo_window(g, v, 0, flat),
                                         rheo_reshape(g, d, flat), rheo_window(g, rate, 0, one), unit, unit, adams, &adam);
    rheo_assign(g, rheo_window(g, theta, 0, flat), updated);
    rheo_assign(g, rheo_window(g, m, 0, flat), rheo_output(updated, 1));
    rheo_assign(g, rheo_window(g, v, 0, flat), rheo_output(updated, 2));
    rheo_assign(g, adams, rheo_affine(g, adams, 1, 1));
    rheo_assign(g, now, rheo_add_u32(g, now, 1));
    rheo_plan *plan = NULL;
    ASSERT_OK(rheo_plan_create(g, t.s, NULL, &plan, &err));
    for (int k = 0; k < STEPS; k++) {
        const float lr = 0.03f * (float)(STEPS - k) / STEPS;
        ASSERT_OK(rheo_state_write(t.s, rate, 0, 1, &lr, &err));
        ASSERT_OK(rheo_plan_run(plan, &err));
    }
    test_read(t.s, theta, a);
    rheo_plan_destroy(plan);
    test_finish(&t);
}

Test(objectives, a_trained_linear_score_is_that_of_its_data)
{
    static const double noisy[4] = { 1.25 / 2.5625, -0.5 / 2.5625, -0.5 / 2.5625, 2.25 / 2.5625 }, /* (S + sigma^2 I)^-1 */
        clean[4] = { 1 / 1.75, -0.5 / 1.75, -0.5 / 1.75, 2 / 1.75 };                               /* S^-1 */
    rheo_device *dev = test_device();
    for (int denoise = 0; denoise < 2; denoise++) {
        const double *expected = denoise ? noisy : clean;
        double a[4];
        train_linear(dev, denoise, a);
        for (int i = 0; i < 4; i++)
            cr_expect_float_eq(a[i] / expected[i], 1, 0.02, "%s: A[%d] = %f, expected %f", denoise ? "DSM" : "SSM", i, a[i], expected[i]);
    }
    rheo_device_close(dev);
}
