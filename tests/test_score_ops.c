/* Operations of score networks and samplers against printed vectors (score 14: N1 to N3) and each other; the walkers of test_ops
 * compare them with their references. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "support.h"

/* Each case on the device and in double. */
static rheo_device *device_of(int k)
{
    return k == 0 ? NULL : test_device();
}

static rheo_value values(test_bench *b, rheo_shape shape, const double *contents)
{
    return rheo_window(b->g, test_storage(b->s, RHEO_F32, rheo_count(shape), contents), 0, shape);
}

/* Runs the graph, which computes y, and compares. */
static void expect(test_bench *b, rheo_value y, const double *expected, double bound, const char *what)
{
    const rheo_shape shape = rheo_shape_of(b->g, y);
    const int to = test_storage(b->s, RHEO_F32, rheo_count(shape), NULL);
    double *got = malloc((size_t)rheo_count(shape) * sizeof *got);
    rheo_assign(b->g, rheo_window(b->g, to, 0, shape), y);
    test_run(b->g, b->s);
    test_read(b->s, to, got);
    for (int64_t i = 0; i < rheo_count(shape); i++)
        cr_expect(fabs(got[i] - expected[i]) <= bound, "%s: element %d: %.8f, expected %.8f", what, (int)i, got[i], expected[i]);
    free(got);
}

/* N1: row 1 of a table of two, picked by label. */
Test(score_ops, instance_norm_gives_the_printed_vectors)
{
    const double x[12] = { 1, 2, 0, 2, 4, 0, 3, 6, 1, 4, 9, -1 };
    const double table[18] = { 9, 9, 9, 9, 9, 9, 9, 9, 9, 1, 2, .5, .5, -1, 2, .1, .2, -.3 };
    const double y[2][12] = {
        { -1.257502, -4.344490, -1.283755, -.363079, -2.797713, -1.283755, .531345, -1.250936, -.576655, 1.425768, 1.069230, -1.990854 },
        { -1.257502, -3.329002, -2.267509, -.363079, -1.782224, -2.267509, .531345, -.235447, -1.560409, 1.425768, 2.084719, -2.974609 },
    };
    const uint32_t label = 1;
    for (int k = 0; k < 4; k++) {
        rheo_device *dev = device_of(k / 2);
        test_bench b = test_start(dev);
        const rheo_value rows = values(&b, RHEO_SHAPE(2, 1, 1, 9), table);
        const rheo_value row = rheo_gather(b.g, rows, rheo_table_u32(b.g, rheo_vector(1), &label), 0);
        const rheo_norm_attr attr = { k % 2 ? RHEO_NORM_PAPER : RHEO_NORM_REFERENCE, 0 };
        expect(&b, rheo_instance_norm(b.g, values(&b, RHEO_SHAPE(1, 2, 2, 3), x), row, attr), y[k % 2], 2e-6,
               k % 2 ? "paper" : "reference");
        test_finish(&b);
        rheo_device_close(dev);
    }
}

/* N2 */
Test(score_ops, pools_count_their_padding_as_specified)
{
    const double mean[16] = { .36, .48, .48, .36, .48, .64, .64, .48, .48, .64, .64, .48, .36, .48, .48, .36 };
    double minus[16];
    for (int i = 0; i < 16; i++) minus[i] = -1;
    for (int k = 0; k < 2; k++) {
        rheo_device *dev = device_of(k);
        test_bench b = test_start(dev), c = test_start(dev);
        expect(&b, rheo_avg_pool5(b.g, rheo_constant(b.g, RHEO_SHAPE(1, 4, 4, 1), 1)), mean, 1e-6, "avg_pool5");
        expect(&c, rheo_max_pool5(c.g, values(&c, RHEO_SHAPE(1, 4, 4, 1), minus)), minus, 0, "max_pool5");
        test_finish(&b), test_finish(&c);
        rheo_device_close(dev);
    }
}

/* Of equal maxima the first counts: all gradient of a constant image goes to the corner of each window. */
Test(score_ops, max_pool_takes_the_first_of_equals)
{
    const double dx[9] = { 9, 0, 0, 0, 0, 0, 0, 0, 0 };
    for (int k = 0; k < 2; k++) {
        rheo_device *dev = device_of(k);
        test_bench b = test_start(dev);
        const double flat[9] = { 2, 2, 2, 2, 2, 2, 2, 2, 2 };
        const rheo_value x = values(&b, RHEO_SHAPE(1, 3, 3, 1), flat), y = rheo_max_pool5(b.g, x);
        rheo_value d;
        rheo_gradients(b.g, 1, &y, NULL, 1, &x, &d);
        expect(&b, d, dx, 0, "gradient");
        test_finish(&b);
        rheo_device_close(dev);
    }
}

