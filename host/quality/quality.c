#include "quality/quality.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/png.h"

enum { FEATURES = 64, NEIGHBOURS = 5, DIRECTIONS = 512, SUBSETS = 10, SUBSET_ROWS = 1000, SCALES = 3 };

float *rheo_pixels_of(const rheo_dataset *data, const rheo_rows *rows, uint32_t count)
{
    const size_t n = (size_t)count * data->h * data->w * data->c;
    float *x = malloc(n * sizeof *x + 1);
    if (x) rheo_from_bytes(rows->images, n, x);
    return x;
}

/* ---- memorisation ------------------------------------------------------------------------------------- */

/* Images reflected left to right */
static void mirror(const rheo_dataset *data, rheo_points p, float *out)
{
    const int64_t w = data->w, c = data->c;
    for (int64_t line = 0; line < p.n * (int64_t)data->h; line++)
        for (int64_t i = 0; i < w; i++) memcpy(out + (line * w + i) * c, p.x + (line * w + w - 1 - i) * c, (size_t)c * sizeof *out);
}

/* The `count` nearest of both orientations: of each place the nearer, so that the first is the nearest of all. */
static rheo_status nearest_of_both(const rheo_dataset *data, rheo_points p, rheo_points train, int count, uint32_t *index, float *distance,
                                   rheo_error *err)
{
    float *mirrored = malloc((size_t)(p.n * p.d) * sizeof *mirrored), *far = malloc((size_t)(p.n * count) * sizeof *far);
    uint32_t *near = malloc((size_t)(p.n * count) * sizeof *near);
    rheo_status st = mirrored && far && near ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "quality: out of memory");
    if (!st) mirror(data, p, mirrored);
    if (!st) st = rheo_nearest(p, train, count, index, distance, err);
    if (!st) st = rheo_nearest((rheo_points){ p.n, p.d, mirrored }, train, count, near, far, err);
    for (int64_t i = 0; i < p.n * count && !st; i += count)
        if (far[i] < distance[i]) {
            memcpy(index + i, near + i, (size_t)count * sizeof *index);
            memcpy(distance + i, far + i, (size_t)count * sizeof *distance);
        }
    free(mirrored);
    free(far);
    free(near);
    return st;
}

/* Nearest distances of samples against those of held-out images, both sorted. */
static void compare_nearest(const float *sample, const float *test, int64_t n, rheo_quality_values *out)
{
    const double first_percentile = (double)test[n / 100];
    int64_t below = 0;
    while (below < n && (double)sample[below] < first_percentile) below++;
    out->nearest_ratio = (double)sample[n / 2] / (double)test[n / 2];
    out->memorised = (double)below / (double)n;
}

static rheo_status find_memorised(const rheo_dataset *data, rheo_points samples, rheo_points test, rheo_points train, rheo_quality *out,
                                  rheo_error *err)
{
    const size_t n = (size_t)samples.n;
    uint32_t *index = malloc(n * sizeof *index);
    float *of_samples = malloc(n * sizeof *of_samples), *of_test = malloc(n * sizeof *of_test);
    rheo_status st = index && of_samples && of_test ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "quality: out of memory");
    if (!st) st = nearest_of_both(data, samples, train, 1, index, of_samples, err);
    if (!st) st = nearest_of_both(data, test, train, 1, index, of_test, err);
    if (!st) {
        rheo_sort(of_samples, samples.n);
        rheo_sort(of_test, samples.n);
        compare_nearest(of_samples, of_test, samples.n, &out->samples);
        compare_nearest(of_test, of_test, samples.n, &out->floor);
    }
    free(index);
    free(of_samples);
    free(of_test);
    return st;
}

/* ---- features ------------------------------------------------------------------------------------------- */

/* Everything that one set's comparison with the training images needs. */
typedef struct reference {
    const rheo_pca *pca;
    const rheo_moments *moments;     /* of all training images' features */
    rheo_points some, some_whitened; /* as many as there are samples */
    double h;                        /* median distance of `some` */
    uint64_t seed;
} reference;

static rheo_status kernels(const reference *r, rheo_points features, rheo_points whitened, rheo_quality_values *out, rheo_error *err)
{
    static const double scale[SCALES] = { 0.5, 1, 2 };
    rheo_status st = rheo_mmd_polynomial(whitened, r->some_whitened, SUBSETS, SUBSET_ROWS, r->seed, &out->mmd_polynomial,
                                         &out->mmd_polynomial_error, err);
    for (int k = 0; k < SCALES && !st; k++) st = rheo_mmd_gaussian(features, r->some, scale[k] * r->h, &out->mmd_gaussian[k], err);
    return st;
}

