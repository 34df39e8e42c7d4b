/* Codes of a flow through the public calls: there and back, and what is done with them (flows 2.5, 9.4; 11: T-I2 to T-I4). */
#include <math.h>
#include <sys/stat.h>

#include "data/png.h"
#include "runs.h"

enum { SIDE = 4, DIMS = SIDE * SIDE, N = 10 };
#define TINY "{\"levels\": 2, \"depth\": 2, \"width\": 6}"

/* A model of 4 x 4 images after so many steps, or of moons. */
static rheo_checkpoint *open_model(scratch *s, int k, bool images, const char *config, int64_t steps)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = NULL;
    char run[100];
    *s = scratch_make();
    make_images(s->folder);
    snprintf(run, sizeof run, "%s/run", s->folder);
    rheo_train_options o = small(run, device_of(k), steps);
    if (images) o.data = s->folder;
    o.model_config = config;
    o.batch = 8;
    ASSERT_OK(rheo_train(&o, &err));
    ASSERT_OK(rheo_checkpoint_open(run, o.device, "raw", &c, &err));
    return c;
}

static void expect_within_a_level(const unsigned char *a, const unsigned char *b, int n, const char *what)
{
    for (int k = 0; k < n; k++) cr_assert(abs(a[k] - b[k]) <= 1, "%s: element %d: %d and %d", what, k, a[k], b[k]);
}

Test(codes, decoded_codes_are_the_images)
{
    enum { MANY = 70 }; /* more than one batch */
    static const char *const configs[] = { TINY, "{\"levels\": 1, \"depth\": 2, \"width\": 6, \"coupling\": \"additive\"}" };
    for (int k = 0; k < device_count(); k++)
        for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
            scratch s;
            rheo_error err = RHEO_ERROR_INIT;
            rheo_checkpoint *c = open_model(&s, k, true, configs[i], 3);
            rheo_data data = { .x = NULL };
            ASSERT_OK(rheo_checkpoint_data(c, NULL, "test", 0, 0, &data, &err));
            cr_assert(data.n == N && !data.labels);
            unsigned char x[MANY * DIMS], back[MANY * DIMS];
            float codes[MANY * DIMS], first[DIMS], *read = NULL;
            for (int e = 0; e < MANY * DIMS; e++) x[e] = ((unsigned char *)data.x)[e % (N * DIMS)];
            ASSERT_OK(rheo_encode(c, x, MANY, 3, codes, &err));
            ASSERT_OK(rheo_decode(c, codes, MANY, back, &err));
            expect_within_a_level(x, back, MANY * DIMS, configs[i]);
            ASSERT_OK(rheo_encode(c, x, 1, 3, first, &err));
            cr_assert(!memcmp(codes, first, sizeof first), "a code is a function of image, seed and index");
            ASSERT_OK(rheo_encode(c, x, 1, 4, first, &err));
            cr_assert(memcmp(codes, first, sizeof first), "the seed is the dequantisation's");

            uint32_t n = 0;
            const char *file = scratch_file(&s, "codes.npy");
            ASSERT_OK(rheo_codes_write(file, codes, MANY, DIMS, &err));
            ASSERT_OK(rheo_codes_read(file, DIMS, &read, &n, &err));
            cr_assert(n == MANY && !memcmp(read, codes, sizeof codes));
            ASSERT_FAILS(rheo_codes_read(file, DIMS + 1, &read, &n, &err), RHEO_EFORMAT, "expected floats [n, 17]");
            rheo_free(read);
            rheo_data_free(&data);
            rheo_checkpoint_close(c);
            clean(&s);
        }
}

Test(codes, a_model_of_five_bits_gives_them_back)
{
    scratch s;
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = open_model(&s, 0, true, "{\"levels\": 2, \"depth\": 1, \"width\": 4, \"bits\": 5}", 1);
    unsigned char x[DIMS], back[DIMS];
    float codes[DIMS];
    for (int k = 0; k < DIMS; k++) x[k] = (unsigned char)(17 * k);
    ASSERT_OK(rheo_encode(c, x, 1, 0, codes, &err));
    ASSERT_OK(rheo_decode(c, codes, 1, back, &err));
    for (int k = 0; k < DIMS; k++) cr_assert(back[k] % 8 == 0 && abs(x[k] / 8 - back[k] / 8) <= 1, "%d and %d", x[k], back[k]);
    rheo_checkpoint_close(c);
    clean(&s);
}

