/* Measures of quality against closed forms and vectors (score 11, 14: E1, E3 to E6). */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "data/npy.h"
#include "expect.h"
#include "quality/quality.h"
#include "scratch.h"

/* n rows of d normals times s, moved by `shift` along the first axis; `sample` tells sets apart. */
static float *normals(int64_t n, int64_t d, double s, double shift, uint32_t sample)
{
    float *x = malloc((size_t)(n * d) * sizeof *x);
    for (int64_t i = 0; i < n * d; i += 4) {
        const rheo_address at = { .seed = 7, .sample = sample, .purpose = RHEO_FOR_SYNTHETIC_DATA };
        uint32_t words[4];
        double z[4];
        rheo_philox_block(&at, (uint32_t)(i / 4), words);
        rheo_philox_normals(words, z);
        for (int64_t j = 0; j < 4 && i + j < n * d; j++) x[i + j] = (float)(s * z[j] + ((i + j) % d == 0 ? shift : 0));
    }
    return x;
}

static rheo_moments moments(double *mean, double *covariance) { return (rheo_moments){ 100, 2, mean, covariance }; }

Test(quality, frechet_of_given_moments)
{
    rheo_error err = RHEO_ERROR_INIT;
    double value = 0, m0[] = { 0, 0 }, m1[] = { 1, 0 }, m2[] = { 1, -1 };
    double unit[] = { 1, 0, 0, 1 }, diagonal[] = { 4, 0, 0, 1 }, s1[] = { 2, 1, 1, 2 }, s2[] = { 1, 0, 0, 3 };
    const rheo_moments a = moments(m0, unit), b = moments(m1, diagonal), c = moments(m0, s1), d = moments(m2, s2);
    ASSERT_OK(rheo_frechet(&a, &b, &value, &err));
    cr_expect_float_eq(value, 2, 1e-8, "%.10f", value);
    ASSERT_OK(rheo_frechet(&c, &d, &value, &err));
    cr_expect_float_eq(value, 2.516685226, 1e-8, "%.10f", value);
    ASSERT_OK(rheo_frechet(&d, &c, &value, &err));
    cr_expect_float_eq(value, 2.516685226, 1e-8, "not symmetric: %.10f", value);
    ASSERT_OK(rheo_frechet(&d, &d, &value, &err));
    cr_expect_float_eq(value, 0, 1e-8, "%.10f", value);
}

Test(quality, moments_of_rows)
{
    rheo_error err = RHEO_ERROR_INIT;
    const float x[] = { 1, 2, 3, 6, 5, 1 };
    rheo_moments m;
    ASSERT_OK(rheo_moments_of((rheo_points){ 3, 2, x }, &m, &err));
    cr_expect_float_eq(m.mean[0], 3, 1e-12);
    cr_expect_float_eq(m.mean[1], 3, 1e-12);
    cr_expect_float_eq(m.covariance[0], 4, 1e-12);
    cr_expect_float_eq(m.covariance[1], -1, 1e-12);
    cr_expect_float_eq(m.covariance[2], -1, 1e-12);
    cr_expect_float_eq(m.covariance[3], 7, 1e-12);
    rheo_moments_free(&m);
    cr_expect_eq(rheo_moments_of((rheo_points){ 1, 2, x }, &m, NULL), RHEO_EINVAL);
}

Test(quality, a_set_is_all_of_itself)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_prdc p;
    float *x = normals(700, 5, 1, 0, 1);
    const rheo_points set = { 700, 5, x };
    ASSERT_OK(rheo_prdc_of(set, set, 5, &p, &err));
    cr_expect_eq(p.precision, 1);
    cr_expect_eq(p.recall, 1);
    cr_expect_eq(p.density, 1, "%.12f", p.density);      /* strictly inside a ball to the 5th other: itself and four */
    cr_expect_eq(p.coverage, 1);
    cr_expect_eq(rheo_prdc_of(set, (rheo_points){ 600, 5, x }, 5, &p, NULL), RHEO_EINVAL);
    free(x);
}

