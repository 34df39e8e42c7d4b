/* Distances between two sets of points, each as published (score 11). Sets are features or pixels, [n, d]. */
#ifndef RHEO_QUALITY_MEASURES_H
#define RHEO_QUALITY_MEASURES_H

#include "quality/dense.h"

/* Frechet distance between Gaussians of these moments (Heusel et al. 2017): |m1 - m2|^2 + tr(S1 + S2 - 2 (S1^1/2 S2 S1^1/2)^1/2),
 * negative eigenvalues taken for 0. frechet.c */
rheo_status rheo_frechet(const rheo_moments *a, const rheo_moments *b, double *out, rheo_error *err);

/* Precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020) with balls to the k-th other
 * neighbour. Both sets are of equal size, more than k. prdc.c */
typedef struct rheo_prdc {
    double precision, recall, density, coverage;
} rheo_prdc;
rheo_status rheo_prdc_of(rheo_points real, rheo_points fake, int64_t k, rheo_prdc *out, rheo_error *err);

/* Sliced Wasserstein distance of order p, 1 or 2 (Rabin et al. 2011), sets of equal size: the mean over directions drawn from
 * the seed of |a_(i) - b_(i)|^p over sorted projections, to 1/p. sliced.c */
rheo_status rheo_sliced_wasserstein(rheo_points a, rheo_points b, int directions, int p, uint64_t seed, double *out, rheo_error *err);

/* Unbiased squared kernel discrepancy (Gretton et al. 2012); may be negative. mmd.c
 *   polynomial   k = (a.b / d + 1)^3, mean and standard error over subsets of `size` rows (of sets that are no larger: of halves) drawn from
 *                the seed (Binkowski et al. 2018)
 *   gaussian     k = exp(-|a - b|^2 / (2 h^2)) over all rows */
rheo_status rheo_mmd_polynomial(rheo_points a, rheo_points b, int subsets, int64_t size, uint64_t seed, double *mean, double *error,
                                rheo_error *err);
rheo_status rheo_mmd_gaussian(rheo_points a, rheo_points b, double h, double *out, rheo_error *err);
/* The median distance between different rows, for h. */
rheo_status rheo_median_distance(rheo_points a, double *out, rheo_error *err);

/* The `count` nearest rows of `among` to each row of p, nearest first: index and distance [p.n, count]. nearest.c */
rheo_status rheo_nearest(rheo_points p, rheo_points among, int count, uint32_t *index, float *distance, rheo_error *err);

#endif