/* Zeros are the priors' means, and the decoder is the sampler: T-I2. */
Test(codes, zeros_are_temperature_zero)
{
    for (int k = 0; k < device_count(); k++) {
        scratch s;
        rheo_error err = RHEO_ERROR_INIT;
        rheo_checkpoint *c = open_model(&s, k, true, TINY, 3);
        const float zeros[2 * DIMS] = { 0 };
        unsigned char decoded[2 * DIMS], sampled[2 * DIMS];
        ASSERT_OK(rheo_decode(c, zeros, 2, decoded, &err));
        ASSERT_OK(rheo_sample(c, 2, 0, 9, sampled, &err));
        cr_assert(!memcmp(decoded, sampled, sizeof decoded));
        rheo_checkpoint_close(c);
        clean(&s);
    }
}

/* T-I3. */
Test(codes, interpolation_ends_at_the_images)
{
    enum { STEPS = 5 };
    for (int k = 0; k < device_count(); k++) {
        scratch s;
        rheo_error err = RHEO_ERROR_INIT;
        rheo_checkpoint *c = open_model(&s, k, true, TINY, 3);
        rheo_data data = { .x = NULL };
        float ends[2 * DIMS], codes[STEPS * DIMS];
        unsigned char out[STEPS * DIMS];
        ASSERT_OK(rheo_checkpoint_data(c, NULL, "test", 4, 2, &data, &err));
        ASSERT_OK(rheo_encode(c, data.x, 2, 0, ends, &err));
        rheo_codes_between(ends, ends + DIMS, DIMS, STEPS, codes);
        cr_assert(!memcmp(codes, ends, DIMS * sizeof *ends) && !memcmp(codes + (STEPS - 1) * DIMS, ends + DIMS, DIMS * sizeof *ends));
        for (int i = 0; i < DIMS; i++) cr_assert(fabsf(codes[2 * DIMS + i] - (ends[i] + ends[DIMS + i]) / 2) <= 1e-6f * fabsf(ends[i]) + 1e-6f);
        ASSERT_OK(rheo_decode(c, codes, STEPS, out, &err));
        expect_within_a_level(out, data.x, DIMS, "first");
        expect_within_a_level(out + (STEPS - 1) * DIMS, (unsigned char *)data.x + DIMS, DIMS, "last");
        rheo_data_free(&data);
        rheo_checkpoint_close(c);
        clean(&s);
    }
}

/* T-I4: half of the images are brighter; their direction brightens others, and its read-out <code, d> tells the halves apart. */
Test(codes, an_attribute_has_a_direction)
{
    enum { MANY = 128 };
    const double strength[] = { 0, 1, -1 };
    for (int k = 0; k < device_count(); k++) {
        scratch s;
        rheo_error err = RHEO_ERROR_INIT;
        rheo_checkpoint *c = open_model(&s, k, true, TINY, 3);
        unsigned char x[MANY * DIMS], has[MANY], out[3 * DIMS];
        float codes[MANY * DIMS], direction[DIMS], moved[3 * DIMS];
        double mean[3] = { 0 }, read[2][MANY / 2];
        for (int i = 0; i < MANY; i++) has[i] = i % 2;
        for (int i = 0; i < MANY * DIMS; i++) x[i] = (unsigned char)(100 + i * 2654435761u % 30 + 20 * has[i / DIMS]);
        ASSERT_OK(rheo_encode(c, x, MANY, 0, codes, &err));
        ASSERT_OK(rheo_codes_direction(codes, MANY, DIMS, has, direction, &err));
        for (int i = 0; i < MANY; i++) {
            read[i % 2][i / 2] = 0;
            for (int e = 0; e < DIMS; e++) read[i % 2][i / 2] += (double)codes[i * DIMS + e] * direction[e];
        }
        double auroc = 0;
        ASSERT_OK(rheo_auroc(read[0], MANY / 2, read[1], MANY / 2, &auroc, &err));
        cr_assert(auroc > 0.95, "%g", auroc);
        rheo_codes_edit(codes, direction, DIMS, 3, strength, moved);
        cr_assert(!memcmp(moved, codes, DIMS * sizeof *codes), "strength 0 is the code itself");
        ASSERT_OK(rheo_decode(c, moved, 3, out, &err));
        expect_within_a_level(out, x, DIMS, "strength 0");
        for (int i = 0; i < 3 * DIMS; i++) mean[i / DIMS] += (double)out[i] / DIMS;
        /* 1.6 times 20 levels each way, were the model linear. */
        cr_assert(mean[1] > mean[0] + 16 && mean[2] < mean[0] - 16, "%g, %g, %g", mean[2], mean[0], mean[1]);
        memset(has, 1, sizeof has);
        ASSERT_FAILS(rheo_codes_direction(codes, MANY, DIMS, has, direction, &err), RHEO_EINVAL, "direction: 128 of 128 have the attribute");
        rheo_checkpoint_close(c);
        clean(&s);
    }
}