/* N3 */
Test(score_ops, resize_aligns_corners)
{
    const double x[4] = { 0, 1, 2, 5 };
    const double y[16] = { 0, 1 / 3., 2 / 3., 1, 2 / 3., 11 / 9., 16 / 9., 7 / 3., 4 / 3., 19 / 9., 26 / 9., 11 / 3., 2, 3, 4, 5 };
    for (int k = 0; k < 2; k++) {
        rheo_device *dev = device_of(k);
        test_bench b = test_start(dev);
        expect(&b, rheo_resize(b.g, values(&b, RHEO_SHAPE(1, 2, 2, 1), x), 4, 4), y, 1e-6, "resize");
        test_finish(&b);
        rheo_device_close(dev);
    }
}

/* ---- the Langevin step --------------------------------------------------------------------------------------- */

static void read_words(test_bench *b, int storage, int64_t count, uint32_t *out)
{
    rheo_error err = RHEO_ERROR_INIT;
    cr_assert_eq(rheo_state_read(b->s, storage, 0, count, out, &err), RHEO_OK, "%s", err.text);
}

/* From nothing with step 0 and noise 1 it gives rheo_normal's bits, in whole vectors and in what is left over; where the mask says
 * so, what is known, bit for bit. x is overwritten, as in a chain. */
Test(score_ops, langevin_uses_the_same_numbers_as_normal)
{
    static const rheo_shape shapes[] = { { 3, 8, 8, 4 }, { 5, 7, 5, 3 }, { 9, 1, 1, 2 } };
    rheo_device *dev = test_device();
    for (int k = 0; k < 6; k++) {
        const rheo_shape shape = shapes[k % 3], one = RHEO_SHAPE(1, shape.h, shape.w, shape.c);
        const bool masked = k >= 3;
        const int64_t count = rheo_count(shape), d = rheo_count(one);
        test_bench b = test_start(dev);
        double *known = malloc((size_t)count * sizeof *known), *mask = malloc((size_t)d * sizeof *mask);
        uint32_t *got = malloc((size_t)count * sizeof *got), *expected = malloc((size_t)count * sizeof *expected),
                 *fixed = malloc((size_t)count * sizeof *fixed);
        test_fill((rheo_sample_fill){ 0 }, shape, 3, known);
        test_fill((rheo_sample_fill){ .below = 2 }, one, 4, mask);
        const int x = test_storage(b.s, RHEO_F32, count, NULL), z = test_storage(b.s, RHEO_F32, count, NULL);
        const int y = test_storage(b.s, RHEO_F32, count, known), m = test_storage(b.s, RHEO_F32, d, mask);
        const rheo_value key = rheo_window(b.g, test_storage(b.s, RHEO_U32, 4, (const double[]){ 17, 3, 1000, 60000 }), 0, rheo_vector(4));
        const rheo_value at = rheo_window(b.g, x, 0, shape), none = rheo_constant(b.g, rheo_vector(1), 0);
        const rheo_value moved =
            rheo_langevin(b.g, at, rheo_constant(b.g, shape, 0), none, rheo_constant(b.g, rheo_vector(1), 1),
                          masked ? rheo_window(b.g, m, 0, one) : RHEO_NONE, rheo_window(b.g, y, 0, shape), key, RHEO_FOR_LANGEVIN_NOISE, 5);
        rheo_assign(b.g, at, moved);
        rheo_assign(b.g, rheo_window(b.g, z, 0, shape), rheo_normal(b.g, key, shape, RHEO_FOR_LANGEVIN_NOISE, 5));
        rheo_error err = RHEO_ERROR_INIT;
        memset(got, 0, (size_t)count * sizeof *got);
        cr_assert_eq(rheo_state_write(b.s, x, 0, count, got, &err), RHEO_OK, "%s", err.text);
        test_run(b.g, b.s);
        read_words(&b, x, count, got);
        read_words(&b, z, count, expected);
        read_words(&b, y, count, fixed);
        for (int64_t i = 0; i < count; i++)
            cr_assert_eq(got[i], masked && mask[i % d] != 0 ? fixed[i] : expected[i], "case %d, element %d", k, (int)i);
        free(known), free(mask), free(got), free(expected), free(fixed);
        test_finish(&b);
    }
    rheo_device_close(dev);
}

/* ---- what does not fit is said --------------------------------------------------------------------------------- */

Test(score_ops, shapes_that_do_not_fit_are_refused)
{
    for (int k = 0; k < 4; k++) {
        test_bench b = test_start(NULL);
        const rheo_value x = rheo_constant(b.g, RHEO_SHAPE(2, 3, 4, 1), 1);
        const rheo_value bad =
            k == 0   ? rheo_instance_norm(b.g, x, rheo_constant(b.g, rheo_vector(3), 1), (rheo_norm_attr){ RHEO_NORM_PAPER, 0 })
            : k == 1 ? rheo_mean_pool2(b.g, x)
            : k == 2 ? rheo_resize(b.g, x, 0, 5)
                     : rheo_select(b.g, rheo_constant(b.g, RHEO_SHAPE(1, 3, 4, 2), 1), x, x);
        cr_expect(rheo_is_none(bad) && rheo_graph_error(b.g)->text[0], "case %d", k);
        test_finish(&b);
    }
}