/* Two clusters against the first of them: everything drawn is real, half of what is real is drawn. */
Test(quality, a_missing_cluster_lowers_recall)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_prdc p;
    float *real = normals(1000, 2, 1, 0, 1), *fake = normals(1000, 2, 1, 0, 2);
    for (int i = 0; i < 1000; i += 2) real[2 * i] += 100;
    ASSERT_OK(rheo_prdc_of((rheo_points){ 1000, 2, real }, (rheo_points){ 1000, 2, fake }, 5, &p, &err));
    cr_expect_gt(p.precision, 0.95);
    cr_expect_float_eq(p.recall, 0.5, 0.03, "%f", p.recall);
    cr_expect_float_eq(p.coverage, 0.5, 0.03, "%f", p.coverage);
    free(real);
    free(fake);
}

/* 20,000 directions: the mean of cos^2 is known to sqrt(1/2 / 4) / sqrt(20000) of itself, 0.5 %, that of |cos| better. */
Test(quality, sliced_wasserstein_of_a_translation)
{
    rheo_error err = RHEO_ERROR_INIT;
    enum { N = 50 };
    float *a = normals(N, 2, 1, 0, 1), *b = malloc(2 * N * sizeof *b);
    double value = 0;
    memcpy(b, a, 2 * N * sizeof *b);
    for (int i = 0; i < N; i++) b[2 * i] += 3, b[2 * i + 1] += 4;
    ASSERT_OK(rheo_sliced_wasserstein((rheo_points){ N, 2, a }, (rheo_points){ N, 2, b }, 20000, 2, 1, &value, &err));
    cr_expect_float_eq(value * value, 25.0 / 2, 0.02 * 25 / 2, "%f", value * value);
    ASSERT_OK(rheo_sliced_wasserstein((rheo_points){ N, 2, a }, (rheo_points){ N, 2, b }, 20000, 1, 1, &value, &err));
    cr_expect_float_eq(value, 2 / 3.14159265358979 * 5, 0.02 * 3.2, "%f", value);
    free(a);
    free(b);
}

/* |s - 1| = 1; 100,000 sorted normals are within some 1/sqrt(n) of their quantiles */
Test(quality, sliced_wasserstein_of_a_scale)
{
    rheo_error err = RHEO_ERROR_INIT;
    enum { N = 100000 };
    float *a = normals(N, 1, 1, 0, 1), *b = normals(N, 1, 2, 0, 2);
    double value = 0;
    ASSERT_OK(rheo_sliced_wasserstein((rheo_points){ N, 1, a }, (rheo_points){ N, 1, b }, 4, 2, 1, &value, &err));
    cr_expect_float_eq(value, 1, 0.02, "%f", value);
    free(a);
    free(b);
}

Test(quality, kernel_discrepancy_of_two_gaussians)
{
    rheo_error err = RHEO_ERROR_INIT;
    enum { N = 5000 };
    float *a = normals(N, 2, 1, 0, 1), *b = normals(N, 2, 1, 1, 2);
    double value = 0, error = 0;
    ASSERT_OK(rheo_mmd_gaussian((rheo_points){ N, 2, a }, (rheo_points){ N, 2, b }, 1, &value, &err));
    cr_expect_float_eq(value, 0.102346, 0.013, "%f", value);
    ASSERT_OK(rheo_mmd_polynomial((rheo_points){ N, 2, a }, (rheo_points){ N, 2, a }, 10, 1000, 3, &value, &error, &err));
    cr_expect_lt(fabs(value), 4 * error + 1e-3, "%f +- %f", value, error);
    /* Of fewer rows than a subset has: halves, which differ, and so the error is no smaller than that of the larger subsets. */
    double few = 0, few_error = 0;
    ASSERT_OK(rheo_mmd_polynomial((rheo_points){ 200, 2, a }, (rheo_points){ N, 2, a }, 10, 1000, 3, &few, &few_error, &err));
    cr_expect_gt(few_error, error, "%g of halves of 200, %g of 1,000", few_error, error);
    free(a);
    free(b);
}

Test(quality, nearest_rows_in_order)
{
    rheo_error err = RHEO_ERROR_INIT;
    const float among[] = { 0, 10, 3, 7, 4 }, p[] = { 3.4f };
    uint32_t index[3];
    float distance[3];
    ASSERT_OK(rheo_nearest((rheo_points){ 1, 1, p }, (rheo_points){ 5, 1, among }, 3, index, distance, &err));
    cr_expect_eq(index[0], 2);
    cr_expect_eq(index[1], 4);
    cr_expect_eq(index[2], 0);
    cr_expect_float_eq(distance[1], 0.6, 1e-5);
}