Test(codes, pictures_of_another_folder_get_the_models_size)
{
    enum { PICTURES = 10 };
    static uint8_t pixels[8 * 12 * 3];
    scratch s, pictures = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_data data = { .x = NULL };
    rheo_checkpoint *c = open_model(&s, 0, true, TINY, 1);
    char name[16];
    memset(pixels, 77, sizeof pixels);
    for (int k = 0; k < PICTURES; k++) {
        snprintf(name, sizeof name, "%d.png", k);
        ASSERT_OK(rheo_png_write(scratch_file(&pictures, name), pixels, k % 2 ? 8 : 4, 12, 1, NULL, 0, &err));
    }
    ASSERT_OK(rheo_checkpoint_data(c, pictures.folder, "test", 0, 0, &data, &err));
    cr_assert_eq(data.n, 1);
    for (int e = 0; e < DIMS; e++) cr_assert_eq(((unsigned char *)data.x)[e], 77);
    rheo_data_free(&data);
    ASSERT_OK(rheo_png_write(scratch_file(&pictures, "0.png"), pixels, 4, 4, 3, NULL, 0, &err));
    ASSERT_FAILS(rheo_checkpoint_data(c, pictures.folder, "test", 0, 0, &data, &err), RHEO_EFORMAT, "found images of 4 x 4 x 3, expected images of 4 x 4 x 1");
    rheo_checkpoint_close(c);
    clean(&pictures);
    clean(&s);
}

Test(codes, a_class_is_named_or_numbered)
{
    static const uint8_t pixels[16] = { 0 };
    scratch s, pictures = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = open_model(&s, 0, true, TINY, 1);
    uint32_t number = 99;
    for (int k = 0; k < 4; k++) {
        static const char *const files[] = { "cat/a.png", "cat/b.png", "7/a.png", "7/b.png" };
        if (k % 2 == 0) cr_assert_eq(mkdir(scratch_file(&pictures, k ? "7" : "cat"), 0777), 0);
        ASSERT_OK(rheo_png_write(scratch_file(&pictures, files[k]), pixels, 4, 4, 1, NULL, 0, &err));
    }
    ASSERT_OK(rheo_checkpoint_class(c, pictures.folder, "cat", &number, &err));
    cr_assert_eq(number, 1);
    ASSERT_OK(rheo_checkpoint_class(c, pictures.folder, "7", &number, &err));
    cr_assert_eq(number, 0, "a name comes before a number");
    ASSERT_OK(rheo_checkpoint_class(c, pictures.folder, "1", &number, &err));
    cr_assert_eq(number, 1);
    ASSERT_FAILS(rheo_checkpoint_class(c, pictures.folder, "2", &number, &err), RHEO_EINVAL, "class: found '2', expected one of 7, cat");
    ASSERT_FAILS(rheo_checkpoint_class(c, pictures.folder, "cats", &number, &err), RHEO_EINVAL, "'cats', expected one of 7, cat");
    err = (rheo_error)RHEO_ERROR_INIT;
    ASSERT_OK(rheo_checkpoint_class(c, NULL, "9", &number, &err));
    cr_assert_eq(number, 9);
    ASSERT_FAILS(rheo_checkpoint_class(c, NULL, "256", &number, &err), RHEO_EINVAL, "class: found '256', expected a number from 0 to 255, since ");
    ASSERT_FAILS(rheo_checkpoint_class(c, NULL, "cat", &number, &err), RHEO_EINVAL, "has no names of classes");
    rheo_checkpoint_close(c);
    clean(&pictures);
    clean(&s);
}

