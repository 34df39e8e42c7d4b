/* Philox: published vectors (score 9), moments (R2, reduced), the shuffle. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "base/philox.h"

Test(philox, vectors)
{
    static const struct { uint32_t counter[4], key[2], out[4]; } row[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { ~0u, ~0u, ~0u, ~0u }, { ~0u, ~0u }, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
        { { 1, 0, 0, 0 }, { 0x4d2, 0 }, { 0x9eeede35, 0x1cbe137c, 0xfa277093, 0x147edd50 } },
    };
    for (size_t r = 0; r < sizeof row / sizeof *row; r++) {
        uint32_t out[4];
        rheo_philox(row[r].counter, row[r].key, out);
        for (int k = 0; k < 4; k++)
            cr_assert_eq(out[k], row[r].out[k], "row %zu word %d: found %08x, expected %08x", r, k, out[k], row[r].out[k]);
    }
}

Test(philox, address_is_the_counter)
{
    const rheo_address at = { .seed = 0x299f31d0a4093822u, .sample = 5, .step = 7, .purpose = RHEO_FOR_LANGEVIN_NOISE, .id = 0x123456 };
    const uint32_t counter[4] = { 3, 5, 7, 0x08123456 }, key[2] = { 0xa4093822, 0x299f31d0 };
    uint32_t found[4], expected[4];
    rheo_philox_block(&at, 3, found);
    rheo_philox(counter, key, expected);
    cr_assert_arr_eq(found, expected, sizeof found);
    cr_assert_eq(RHEO_FOR_SYNTHETIC_DATA, 13);
}

Test(philox, numbers)
{
    static const double uniforms[4] = { .39904642, .88052016, .73571277, .60548180 };
    static const double normals[4] = { .991137475, -.924662780, -.617609055, -.482068347 };
    static const double keyed[4] = { .743367123, .633082628, .188317235, .103621948 };
    const rheo_address zero = { .seed = 0 }, other = { .seed = 1234 };
    uint32_t words[4];
    double z[4];
    rheo_philox_block(&zero, 0, words);
    rheo_philox_normals(words, z);
    for (int k = 0; k < 4; k++) {
        cr_assert_float_eq(rheo_philox_uniform(words[k]), uniforms[k], 6e-9);
        cr_assert_float_eq(z[k], normals[k], 6e-10, "z%d = %.9f, expected %.9f", k, z[k], normals[k]);
    }
    rheo_philox_block(&other, 1, words);
    rheo_philox_normals(words, z);
    for (int k = 0; k < 4; k++) cr_assert_float_eq(z[k], keyed[k], 6e-10);

    cr_assert_eq(rheo_philox_uniform(~0u), 1 - 0x1p-24);
    cr_assert_eq(rheo_philox_uniform_open(0), 0x1p-24);
    cr_assert_eq(rheo_philox_uniform_open(~0u), 1 - 0x1p-24);
    cr_assert_eq(rheo_philox_uniform16(~0u), 1 - 0x1p-16);
    cr_assert_eq(255.0f + (float)rheo_philox_uniform16(~0u), 256.0 - 0x1p-16, "a byte plus 16 bits is exact in float32");
    cr_assert_eq(rheo_philox_below(~0u, 10), 9);
    cr_assert_eq(rheo_philox_below(0, 10), 0);
    const uint32_t extreme[4] = { 0, 0, 0, 0x40000000 };     /* smallest uniform; angles 0 and a quarter turn */
    rheo_philox_normals(extreme, z);
    cr_assert_float_eq(z[0], sqrt(48 * log(2)), 1e-14);
    cr_assert(z[1] == 0 && z[2] == 0 && z[3] == z[0], "quadrants are exact");
}

Test(philox, moments)
{
    enum { BLOCKS = 1 << 18 };       /* 2^20 normals: four times the standard error of 2^22 in R2 is doubled */
    const rheo_address at = { .seed = 20240229, .purpose = RHEO_FOR_METRIC };
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
    for (uint32_t b = 0; b < BLOCKS; b++) {
        uint32_t words[4];
        double z[4];
        rheo_philox_block(&at, b, words);
        rheo_philox_normals(words, z);
        for (int k = 0; k < 4; k++) {
            m1 += z[k];
            m2 += z[k] * z[k];
            m3 += z[k] * z[k] * z[k];
            m4 += z[k] * z[k] * z[k] * z[k];
        }
    }
    const double n = 4.0 * BLOCKS;
    cr_assert_float_eq(m1 / n, 0, .004);
    cr_assert_float_eq(m2 / n, 1, .0056);
    cr_assert_float_eq(m3 / n, 0, .010);
    cr_assert_float_eq(m4 / n, 3, .020 + 6 * .0056);     /* raw fourth moment moves with the variance */
}

static void fill(uint32_t *index, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++) index[k] = k;
}

Test(philox, shuffle)
{
    enum { N = 1001 };
    uint32_t a[N], b[N], seen[N] = { 0 };
    for (uint32_t n = 0; n <= 9; n++) {      /* as the definition says, an element at a time */
        fill(a, n);
        fill(b, n);
        rheo_shuffle(a, n, 99, 4);
        for (uint32_t i = n; i-- > 1;) {
            const uint32_t counter[4] = { i / 4, 0, 4, 2u << 24 }, key[2] = { 99, 0 };
            uint32_t words[4];
            rheo_philox(counter, key, words);
            const uint32_t j = (uint32_t)((uint64_t)words[i % 4] * (i + 1) >> 32), kept = b[i];
            b[i] = b[j];
            b[j] = kept;
        }
        for (uint32_t k = 0; k < n; k++) cr_assert_eq(a[k], b[k]);
    }
    fill(a, N);
    fill(b, N);
    rheo_shuffle(a, N, 1, 0);
    rheo_shuffle(b, N, 1, 1);
    int same = 0;
    for (uint32_t k = 0; k < N; k++) {
        cr_assert_lt(a[k], N);
        seen[a[k]]++;
        same += a[k] == b[k];
    }
    for (uint32_t k = 0; k < N; k++) cr_assert_eq(seen[k], 1, "a permutation");
    cr_assert_lt(same, 10, "epochs differ");

    int place[3][3] = { { 0 } };     /* each of 3 lands anywhere with 1/3: 6000 trials, deviation 37 */
    for (uint32_t epoch = 0; epoch < 6000; epoch++) {
        fill(a, 3);
        rheo_shuffle(a, 3, 5, epoch);
        for (int k = 0; k < 3; k++) place[a[k]][k]++;
    }
    for (int k = 0; k < 9; k++) cr_assert_float_eq(place[k / 3][k % 3], 2000, 150);
}
