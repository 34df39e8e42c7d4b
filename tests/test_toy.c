/* Toy distributions: entropies and moments against the table (flows 10), determinism. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"
#include "data/toy.h"
#include "expect.h"

/* Differential entropy of points by a histogram of cells of `side`, with Miller and Madow's correction for its bias.
 * Cells smooth the density like an added variance of side^2 / 12: 0.016 nats for rings, whose deviation is 0.08. */
static double histogram_entropy(const float *x, uint32_t n, double side)
{
    enum { GRID = 1024 };
    uint32_t *cell = calloc(GRID * GRID, sizeof *cell), used = 0;
    double h = 0;
    for (uint32_t k = 0; k < n; k++) {
        const int i = (int)floor(x[2 * k] / side) + GRID / 2, j = (int)floor(x[2 * k + 1] / side) + GRID / 2;
        cr_assert(i >= 0 && i < GRID && j >= 0 && j < GRID, "point %u = (%g, %g) is off the grid", k, x[2 * k], x[2 * k + 1]);
        cell[i * GRID + j]++;
    }
    for (int k = 0; k < GRID * GRID; k++) {
        if (!cell[k]) continue;
        h -= cell[k] * log(cell[k] / (double)n);
        used++;
    }
    free(cell);
    return h / n + (used - 1) / (2.0 * n) + 2.0 * log(side);
}

Test(toy, entropies)
{
    enum { N = 1000000 };
    float *x = malloc(2 * sizeof(float) * N);
    for (int t = 0; t < rheo_toy_count; t++) {
        const rheo_toy *toy = &rheo_toys[t];
        if (isnan(toy->entropy)) continue;
        rheo_toy_points(toy, 7, 0, N, x);
        const double h = histogram_entropy(x, N, 0.05);
        cr_expect_float_eq(h, toy->entropy, .02, "%s: histogram %.4f, table %.4f", toy->name, h, toy->entropy);
    }
    free(x);
}

Test(toy, moments)
{
    enum { N = 200000 };
    const double e1 = exp(-2), e15 = exp(-3), pi = acos(-1);
    /* mean and variance of both coordinates, exact */
    const struct { const char *name; double mean[2], var[2]; } row[] = {
        { "moons", { 0, 0.3 }, { 4 * (.5 + .25 + .01), 4 * (.5 - 4 / (pi * pi) + (2 / pi - .25) * (2 / pi - .25) + .01) } },
        { "8gaussians", { 0, 0 }, { 8.25 / 1.999396, 8.25 / 1.999396 } },
        { "rings", { 0, 0 }, { .5 * .5625 * 7.5 + .0064, .5 * .5625 * 7.5 + .0064 } },
        { "circles", { 0, 0 }, { .25 * (9 + 2.25) + .0576, .25 * (9 + 2.25) + .0576 } },
        { "four-circles", { 0, 0 }, { 3.01, 3.01 } },
        { "checkerboard", { 0, 0 }, { 16 / 3.0, 16 / 3.0 } },
        { "crescent", { 0, -.5 }, { 1, .5 + e1 } },
        { "sine-wave", { 0, 0 }, { 1, .5 * (1 - exp(-50)) + e1 } },
        { "cubed", { 0, 0 }, { 1, .04 * 15 + 1 } },
        { "abs", { 0, sqrt(2 / pi) - 1 }, { 1, 1 - 2 / pi + e15 } },
        { "sign", { 0, 0 }, { 1, 2 + 2 * sqrt(2 / pi) + e15 } },
        { "two-gaussians", { 3, 3 }, { 17, 17 } },
        { "parabola", { 1, 0 }, { 3, 4 } },
    };
    float *x = malloc(2 * sizeof(float) * N);
    for (size_t r = 0; r < sizeof row / sizeof *row; r++) {
        const rheo_toy *toy = rheo_toy_find(row[r].name);
        cr_assert(toy, "%s", row[r].name);
        rheo_toy_points(toy, 11, 0, N, x);
        for (int c = 0; c < 2; c++) {
            double m = 0, v = 0;
            for (int k = 0; k < N; k++) m += x[2 * k + c];
            m /= N;
            for (int k = 0; k < N; k++) v += (x[2 * k + c] - m) * (x[2 * k + c] - m);
            v /= N;
            const double var = row[r].var[c];
            cr_expect_float_eq(m, row[r].mean[c], 5 * sqrt(var / N), "%s mean %d: %.4f, expected %.4f", toy->name, c, m, row[r].mean[c]);
            cr_expect_float_eq(v, var, .03 * var, "%s variance %d: %.4f, expected %.4f", toy->name, c, v, var);
        }
    }
    free(x);
}

Test(toy, points_depend_on_seed_and_index_only)
{
    float all[20], part[10], other[20];
    for (int t = 0; t < rheo_toy_count; t++) {
        rheo_toy_points(&rheo_toys[t], 3, 100, 10, all);
        rheo_toy_points(&rheo_toys[t], 3, 104, 5, part);
        rheo_toy_points(&rheo_toys[t], 4, 100, 10, other);
        cr_assert_arr_eq(all + 8, part, sizeof part);
        cr_assert(memcmp(all, other, sizeof all));
    }
    rheo_error err = RHEO_ERROR_INIT;
    rheo_dataset *a;
    ASSERT_OK(rheo_dataset_open("toy:moons", 0, 7, &a, &err));
    cr_assert(a->kind == RHEO_DATA_VECTORS && a->h == 1 && a->w == 1 && a->c == 2 && a->entropy == 2.394);
    for (int k = 0; k < RHEO_SPLITS; k++) {
        cr_assert(a->split[k].count >= 5000 && a->split[k].vectors && !a->split[k].images && !a->split[k].labels);
        if (k) cr_assert(memcmp(a->split[k].vectors, a->split[0].vectors, 80) && a->split[k].fingerprint != a->split[0].fingerprint);
    }
    rheo_dataset_close(a);
}