static rheo_status compare(const reference *r, rheo_points pixels, rheo_quality_values *out, rheo_error *err)
{
    const int64_t k = r->pca->k;
    float *f = malloc((size_t)(pixels.n * k) * sizeof *f), *w = malloc((size_t)(pixels.n * k) * sizeof *w);
    const rheo_points features = { pixels.n, k, f }, whitened = { pixels.n, k, w };
    rheo_moments moments = { 0 };
    rheo_prdc prdc = { 0 };
    rheo_status st = f && w ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "quality: out of memory");
    if (!st) st = rheo_pca_project(r->pca, pixels, f, w, err);
    if (!st) st = rheo_moments_of(features, &moments, err);
    if (!st) st = rheo_frechet(&moments, r->moments, &out->frechet, err);
    if (!st) st = rheo_prdc_of(r->some, features, NEIGHBOURS, &prdc, err);
    if (!st) st = rheo_sliced_wasserstein(features, r->some, DIRECTIONS, 2, r->seed, &out->sliced_wasserstein, err);
    if (!st) st = kernels(r, features, whitened, out, err);
    out->precision = prdc.precision, out->recall = prdc.recall, out->density = prdc.density, out->coverage = prdc.coverage;
    rheo_moments_free(&moments);
    free(f);
    free(w);
    return st;
}

static rheo_status compare_both(rheo_points samples, rheo_points test, rheo_points train, uint64_t seed, rheo_quality *out, rheo_error *err)
{
    rheo_pca pca = { 0 };
    rheo_moments moments = { 0 };
    float *all = NULL, *some = NULL, *features = NULL, *whitened = NULL;
    rheo_status st = rheo_pca_fit(train, FEATURES, &pca, err);
    const int64_t k = pca.k, n = samples.n;
    if (st) return st;
    all = malloc((size_t)(train.n * k) * sizeof *all);
    some = malloc((size_t)(n * train.d) * sizeof *some);
    features = malloc((size_t)(n * k) * sizeof *features);
    whitened = malloc((size_t)(n * k) * sizeof *whitened);
    if (!all || !some || !features || !whitened) st = rheo_fail(err, RHEO_ENOMEM, "quality: out of memory");
    reference r = { .pca = &pca, .moments = &moments, .some = { n, k, features }, .some_whitened = { n, k, whitened }, .seed = seed };
    if (!st) st = rheo_pca_project(&pca, train, all, NULL, err);
    if (!st) st = rheo_moments_of((rheo_points){ train.n, k, all }, &moments, err);
    if (!st) st = rheo_draw_rows(train, n, seed, 0, some, err);
    if (!st) st = rheo_pca_project(&pca, (rheo_points){ n, train.d, some }, features, whitened, err);
    if (!st) st = rheo_median_distance(r.some, &r.h, err);
    if (!st) st = compare(&r, samples, &out->samples, err);
    if (!st) st = compare(&r, test, &out->floor, err);
    rheo_pca_free(&pca);
    rheo_moments_free(&moments);
    free(all);
    free(some);
    free(features);
    free(whitened);
    return st;
}

rheo_status rheo_quality_of(const rheo_dataset *data, rheo_points samples, uint64_t seed, rheo_quality *out, rheo_error *err)
{
    const rheo_rows *train = &data->split[RHEO_SPLIT_TRAIN], *test = &data->split[RHEO_SPLIT_TEST];
    if (samples.n <= FEATURES || samples.n > test->count || samples.n > train->count)
        return rheo_fail(err, RHEO_EINVAL, "quality: %lld samples, expected more than %d and not more than there are test images, %u",
                         (long long)samples.n, FEATURES, test->count < train->count ? test->count : train->count);
    float *train_pixels = rheo_pixels_of(data, train, train->count), *test_pixels = rheo_pixels_of(data, test, (uint32_t)samples.n);
    rheo_status st = train_pixels && test_pixels ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "quality: no memory for %u images", train->count);
    const rheo_points reals = { train->count, samples.d, train_pixels }, held_out = { samples.n, samples.d, test_pixels };
    memset(out, 0, sizeof *out);
    out->images = (uint64_t)samples.n;
    out->training_images = train->count;
    if (!st) st = compare_both(samples, held_out, reals, seed, out, err);
    if (!st) st = find_memorised(data, samples, held_out, reals, out, err);
    free(train_pixels);
    free(test_pixels);
    return st;
}

rheo_status rheo_nearest_pictures(const rheo_dataset *data, rheo_points samples, int count, uint8_t *out, rheo_error *err)
{
    const rheo_rows *train = &data->split[RHEO_SPLIT_TRAIN];
    const size_t d = (size_t)samples.d, places = (size_t)samples.n * (size_t)count;
    float *pixels = rheo_pixels_of(data, train, train->count), *distance = malloc(places * sizeof *distance);
    uint32_t *index = malloc(places * sizeof *index);
    rheo_status st = pixels && distance && index ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "quality: out of memory");
    if (!st) st = nearest_of_both(data, samples, (rheo_points){ train->count, samples.d, pixels }, count, index, distance, err);
    for (int64_t i = 0; i < samples.n && !st; i++) {
        uint8_t *row = out + (size_t)i * (size_t)(1 + count) * d;
        rheo_quantise(samples.x + (size_t)i * d, d, row);
        for (int k = 0; k < count; k++) memcpy(row + (size_t)(1 + k) * d, train->images + index[i * count + k] * d, d);
    }
    free(pixels);
    free(distance);
    free(index);
    return st;
}
