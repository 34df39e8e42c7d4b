/* The published experiments in two dimensions (score 7), through the public calls. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "expect.h"

static void expect_all(const rheo_toy_number *r, int n)
{
    for (int k = 0; k < n; k++) {
        cr_log_info("%s: %.4f, expected %.4f", r[k].key, r[k].value, r[k].expected);
        cr_expect(r[k].value >= r[k].low && r[k].value <= r[k].high, "%s: %.4f, accepted %.4f to %.4f", r[k].key, r[k].value, r[k].low,
                  r[k].high);
    }
}

Test(mixture, score_is_learned_where_there_are_samples)
{
    rheo_error err = RHEO_ERROR_INIT;
    static float field[RHEO_TOY_MESH * RHEO_TOY_MESH * 6];
    rheo_toy_number numbers[RHEO_TOY_FIELD_NUMBERS];
    ASSERT_OK(rheo_toy_field(getenv("RHEO_TEST_DEVICE"), 1, field, numbers, &err));
    expect_all(numbers, RHEO_TOY_FIELD_NUMBERS);
    cr_expect(field[0] == -8 && field[1] == -8 && field[6 * (RHEO_TOY_MESH * RHEO_TOY_MESH - 1)] == 8);
}

Test(mixture, annealing_finds_the_weights_of_the_modes)
{
    enum { N = 20000 };
    rheo_error err = RHEO_ERROR_INIT;
    float *x = malloc((size_t)RHEO_TOY_METHODS * N * 2 * sizeof *x);
    rheo_toy_number numbers[RHEO_TOY_MIXING_NUMBERS];
    ASSERT_FAILS(rheo_toy_mixing(NULL, 0, 1, x, numbers, &err), RHEO_EINVAL, "0 chains");
    err = (rheo_error)RHEO_ERROR_INIT;
    ASSERT_OK(rheo_toy_mixing(getenv("RHEO_TEST_DEVICE"), N, 1, x, numbers, &err));
    expect_all(numbers, RHEO_TOY_MIXING_NUMBERS);
    static const double low[RHEO_TOY_METHODS] = { .191, .480, .208 }, high[RHEO_TOY_METHODS] = { .209, .502, .228 }; /* S4 */
    for (int k = 0; k < RHEO_TOY_METHODS; k++) cr_expect(numbers[k].value >= low[k] && numbers[k].value <= high[k], "%s", numbers[k].key);
    free(x);
}
