/* Random numbers on the device: Philox against the host's (R1), independence of the batch (R3), moments (R2). */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "op/table.h"
#include "support.h"

typedef rheo_value (*random_maker)(rheo_graph *, rheo_value, rheo_shape, uint32_t, uint32_t);

/* The tensor drawn on the device with this key. */
static double *draw(rheo_device *dev, random_maker make, const uint32_t key[4], rheo_shape shape, uint32_t purpose, uint32_t id)
{
    const double words[4] = { key[0], key[1], key[2], key[3] };
    double *out = malloc((size_t)rheo_count(shape) * sizeof *out);
    rheo_error err = RHEO_ERROR_INIT;
    rheo_state *s = rheo_state_create();
    cr_assert_eq(rheo_state_bind(s, dev, &err), RHEO_OK, "%s", err.text);
    rheo_graph *g = rheo_graph_create(s, &rheo_op_arithmetic);
    const rheo_value from = rheo_window(g, test_storage(s, RHEO_U32, 4, words), 0, rheo_vector(4));
    const int to = test_storage(s, RHEO_F32, rheo_count(shape), NULL);
    rheo_assign(g, rheo_window(g, to, 0, shape), make(g, from, shape, purpose, id));
    test_run(g, s);
    test_read(s, to, out);
    rheo_graph_destroy(g);
    rheo_state_destroy(s);
    return out;
}

/* R1: the vectors that an address reaches, by their upper 24 and 16 bits. Seven rounds instead of ten would give 5f6fbx. */
Test(random, vectors)
{
    static const struct { uint32_t key[4], block, words[4]; } row[] = {
        { { 0, 0, 0, 0 }, 0, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0x4d2, 0, 0, 0 }, 1, { 0x9eeede35, 0x1cbe137c, 0xfa277093, 0x147edd50 } },
    };
    rheo_device *dev = test_device();
    for (size_t r = 0; r < sizeof row / sizeof *row; r++) {
        double *fine = draw(dev, rheo_uniform, row[r].key, rheo_vector(8), 0, 0);
        double *coarse = draw(dev, rheo_uniform16, row[r].key, rheo_vector(8), 0, 0);
        for (int k = 0; k < 4; k++) {
            cr_expect_eq(fine[4 * row[r].block + k], (row[r].words[k] >> 8) * 0x1p-24, "row %zu word %d", r, k);
            cr_expect_eq(coarse[4 * row[r].block + k], (row[r].words[k] >> 16) * 0x1p-16, "row %zu word %d", r, k);
        }
        free(fine);
        free(coarse);
    }
    rheo_device_close(dev);
}

/* Every field of the address at its largest; sample numbers wrap. */
Test(random, address_is_the_counter)
{
    static const uint32_t key[4] = { 0xa4093822, 0x299f31d0, 0xfffffff0u, 0xfffffffeu };
    const rheo_shape shape = { 5, 1, 3, 7 };
    rheo_device *dev = test_device();
    double *u = draw(dev, rheo_uniform, key, shape, 255, 0xffffff), *z = draw(dev, rheo_normal, key, shape, 255, 0xffffff);
    for (uint32_t n = 0; n < 5; n++)
        for (uint32_t e = 0; e < 21; e++) {
            const uint32_t counter[4] = { e / 4, key[3] + n, key[2], 0xffffffffu };
            uint32_t words[4];
            double normals[4];
            rheo_philox(counter, key, words);
            rheo_philox_normals(words, normals);
            cr_expect_eq(u[n * 21 + e], rheo_philox_uniform(words[e % 4]), "sample %u element %u", n, e);
            cr_expect(fabs(z[n * 21 + e] - normals[e % 4]) <= 5e-6, "sample %u element %u: %.9g, expected %.9g", n, e, z[n * 21 + e],
                      normals[e % 4]);
        }
    free(u);
    free(z);
    rheo_device_close(dev);
}

