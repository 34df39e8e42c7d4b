#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "quality/measures.h"

enum { ROWS = 256, MEDIAN_ROWS = 2000 };

typedef enum kernel { POLYNOMIAL, GAUSSIAN } kernel;

/* Sum of k(a_i, b_j), without i = j where the sets are one; products [ROWS, b.n] is scratch. */
static double sum_kernel(kernel which, rheo_points a, rheo_points b, bool same, double h, float *products, const float *a2, const float *b2)
{
    double total = 0;
    for (int64_t first = 0; first < a.n; first += ROWS) {
        const rheo_points rows = { a.n - first < ROWS ? a.n - first : ROWS, a.d, a.x + first * a.d };
        if (which == GAUSSIAN)
            rheo_squared_distances(rows, a2 + first, b, b2, products);
        else
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows.n, (int)b.n, (int)a.d, 1, rows.x, (int)a.d, b.x, (int)a.d, 0,
                        products, (int)b.n);
        for (int64_t i = 0; i < rows.n; i++)
            for (int64_t j = 0; j < b.n; j++) {
                if (same && first + i == j) continue;
                const double x = (double)products[i * b.n + j], y = x / (double)a.d + 1;
                total += which == GAUSSIAN ? exp(-x / (2 * h * h)) : y * y * y;
            }
    }
    return total;
}

static rheo_status discrepancy(kernel which, rheo_points a, rheo_points b, double h, double *out, rheo_error *err)
{
    const int64_t most = a.n > b.n ? a.n : b.n;
    if (a.n < 2 || b.n < 2)
        return rheo_fail(err, RHEO_EINVAL, "kernel discrepancy: sets of %lld and %lld rows", (long long)a.n, (long long)b.n);
    float *products = malloc((size_t)(ROWS * most) * sizeof *products);
    float *a2 = malloc((size_t)a.n * sizeof *a2), *b2 = malloc((size_t)b.n * sizeof *b2);
    rheo_status st = RHEO_OK;
    if (products && a2 && b2) {
        const double n = (double)a.n, m = (double)b.n;
        rheo_row_squares(a, a2);
        rheo_row_squares(b, b2);
        *out = sum_kernel(which, a, a, true, h, products, a2, a2) / (n * (n - 1))
               + sum_kernel(which, b, b, true, h, products, b2, b2) / (m * (m - 1))
               - 2 * sum_kernel(which, a, b, false, h, products, a2, b2) / (n * m);
    } else {
        st = rheo_fail(err, RHEO_ENOMEM, "kernel discrepancy: out of memory");
    }
    free(products);
    free(a2);
    free(b2);
    return st;
}

rheo_status rheo_mmd_gaussian(rheo_points a, rheo_points b, double h, double *out, rheo_error *err)
{
    return discrepancy(GAUSSIAN, a, b, h, out, err);
}

/* `size` rows of p, drawn without repetition */
static void draw_subset(rheo_points p, int64_t size, uint64_t seed, uint32_t round, uint32_t *order, float *out)
{
    for (int64_t i = 0; i < p.n; i++) order[i] = (uint32_t)i;
    rheo_shuffle(order, (uint32_t)p.n, seed, round);
    for (int64_t i = 0; i < size; i++) memcpy(out + i * p.d, p.x + order[i] * p.d, (size_t)p.d * sizeof *out);
}

rheo_status rheo_mmd_polynomial(rheo_points a, rheo_points b, int subsets, int64_t size, uint64_t seed, double *mean, double *error,
                                rheo_error *err)
{
    if (size > a.n) size = a.n;
    if (size > b.n) size = b.n;
    const int64_t most = a.n > b.n ? a.n : b.n;
    uint32_t *order = malloc((size_t)most * sizeof *order);
    float *xa = malloc((size_t)(size * a.d) * sizeof *xa + 1), *xb = malloc((size_t)(size * a.d) * sizeof *xb + 1);
    rheo_status st = order && xa && xb ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "kernel discrepancy: out of memory");
    double sum = 0, squares = 0;
    for (int k = 0; k < subsets && !st; k++) {
        double value = 0;
        draw_subset(a, size, seed, (uint32_t)(2 * k), order, xa);
        draw_subset(b, size, seed, (uint32_t)(2 * k + 1), order, xb);
        st = discrepancy(POLYNOMIAL, (rheo_points){ size, a.d, xa }, (rheo_points){ size, a.d, xb }, 0, &value, err);
        sum += value;
        squares += value * value;
    }
    *mean = sum / subsets;
    *error = subsets > 1 ? sqrt(fmax(0, squares / subsets - *mean * *mean) / (subsets - 1)) : 0;
    free(order);
    free(xa);
    free(xb);
    return st;
}

static int by_size(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

rheo_status rheo_median_distance(rheo_points a, double *out, rheo_error *err)
{
    const int64_t n = a.n < MEDIAN_ROWS ? a.n : MEDIAN_ROWS;
    const rheo_points p = { n, a.d, a.x };
    float *squares = malloc((size_t)n * sizeof *squares), *all = malloc((size_t)(n * n) * sizeof *all);
    rheo_status st = RHEO_OK;
    if (n < 2)
        st = rheo_fail(err, RHEO_EINVAL, "median distance: %lld rows, expected at least 2", (long long)n);
    else if (!squares || !all)
        st = rheo_fail(err, RHEO_ENOMEM, "median distance: out of memory");
    if (!st) {
        int64_t pairs = 0;
        rheo_row_squares(p, squares);
        rheo_squared_distances(p, squares, p, squares, all);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = i + 1; j < n; j++) all[pairs++] = all[i * n + j]; /* fills from the front, behind what is read */
        qsort(all, (size_t)pairs, sizeof *all, by_size);
        *out = sqrt((double)all[pairs / 2]);
    }
    free(squares);
    free(all);
    return st;
}
