#include "quality/pca.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 1024 }; /* projected at a time */

void rheo_pca_free(rheo_pca *pca)
{
    free(pca->mean);
    free(pca->basis);
    free(pca->variance);
    pca->mean = pca->basis = pca->variance = NULL;
}

rheo_status rheo_pca_fit(rheo_points p, int64_t k, rheo_pca *out, rheo_error *err)
{
    rheo_moments m = { 0 };
    rheo_pca pca = { .d = p.d, .k = k < p.d ? k : p.d };
    rheo_status st = rheo_moments_of(p, &m, err);
    if (st) return st;
    for (int64_t j = 0; j < p.d; j++) pca.total += m.covariance[j * p.d + j];
    pca.mean = malloc((size_t)p.d * sizeof(double));
    pca.basis = malloc((size_t)(pca.k * p.d) * sizeof(double));
    pca.variance = malloc((size_t)pca.k * sizeof(double));
    if (!pca.mean || !pca.basis || !pca.variance) st = rheo_fail(err, RHEO_ENOMEM, "quality: out of memory");
    if (!st) memcpy(pca.mean, m.mean, (size_t)p.d * sizeof(double));
    if (!st) st = rheo_eigen(p.d, m.covariance, pca.k, pca.variance, pca.basis, err);
    rheo_moments_free(&m);
    if (st)
        rheo_pca_free(&pca);
    else
        *out = pca;
    return st;
}

rheo_status rheo_pca_project(const rheo_pca *pca, rheo_points p, float *out, float *whitened, rheo_error *err)
{
    const int64_t d = pca->d, k = pca->k;
    double *rows = malloc((size_t)(ROWS * d) * sizeof *rows), *features = malloc((size_t)(ROWS * k) * sizeof *features);
    rheo_status st = rows && features ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "quality: out of memory");
    for (int64_t first = 0; first < p.n && !st; first += ROWS) {
        const int64_t n = p.n - first < ROWS ? p.n - first : ROWS;
        for (int64_t i = 0; i < n * d; i++) rows[i] = (double)p.x[first * d + i] - pca->mean[i % d];
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)k, (int)d, 1, rows, (int)d, pca->basis, (int)d, 0, features,
                    (int)k);
        for (int64_t i = 0; i < n * k; i++) out[first * k + i] = (float)features[i];
        for (int64_t i = 0; i < n * k && whitened; i++) {
            const double variance = pca->variance[i % k];
            whitened[first * k + i] = variance > 0 ? (float)(features[i] / sqrt(variance)) : 0;
        }
    }
    free(rows);
    free(features);
    return st;
}