/* R3: a sample does not depend on the batch it is drawn in. Sizes straddle blocks of four and the device's vectors. */
Test(random, sample_alone_equals_sample_in_batch)
{
    static const int64_t elements[] = { 1, 2, 17, 64, 67, 300 }, batches[] = { 1, 7, 128 };
    static const random_maker makers[] = { rheo_uniform, rheo_uniform16, rheo_normal };
    rheo_device *dev = test_device();
    for (size_t d = 0; d < sizeof elements / sizeof *elements; d++)
        for (size_t m = 0; m < sizeof makers / sizeof *makers; m++) {
            const int64_t count = elements[d];
            const size_t bytes = (size_t)count * sizeof(double);
            const uint32_t all[4] = { 11, 22, 33, 400 };
            double *reference = draw(dev, makers[m], all, RHEO_SHAPE(128, 1, 1, count), 6, 9);
            for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
                const uint32_t first = b == 2 ? 0 : 64, key[4] = { 11, 22, 33, 400 + first };
                double *part = draw(dev, makers[m], key, RHEO_SHAPE(batches[b], 1, 1, count), 6, 9);
                cr_expect_arr_eq(part, reference + first * count, bytes * (size_t)batches[b], "%lld elements, kind %zu, batch of %lld",
                                 (long long)count, m, (long long)batches[b]);
                free(part);
            }
            free(reference);
        }
    rheo_device_close(dev);
}

/* R2: bounds are four standard errors of 2^22 draws. */
Test(random, moments)
{
    static const uint32_t key[4] = { 2024, 0, 0, 0 };
    const int64_t n = 1 << 22;
    rheo_device *dev = test_device();
    double *z = draw(dev, rheo_normal, key, RHEO_SHAPE(4, 1, 1024, 1024), RHEO_FOR_DSM_NOISE, 0), m[5] = { 0 }, largest = 0;
    for (int64_t i = 0; i < n; i++) {
        double power = 1;
        for (int k = 1; k <= 4; k++) m[k] += (power *= z[i]) / (double)n;
        largest = fmax(largest, fabs(z[i]));
    }
    cr_expect(fabs(m[1]) < 0.002 && fabs(m[2] - 1) < 0.0028 && fabs(m[3]) < 0.005 && fabs(m[4] - 3) < 0.01, "moments %.5f %.5f %.5f %.5f",
              m[1], m[2], m[3], m[4]);
    cr_expect(largest > 4.5 && largest < 5.7683, "largest %.5f", largest);
    free(z);
    rheo_device_close(dev);
}

/* Nodes merge only if their numbers are the same numbers. */
Test(random, merging)
{
    rheo_state *s = rheo_state_create();
    const int keys = rheo_storage_add(s, "keys", RHEO_U32, 8);
    rheo_graph *g = rheo_graph_create(s, &rheo_op_arithmetic);
    const rheo_value key = rheo_window(g, keys, 0, rheo_vector(4)), other = rheo_window(g, keys, 4, rheo_vector(4));
    const rheo_shape shape = { 2, 1, 1, 3 };
    const rheo_value a = rheo_normal(g, key, shape, 6, 1);
    cr_expect_eq(rheo_normal(g, key, shape, 6, 1).node, a.node);
    cr_expect_neq(rheo_normal(g, key, shape, 6, 2).node, a.node);
    cr_expect_neq(rheo_normal(g, key, shape, 7, 1).node, a.node);
    cr_expect_neq(rheo_normal(g, other, shape, 6, 1).node, a.node);
    cr_expect_neq(rheo_normal(g, key, RHEO_SHAPE(2, 1, 3, 1), 6, 1).node, a.node);
    cr_expect_neq(rheo_uniform(g, key, shape, 6, 1).node, a.node);
    cr_expect(!rheo_graph_error(g)->status);
    cr_expect(rheo_is_none(rheo_normal(g, key, shape, 6, 1u << 24)));
    cr_expect(strstr(rheo_graph_error(g)->text, "id 16777216 below 2^24"), "%s", rheo_graph_error(g)->text);
    rheo_graph_destroy(g);
    rheo_state_destroy(s);
}
