/* Noise levels and the rules that choose them (score 2, 6, 14: T1). */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "quality/quality.h"
#include "sample/ladder.h"

Test(ladder, published_levels)
{
    static const double expected[] = { 1, .59948425, .35938137, .21544347, .12915497, .07742637, .04641589, .02782559, .01668101, .01 };
    double s[10];
    rheo_ladder(1, 0.01, 10, true, s);
    for (int i = 0; i < 10; i++) cr_expect_float_eq(s[i], expected[i], 1e-8, "level %d: %.9f", i, s[i]);
    rheo_ladder(1, 0.1, 10, false, s);
    cr_expect_float_eq(s[4], 0.6, 1e-12);
    rheo_ladder(0.3, 0.01, 1, true, s);
    cr_expect_eq(s[0], 0.3);
}

/* Three digits, as the spec gives them. */
#define EXPECT_NEAR(found, expected) cr_expect_float_eq(found, expected, 5e-3 * fabs(expected), #found ": %.6g, expected %.6g", found, expected)

Test(ladder, one_level_may_be_none_at_all)
{
    double sigma = NAN;
    rheo_ladder(0, 0, 1, true, &sigma);
    cr_expect_eq(sigma, 0);
}

Test(ladder, ratio_and_length)
{
    const double whole = exp(log(2250) / (rheo_ladder_length(22.5, 0.01, rheo_ladder_ratio(784, 0.5)) - 1));
    cr_expect_float_eq(whole, 1.081947, 1e-6, "%.7f", whole);      /* of the whole number of levels */
    cr_expect_float_eq(rheo_ladder_ratio(784, 0.5), whole, 1e-4);
    cr_expect_float_eq(rheo_ladder_ratio(3072, 0.5), 1.039796, 1e-6, "%.7f", rheo_ladder_ratio(3072, 0.5));
    cr_expect_eq(rheo_ladder_length(22.5, 0.01, rheo_ladder_ratio(784, 0.5)), 99);
    EXPECT_NEAR(rheo_ladder_overlap(3072, exp(log(5000) / 231)), 0.567);
    cr_expect_lt(rheo_ladder_overlap(784, 1.6681), 1e-6);
}

/* Dimensions, sigma_1, L, T and the best epsilon, sigma_L = 0.01 */
Test(ladder, steps_of_the_published_settings)
{
    static const struct { double first; int levels, steps; double epsilon; } rows[] = {
        { 50, 232, 5, 6.18e-6 }, { 90, 500, 5, 3.34e-6 }, { 140, 788, 4, 2.31e-6 }, { 190, 1086, 3, 1.77e-6 }, { 348, 2311, 3, 8.93e-7 },
        { 22.5, 99, 5, 1.11e-5 }, { 22.5, 99, 3, 1.26e-5 }, { 22.5, 99, 10, 8.6e-6 },
    };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        const double ratio = exp(log(rows[k].first / 0.01) / (rows[k].levels - 1));
        const double found = rheo_ladder_step(ratio, 0.01, rows[k].steps);
        EXPECT_NEAR(found, rows[k].epsilon);
    }
    const double ratio = exp(log(2250) / 98);
    EXPECT_NEAR(rheo_ladder_excess(ratio, 0.01, 5, rheo_ladder_step(ratio, 0.01, 5)) - 1, 0.093);
    EXPECT_NEAR(rheo_ladder_excess(1.6681, 0.01, 100, 2e-5), 1.1111);
}

/* With one step of r, u^2 = ratio^2 (u^2 - 2 r u + r^2 + 2 r), as noise settles before the step. */
Test(ladder, noise_falls_behind_levels_with_few_steps)
{
    const double ratio = exp(log(2250) / 98), r = 0.6, a = ratio * ratio;
    const double before = (r * a - sqrt(r * r * a * a - (a - 1) * a * (r * r + 2 * r))) / (a - 1);
    cr_expect_float_eq(rheo_ladder_lag(ratio, 0.01, 1, r * 1e-4), before / ratio, 1e-6);
    cr_expect(isinf(rheo_ladder_lag(ratio, 0.01, 1, rheo_ladder_step(ratio, 0.01, 1))));
    cr_expect_lt(rheo_ladder_lag(ratio, 0.01, 5, rheo_ladder_step(ratio, 0.01, 5)), 1.5);
    const double best = rheo_ladder_least_lag(ratio, 0.01, 1);
    cr_expect_lt(rheo_ladder_lag(ratio, 0.01, 1, best), rheo_ladder_lag(ratio, 0.01, 1, r * 1e-4) + 1e-9);
    cr_expect_eq(rheo_ladder_least_lag(1.6681, 0.01, 1), 0);
}

Test(ladder, largest_distance_of_fashion_mnist)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_dataset *data = NULL;
    double largest = 0;
    const float square[] = { 0, 0, 3, 0, 0, 4, 3, 4 };
    ASSERT_OK(rheo_largest_distance(square, 4, 2, &largest, &err));
    cr_expect_eq(largest, 5);
    ASSERT_OK(rheo_dataset_open("fashion-mnist", 0, 3, &data, &err));
    const uint32_t a = data->split[0].count, b = data->split[1].count;
    float *x = rheo_pixels_of(data, &data->split[0], a), *y = rheo_pixels_of(data, &data->split[1], b);
    float *all = malloc((size_t)(a + b) * 784 * sizeof *all);
    memcpy(all, x, (size_t)a * 784 * sizeof *all);
    memcpy(all + (size_t)a * 784, y, (size_t)b * 784 * sizeof *all);
    ASSERT_OK(rheo_largest_distance(all, a + b, 784, &largest, &err));
    cr_expect_float_eq(largest, 22.456, 1e-3, "%.5f", largest);
    free(x), free(y), free(all);
    rheo_dataset_close(data);
}