/* The spec's row: all 60,000 training images (here split into training and validation) against the test images. */
Test(quality, components_of_fashion_mnist)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_dataset *data = NULL;
    rheo_pca pca;
    rheo_moments train, test;
    double value = 0;
    ASSERT_OK(rheo_dataset_open("fashion-mnist", 0, 7, &data, &err));
    const rheo_rows *split = data->split;
    const int64_t n = split[0].count + split[1].count, d = 784;
    float *a = rheo_pixels_of(data, &split[0], split[0].count), *b = rheo_pixels_of(data, &split[1], split[1].count);
    float *t = rheo_pixels_of(data, &split[2], split[2].count), *all = malloc((size_t)(n * d) * sizeof *all), *f = malloc((size_t)(n * 64) * sizeof *f);
    memcpy(all, a, (size_t)(split[0].count * d) * sizeof *all);
    memcpy(all + split[0].count * d, b, (size_t)(split[1].count * d) * sizeof *all);
    ASSERT_OK(rheo_pca_fit((rheo_points){ n, d, all }, 64, &pca, &err));
    cr_expect_float_eq(pca.total, 68.2174, 1e-4, "%f", pca.total);
    cr_expect_float_eq(pca.variance[0], 19.8098, 1e-4, "%f", pca.variance[0]);
    cr_expect_float_eq(pca.variance[63], 0.07931, 1e-5, "%f", pca.variance[63]);
    ASSERT_OK(rheo_pca_project(&pca, (rheo_points){ n, d, all }, f, NULL, &err));
    ASSERT_OK(rheo_moments_of((rheo_points){ n, 64, f }, &train, &err));
    ASSERT_OK(rheo_pca_project(&pca, (rheo_points){ 10000, d, t }, f, NULL, &err));
    ASSERT_OK(rheo_moments_of((rheo_points){ 10000, 64, f }, &test, &err));
    ASSERT_OK(rheo_frechet(&test, &train, &value, &err));
    cr_expect_float_eq(value, 0.04025, 0.0005, "%f", value);
    rheo_moments_free(&train);
    rheo_moments_free(&test);
    rheo_pca_free(&pca);
    rheo_dataset_close(data);
    free(a), free(b), free(t), free(all), free(f);
}

static rheo_status load_bytes(scratch *s, const void *bytes, size_t n, rheo_npy *out)
{
    scratch_put(s, "b.npy", bytes, n);
    return rheo_npy_load(scratch_file(s, "b.npy"), out, NULL);
}

Test(npy, comes_back_and_bad_ones_are_refused)
{
    rheo_error err = RHEO_ERROR_INIT;
    scratch s = scratch_make();
    const uint64_t dim[] = { 2, 3, 1 };
    const float x[] = { 0, 1, 2, 3, 4, 5.5f };
    unsigned char file[256];
    rheo_npy npy;
    ASSERT_OK(rheo_npy_save(scratch_file(&s, "a.npy"), 3, dim, x, &err));
    ASSERT_OK(rheo_npy_load(scratch_file(&s, "a.npy"), &npy, &err));
    cr_expect_eq(npy.rank, 3);
    cr_expect_eq(npy.dim[1], 3);
    cr_expect_eq(npy.dim[3], 1);
    cr_expect_eq(memcmp(npy.data, x, sizeof x), 0);
    free(npy.data);
    FILE *f = fopen(scratch_file(&s, "a.npy"), "rb");
    const size_t n = fread(file, 1, sizeof file, f);
    fclose(f);
    cr_expect_eq(n, 128 + sizeof x);
    for (size_t cut = 0; cut < n; cut += 7) cr_expect_eq(load_bytes(&s, file, cut, &npy), RHEO_EFORMAT, "cut at %zu", cut);
    int refused = 0;
    for (size_t at = 0; at < 80; at++) {            /* one byte of the header damaged: refused, or of no importance */
        unsigned char bad[256];
        memcpy(bad, file, n);
        bad[at] ^= 0x15;
        if (load_bytes(&s, bad, n, &npy) == RHEO_OK) free(npy.data);
        else refused++;
    }
    cr_expect_gt(refused, 40);
    scratch_remove(&s);
}