typedef struct told {
    int calls;
    uint32_t last;
} told;

static void count_calls(void *user, uint32_t done, uint32_t of, double seconds)
{
    told *t = user;
    cr_assert(of == 150 && done > t->last && done <= of && seconds >= 0);
    t->calls++;
    t->last = done;
}

Test(codes, calls_tell_how_far_they_are)
{
    enum { MANY = 150 };
    scratch s;
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = open_model(&s, 0, true, TINY, 1);
    static unsigned char x[MANY * DIMS];
    static float codes[MANY * DIMS];
    static double nats[MANY];
    for (int k = 0; k < 3; k++) {
        told t = { 0 };
        rheo_checkpoint_watch(c, count_calls, &t);
        ASSERT_OK(k == 0   ? rheo_encode(c, x, MANY, 0, codes, &err)
                  : k == 1 ? rheo_decode(c, codes, MANY, x, &err)
                           : rheo_log_prob(c, x, MANY, 0, nats, &err));
        cr_expect(t.calls > 1 && t.last == MANY, "call %d: %d times, %u at last", k, t.calls, t.last);
        rheo_checkpoint_watch(c, NULL, NULL);
        ASSERT_OK(rheo_log_prob(c, x, MANY, 0, nats, &err));
        cr_expect_eq(t.last, MANY);
    }
    rheo_checkpoint_close(c);
    clean(&s);
}

Test(codes, vectors)
{
    enum { POINTS = 300 };
    for (int k = 0; k < device_count(); k++) {
        scratch s;
        rheo_error err = RHEO_ERROR_INIT;
        rheo_checkpoint *c = open_model(&s, k, false, "{\"depth\": 2, \"width\": 8}", 2);
        float x[2 * POINTS], codes[2 * POINTS], back[2 * POINTS];
        double square = 0;
        ASSERT_OK(rheo_sample(c, POINTS, 1, 1, x, &err));
        ASSERT_OK(rheo_encode(c, x, POINTS, 0, codes, &err));
        ASSERT_OK(rheo_decode(c, codes, POINTS, back, &err));
        for (int i = 0; i < 2 * POINTS; i++) {
            cr_assert(fabsf(x[i] - back[i]) <= 1e-4f * fmaxf(1, fabsf(x[i])), "%d: %g and %g", i, (double)x[i], (double)back[i]);
            square += (double)codes[i] * codes[i];
        }
        /* A sample's code is the normals it was drawn from: chi square of 600, whose deviation is 35. */
        cr_assert(fabs(square - 2 * POINTS) < 5 * 35, "%g", square);
        rheo_checkpoint_close(c);
        clean(&s);
    }
}

/* ---- scores ------------------------------------------------------------------------------------------------------- */

Test(codes, scores_have_the_mean_that_evaluation_finds)
{
    for (int k = 0; k < device_count(); k++) {
        scratch s;
        rheo_error err = RHEO_ERROR_INIT;
        rheo_checkpoint *c = open_model(&s, k, true, TINY, 3);
        rheo_data data = { .x = NULL };
        rheo_evaluation e;
        rheo_evaluate_options o;
        double each[N], mean = 0;
        rheo_evaluate_defaults(&o);
        o.seed = 8;
        ASSERT_OK(rheo_evaluate(c, &o, &e, &err));
        ASSERT_OK(rheo_checkpoint_data(c, NULL, "test", 0, 0, &data, &err));
        ASSERT_OK(rheo_log_prob(c, data.x, data.n, 8, each, &err));
        for (int i = 0; i < N; i++) mean += each[i] / N;
        cr_assert(fabs(mean + e.nats) <= 1e-12 * fabs(mean), "%.15g and %.15g", mean, e.nats);
        rheo_data_free(&data);
        rheo_checkpoint_close(c);
        clean(&s);
    }
}

/* The inverse of the normal distribution function, by bisection. */
static double normal_quantile(double p)
{
    double low = -10, high = 10;
    for (int k = 0; k < 60; k++) {
        const double middle = (low + high) / 2;
        if (erfc(-middle / sqrt(2)) / 2 < p) low = middle;
        else high = middle;
    }
    return low;
}

