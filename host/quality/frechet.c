#include <cblas.h>
#include <math.h>
#include <stdlib.h>

#include "quality/measures.h"

/* root = V diag(sqrt(max(value, 0))) V^T, vectors as rows; scaled is scratch [d, d] */
static void square_root(int64_t d, const double *values, const double *vectors, double *scaled, double *root)
{
    for (int64_t i = 0; i < d * d; i++) scaled[i] = vectors[i] * (values[i / d] > 0 ? sqrt(values[i / d]) : 0);
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)d, (int)d, (int)d, 1, vectors, (int)d, scaled, (int)d, 0, root, (int)d);
}

/* tr (S1^1/2 S2 S1^1/2)^1/2 with scratch of 3 d x d and d; s1 is overwritten. */
static rheo_status trace_of_root(int64_t d, double *s1, const double *s2, double *scratch, double *trace, rheo_error *err)
{
    double *vectors = scratch, *root = scratch + d * d, *product = root + d * d, *values = product + d * d;
    rheo_status st = rheo_eigen(d, s1, d, values, vectors, err);
    if (st) return st;
    square_root(d, values, vectors, product, root);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)d, (int)d, (int)d, 1, root, (int)d, s2, (int)d, 0, vectors, (int)d);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)d, (int)d, (int)d, 1, vectors, (int)d, root, (int)d, 0, product, (int)d);
    st = rheo_eigen(d, product, d, values, NULL, err);
    *trace = 0;
    for (int64_t i = 0; i < d && !st; i++) *trace += values[i] > 0 ? sqrt(values[i]) : 0;
    return st;
}

rheo_status rheo_frechet(const rheo_moments *a, const rheo_moments *b, double *out, rheo_error *err)
{
    const int64_t d = a->d;
    double trace = 0, sum = 0;
    double *scratch = malloc((size_t)(4 * d * d + d) * sizeof *scratch);
    if (!scratch) return rheo_fail(err, RHEO_ENOMEM, "quality: out of memory");
    double *s1 = scratch + 3 * d * d + d;
    for (int64_t i = 0; i < d * d; i++) s1[i] = a->covariance[i];
    const rheo_status st = trace_of_root(d, s1, b->covariance, scratch, &trace, err);
    for (int64_t i = 0; i < d; i++) {
        const double step = a->mean[i] - b->mean[i];
        sum += step * step + a->covariance[i * d + i] + b->covariance[i * d + i];
    }
    *out = sum - 2 * trace;
    free(scratch);
    return st;
}
