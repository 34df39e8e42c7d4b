#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

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

rheo_status rheo_mmd_polynomial(rheo_points a, rheo_points b, int subsets, int64_t size, uint64_t seed, double *mean, double *error,
                                rheo_error *err)
{
    /* Subsets that are all of a set are all the same, and their spread would be nothing. */
    if (size >= a.n) size = a.n / 2;
    if (size >= b.n) size = b.n / 2;
    float *xa = malloc((size_t)(size * a.d) * sizeof *xa + 1), *xb = malloc((size_t)(size * a.d) * sizeof *xb + 1);
    rheo_status st = xa && xb ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "kernel discrepancy: out of memory");
    double sum = 0, squares = 0;
    for (int k = 0; k < subsets && !st; k++) {
        double value = 0;
        st = rheo_draw_rows(a, size, seed, (uint32_t)(2 * k), xa, err);
        if (!st) st = rheo_draw_rows(b, size, seed, (uint32_t)(2 * k + 1), xb, err);
        if (!st) st = discrepancy(POLYNOMIAL, (rheo_points){ size, a.d, xa }, (rheo_points){ size, a.d, xb }, 0, &value, err);
        sum += value;
        squares += value * value;
    }
    *mean = sum / subsets;
    *error = subsets > 1 ? sqrt(fmax(0, squares / subsets - *mean * *mean) / (subsets - 1)) : 0;
    free(xa);
    free(xb);
    return st;
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
        rheo_sort(all, pairs);
        *out = sqrt((double)all[pairs / 2]);
    }
    free(squares);
    free(all);
    return st;
}
