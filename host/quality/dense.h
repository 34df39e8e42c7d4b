/* Dense linear algebra in double over BLAS and LAPACK: what measures of quality need of it. Matrices are row-major. */
#ifndef RHEO_QUALITY_DENSE_H
#define RHEO_QUALITY_DENSE_H

#include "base/error.h"

/* Rows of a data set or of features: lent. */
typedef struct rheo_points {
    int64_t n, d;
    const float *x; /* [n, d] */
} rheo_points;

/* Mean and covariance (divisor n - 1); the caller frees with rheo_moments_free. */
typedef struct rheo_moments {
    int64_t n, d;
    double *mean;       /* [d] */
    double *covariance; /* [d, d] */
} rheo_moments;

/* Needs n > 1. Errors: RHEO_EINVAL, RHEO_ENOMEM. */
rheo_status rheo_moments_of(rheo_points p, rheo_moments *out, rheo_error *err);
void rheo_moments_free(rheo_moments *m); /* a zeroed one is fine */

/* The k largest eigenvalues of a symmetric matrix, falling, with their vectors as rows of vectors [k, d] (NULL: not wanted).
 * The matrix is overwritten. Errors: RHEO_EINVAL where it holds something that is not finite. */
rheo_status rheo_eigen(int64_t d, double *matrix, int64_t k, double *values, double *vectors, rheo_error *err);

/* Sum of squares of each row. */
void rheo_row_squares(rheo_points p, float *out);
/* out[i, j] = |a_i - b_j|^2 from the rows' sums of squares; in float32, so its error is some eps32 of those sums. */
void rheo_squared_distances(rheo_points a, const float *a_squares, rheo_points b, const float *b_squares, float *out);

/* Smallest first. */
void rheo_sort(float *x, int64_t n);

/* `count` rows of p into out, drawn without repetition by (seed, round). */
rheo_status rheo_draw_rows(rheo_points p, int64_t count, uint64_t seed, uint32_t round, float *out, rheo_error *err);

#endif