Test(codes, auroc)
{
    rheo_error err = RHEO_ERROR_INIT;
    double a = 0;
    static const struct {
        double low[4], high[4];
        uint32_t n_low, n_high;
        double expected;
    } hand[] = {
        { { 1, 2, 3 }, { 4, 5 }, 3, 2, 1 },
        { { 4, 5 }, { 3, 2, 1 }, 2, 3, 0 },
        { { 1, 1, 1 }, { 1, 1 }, 3, 2, 0.5 },
        { { 1, 3 }, { 2 }, 2, 1, 0.5 },
        { { 1, 2, 2, 4 }, { 2, 3, 4 }, 4, 3, (2.0 + 3 + 3.5) / 12 }, /* of 4: 2 is above 1 and equals two, 3 is above three, 4 above three and equals one */
        { { -INFINITY, 0 }, { 0, INFINITY }, 2, 2, (1.5 + 2) / 4 },
    };
    for (size_t k = 0; k < sizeof hand / sizeof *hand; k++) {
        ASSERT_OK(rheo_auroc(hand[k].low, hand[k].n_low, hand[k].high, hand[k].n_high, &a, &err));
        cr_assert(fabs(a - hand[k].expected) < 1e-15, "case %zu: %.15g, expected %.15g", k, a, hand[k].expected);
    }
    /* N(0, 1) against N(mu, 1): Phi(mu / sqrt 2), here of both sets' quantiles (i + 1/2) / n, so that only the grid is wrong: 1 / n. */
    enum { MANY = 2000 };
    static double low[MANY], high[MANY];
    for (int m = -1; m <= 2; m++) {
        for (int i = 0; i < MANY; i++) high[i] = (low[i] = normal_quantile((i + 0.5) / MANY)) + m;
        ASSERT_OK(rheo_auroc(low, MANY, high, MANY, &a, &err));
        cr_assert(fabs(a - erfc(-m / 2.0) / 2) < 1.0 / MANY, "mu %d: %g, expected %g", m, a, erfc(-m / 2.0) / 2);
    }
    ASSERT_FAILS(rheo_auroc(low, 0, high, 1, &a, &err), RHEO_EINVAL, "auroc: 0 and 1 scores");
    low[7] = NAN;
    ASSERT_FAILS(rheo_auroc(low, 10, high, 1, &a, &err), RHEO_ENONFINITE, "not a number");
}

Test(codes, refusals)
{
    scratch s;
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = open_model(&s, 0, true, TINY, 1), *chains = NULL;
    rheo_data data = { .x = NULL };
    float codes[DIMS] = { 0 };
    unsigned char x[DIMS] = { 0 };
    char run[100];
    ASSERT_FAILS(rheo_encode(c, x, 0, 0, codes, &err), RHEO_EINVAL, "encode: nothing asked for");
    ASSERT_FAILS(rheo_checkpoint_data(c, NULL, "all", 0, 0, &data, &err), RHEO_EINVAL, "split: found 'all'");
    ASSERT_FAILS(rheo_checkpoint_data(c, NULL, "test", N, 0, &data, &err), RHEO_EINVAL, "row 10, expected below 10");
    ASSERT_FAILS(rheo_checkpoint_data(c, "toy:moons", "test", 0, 0, &data, &err), RHEO_EFORMAT, "expected images of 4 x 4 x 1");
    ASSERT_OK(rheo_checkpoint_data(c, NULL, "test", 7, 9, &data, &err));
    cr_assert(data.n == 3 && ((unsigned char *)data.x)[0] == ramp(7, 0, 0));
    rheo_data_free(&data);
    snprintf(run, sizeof run, "%s/chains", s.folder);
    rheo_train_options o = small(run, "host", 1);
    o.model = "ncsn";
    o.model_config = "{\"width\": 4}";
    ASSERT_OK(rheo_train(&o, &err));
    ASSERT_OK(rheo_checkpoint_open(run, "host", NULL, &chains, &err));
    ASSERT_FAILS(rheo_encode(chains, codes, 1, 0, codes, &err), RHEO_EINVAL, "found a model of kind ncsn, expected a flow");
    ASSERT_FAILS(rheo_decode(chains, codes, 1, x, &err), RHEO_EINVAL, "found a model of kind ncsn, expected a flow");
    rheo_checkpoint_close(chains);
    rheo_checkpoint_close(c);
    clean(&s);
}
