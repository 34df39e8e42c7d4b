#include "quality/dense.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"

enum { ROWS = 1024 }; /* centred at a time */

void rheo_moments_free(rheo_moments *m)
{
    free(m->mean);
    free(m->covariance);
    m->mean = m->covariance = NULL;
}

static void add_means(rheo_points p, double *mean)
{
    for (int64_t i = 0; i < p.n; i++)
        for (int64_t j = 0; j < p.d; j++) mean[j] += (double)p.x[i * p.d + j];
    for (int64_t j = 0; j < p.d; j++) mean[j] /= (double)p.n;
}

/* Centred before it is squared, so that nothing cancels. */
static void add_products(rheo_points p, const double *mean, double *block, double *covariance)
{
    for (int64_t first = 0; first < p.n; first += ROWS) {
        const int64_t n = p.n - first < ROWS ? p.n - first : ROWS;
        for (int64_t i = 0; i < n * p.d; i++) block[i] = (double)p.x[first * p.d + i] - mean[i % p.d];
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)p.d, (int)n, 1 / (double)(p.n - 1), block, (int)p.d, 1, covariance,
                    (int)p.d);
    }
    for (int64_t i = 0; i < p.d; i++)
        for (int64_t j = 0; j < i; j++) covariance[i * p.d + j] = covariance[j * p.d + i];
}

rheo_status rheo_moments_of(rheo_points p, rheo_moments *out, rheo_error *err)
{
    if (p.n < 2) return rheo_fail(err, RHEO_EINVAL, "quality: %lld rows, expected at least 2", (long long)p.n);
    rheo_moments m = { p.n, p.d, calloc((size_t)p.d, sizeof(double)), calloc((size_t)(p.d * p.d), sizeof(double)) };
    double *block = malloc((size_t)(ROWS * p.d) * sizeof *block);
    rheo_status st = RHEO_OK;
    if (m.mean && m.covariance && block) {
        add_means(p, m.mean);
        add_products(p, m.mean, block, m.covariance);
    } else {
        st = rheo_fail(err, RHEO_ENOMEM, "quality: no memory for a covariance of %lld numbers", (long long)p.d);
    }
    free(block);
    if (st)
        rheo_moments_free(&m);
    else
        *out = m;
    return st;
}

rheo_status rheo_eigen(int64_t d, double *matrix, int64_t k, double *values, double *vectors, rheo_error *err)
{
    double *all = malloc((size_t)d * sizeof *all), *columns = vectors ? malloc((size_t)(d * k) * sizeof *columns) : NULL;
    lapack_int *support = malloc(2 * (size_t)d * sizeof *support), found = 0, code = 0;
    rheo_status st = RHEO_OK;
    for (int64_t i = 0; i < d * d && !st; i++)
        if (!isfinite(matrix[i])) st = rheo_fail(err, RHEO_EINVAL, "quality: the covariance is not finite");
    if (!all || !support || (vectors && !columns)) st = rheo_fail(err, RHEO_ENOMEM, "quality: out of memory");
    if (!st)
        code = LAPACKE_dsyevr(LAPACK_ROW_MAJOR, vectors ? 'V' : 'N', 'I', 'U', (lapack_int)d, matrix, (lapack_int)d, 0, 0,
                              (lapack_int)(d - k + 1), (lapack_int)d, 0, &found, all, columns, (lapack_int)k, support);
    if (!st && (code || found != k))
        st = rheo_fail(err, RHEO_EINVAL, "quality: no eigenvalues of the covariance (LAPACK says %d)", (int)code);
    for (int64_t i = 0; i < k && !st; i++) {
        values[i] = all[k - 1 - i];
        for (int64_t j = 0; j < d && vectors; j++) vectors[i * d + j] = columns[j * k + k - 1 - i];
    }
    free(all);
    free(columns);
    free(support);
    return st;
}

void rheo_row_squares(rheo_points p, float *out)
{
    for (int64_t i = 0; i < p.n; i++) {
        double sum = 0;
        for (int64_t j = 0; j < p.d; j++) sum += (double)p.x[i * p.d + j] * (double)p.x[i * p.d + j];
        out[i] = (float)sum;
    }
}

void rheo_squared_distances(rheo_points a, const float *a_squares, rheo_points b, const float *b_squares, float *out)
{
    for (int64_t i = 0; i < a.n; i++)
        for (int64_t j = 0; j < b.n; j++) out[i * b.n + j] = a_squares[i] + b_squares[j];
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)a.n, (int)b.n, (int)a.d, -2, a.x, (int)a.d, b.x, (int)b.d, 1, out, (int)b.n);
    for (int64_t i = 0; i < a.n * b.n; i++) out[i] = out[i] > 0 ? out[i] : 0;
}

static int by_size(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

void rheo_sort(float *x, int64_t n) { qsort(x, (size_t)n, sizeof *x, by_size); }

rheo_status rheo_draw_rows(rheo_points p, int64_t count, uint64_t seed, uint32_t round, float *out, rheo_error *err)
{
    uint32_t *order = malloc((size_t)p.n * sizeof *order);
    if (!order) return rheo_fail(err, RHEO_ENOMEM, "quality: out of memory");
    for (int64_t i = 0; i < p.n; i++) order[i] = (uint32_t)i;
    rheo_shuffle(order, (uint32_t)p.n, seed, round);
    for (int64_t i = 0; i < count; i++) memcpy(out + i * p.d, p.x + order[i] * p.d, (size_t)p.d * sizeof *out);
    free(order);
    return RHEO_OK;
}
