/* Data of few bits (flows 0.5). */
#include <math.h>

#include "runs.h"

static int any_pixel(int image, int y, int x) { return (int)(mixed((unsigned)(image * 4 + y * 2 + x)) >> 24); }

/* All probabilities of 2 x 2 images of 5 bits sum to the density's mass within [-1/2, 1/2]^4: 32^4 times the mean over random images. The
 * mass is 1 at most, and of whitened uniform data well above 1/4; with the constant of any other number of bits it would be 16 times as
 * much, or a 16th. Random images: p is spread over nearly all of them, so that the mean of 4,096 is good to a few percent. */
Test(bits, probabilities_of_five_bits_sum_to_one)
{
    enum { N = 4096, D = 4 };
    rheo_error err = RHEO_ERROR_INIT;
    scratch s = scratch_make();
    char run[100];
    make_images_of(s.folder, 2, 200, 20, any_pixel);
    snprintf(run, sizeof run, "%s/run", s.folder);
    rheo_train_options o = small(run, device_of(device_count() - 1), 60);
    o.data = s.folder;
    o.model_config = "{\"levels\": 1, \"depth\": 2, \"width\": 4, \"bits\": 5}";
    o.lr = 5e-3;
    ASSERT_OK(rheo_train(&o, &err));
    rheo_checkpoint *c = NULL;
    ASSERT_OK(rheo_checkpoint_open(run, o.device, "raw", &c, &err));
    unsigned char *x = malloc(N * D), coarse[D], sampled[64 * D];
    double *p = malloc(N * sizeof *p), again = 0, mean = 0;
    for (int i = 0; i < N * D; i++) x[i] = (unsigned char)(mixed((unsigned)i + 1000) >> 24);
    ASSERT_OK(rheo_log_prob(c, x, N, 3, p, &err));
    for (int i = 0; i < N; i++) mean += exp(p[i]) / N;
    const double mass = mean * pow(32, D);
    cr_assert(mass > 0.25 && mass < 1.25, "%g", mass);
    for (int k = 0; k < D; k++) coarse[k] = x[k] & 0xf8;
    ASSERT_OK(rheo_log_prob(c, coarse, 1, 3, &again, &err));
    cr_assert_eq(again, p[0], "the other three bits are not seen");

    rheo_evaluate_options e;
    rheo_evaluation out;
    rheo_evaluate_defaults(&e);
    ASSERT_OK(rheo_evaluate(c, &e, &out, &err));
    cr_assert_float_eq(out.bits_per_dim, out.nats / (D * log(2)), 1e-9);
    ASSERT_OK(rheo_sample(c, 64, 1, 2, sampled, &err));
    int seen[32] = { 0 }, kinds = 0;
    for (int k = 0; k < 64 * D; k++) {
        cr_assert_eq(sampled[k] % 8, 0, "%d is no level of 5 bits", sampled[k]);
        kinds += !seen[sampled[k] / 8]++;
    }
    cr_assert(kinds > 16, "%d levels", kinds);
    free(x);
    free(p);
    rheo_checkpoint_close(c);
    clean(&s);
}
