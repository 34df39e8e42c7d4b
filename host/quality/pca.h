/* Features without a downloaded network: projections on the first principal components of the training data
 * (score 11.2a). */
#ifndef RHEO_QUALITY_PCA_H
#define RHEO_QUALITY_PCA_H

#include "quality/dense.h"

typedef struct rheo_pca {
    int64_t d, k;
    double *mean;     /* [d] */
    double *basis;    /* [k, d] orthonormal rows */
    double *variance; /* [k] along them, falling */
    double total;     /* variance in all d directions */
} rheo_pca;

/* The k first components of the rows, or as many as there are. The caller frees. */
rheo_status rheo_pca_fit(rheo_points p, int64_t k, rheo_pca *out, rheo_error *err);
void rheo_pca_free(rheo_pca *pca); /* a zeroed one is fine */

/* Rows' coordinates [n, k] along the components, from the mean; and, unless NULL, the same divided by each one's deviation. */
rheo_status rheo_pca_project(const rheo_pca *pca, rheo_points p, float *out, float *whitened, rheo_error *err);

#endif
