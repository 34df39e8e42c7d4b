/* Chains on the exact score of 64 images (score 14: S5, S6): what they end at, and how many of the images they find. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "base/philox.h"
#include "expect.h"
#include "sample/chain.h"
#include "sample/ladder.h"
#include "support.h"

enum { IMAGES = 64, SIDE = 28, D = SIDE * SIDE, CHAINS = 400 };

/* Each pixel a uniform number times one of its image's own. */
static float *make_images(void)
{
    float *x = malloc((size_t)IMAGES * D * sizeof *x);
    for (uint32_t k = 0; k < IMAGES; k++)
        for (uint32_t i = 0; i < D; i++) {
            const rheo_address at = { .seed = 64, .sample = k, .purpose = RHEO_FOR_SYNTHETIC_DATA };
            uint32_t pixel[4], image[4];
            rheo_philox_block(&at, i / 4, pixel);
            rheo_philox_block(&at, D / 4, image);
            x[(size_t)k * D + i] = (float)(rheo_philox_uniform(pixel[i % 4]) * rheo_philox_uniform(image[0]));
        }
    return x;
}

/* s = (sum_j w_j x_j - x) / sigma^2, w = softmax(-|x - x_j|^2 / (2 sigma^2)); |x|^2 is the same for all j. ctx: the images. */
static rheo_value score_of_images(rheo_graph *g, void *ctx, rheo_value x, rheo_value labels, rheo_value sigma)
{
    const float *images = ctx;
    float half[IMAGES];
    (void)labels;
    for (int k = 0; k < IMAGES; k++) {
        double sum = 0;
        for (int i = 0; i < D; i++) sum += (double)images[k * D + i] * (double)images[k * D + i];
        half[k] = (float)(sum / 2);
    }
    const rheo_shape shape = rheo_shape_of(g, x);
    const rheo_value rows = rheo_reshape(g, x, RHEO_SHAPE(1, 1, shape.n, D)),
                     table = rheo_table_f32(g, RHEO_SHAPE(1, 1, IMAGES, D), images);
    const rheo_value variance = rheo_square(g, sigma);
    const rheo_value near = rheo_sub(g, rheo_matmul(g, rows, table, false, true), rheo_table_f32(g, rheo_vector(IMAGES), half));
    const rheo_value mean = rheo_matmul(g, rheo_softmax(g, rheo_div(g, near, variance)), table, false, false);
    return rheo_div(g, rheo_sub(g, rheo_reshape(g, mean, shape), x), variance);
}

static void run(rheo_device *dev, float *images, const rheo_annealing *a, const float *x0, float *x)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_state *state = rheo_state_create();
    rheo_chain chain = { 0 };
    ASSERT_OK(rheo_state_bind(state, dev, &err));
    ASSERT_OK(rheo_chain_create(state, RHEO_SHAPE(CHAINS, SIDE, SIDE, 1), RHEO_CHAIN_FREE, a, score_of_images, images, NULL, &chain, &err));
    ASSERT_OK(rheo_chain_run(&chain, 5, 0, x0, NULL, NULL, &err));
    ASSERT_OK(rheo_chain_read(&chain, x, &err));
    rheo_chain_free(&chain);
    rheo_state_destroy(state);
}

typedef struct ends {
    double rms;      /* per pixel, to the nearest image, over all chains */
    double farthest; /* the same, of the chain that is farthest from any */
    int found;       /* images that are nearest to a chain */
} ends;

static ends look(const float *images, const float *x)
{
    bool found[IMAGES] = { false };
    ends e = { 0 };
    for (int n = 0; n < CHAINS; n++) {
        double best = INFINITY;
        int which = 0;
        for (int k = 0; k < IMAGES; k++) {
            double sum = 0;
            for (int i = 0; i < D; i++) {
                const double off = (double)x[n * D + i] - (double)images[k * D + i];
                sum += off * off / D;
            }
            if (sum < best) best = sum, which = k;
        }
        found[which] = true;
        e.rms += best / CHAINS;
        e.farthest = fmax(e.farthest, sqrt(best));
    }
    e.rms = sqrt(e.rms);
    for (int k = 0; k < IMAGES; k++) e.found += found[k];
    return e;
}

static double largest_distance(const float *images)
{
    rheo_error err = RHEO_ERROR_INIT;
    double largest = 0;
    ASSERT_OK(rheo_largest_distance(images, IMAGES, D, &largest, &err));
    return largest;
}

Test(modes, the_published_schedules_end_at_images)
{
    double v1[10], v2[400];
    rheo_device *dev = test_device();
    float *images = make_images(), *x = malloc((size_t)CHAINS * D * sizeof *x), *clean = malloc((size_t)CHAINS * D * sizeof *clean);

    rheo_ladder(1, 0.01, 10, true, v1);
    const double last = v1[9];
    run(dev, images, &(rheo_annealing){ .levels = 10, .sigma = v1, .steps = 100, .epsilon = 2e-5 }, NULL, x);
    const ends first = look(images, x);
    cr_log_info("v1: rms %.6f, farthest %.6f, %d images", first.rms, first.farthest, first.found);
    cr_expect_float_eq(first.rms, 0.010541, 0.02 * 0.010541, "rms %f", first.rms);
    cr_expect_lt(first.farthest, 2 * 0.010541);
    cr_expect_leq(first.found, 58, "v1: %d of %d images", first.found, IMAGES);

    run(dev, images, &(rheo_annealing){ .levels = 1, .sigma = &last, .steps = 0, .epsilon = 2e-5, .denoise = true }, x, clean);
    cr_expect_lt(look(images, clean).rms, 1e-6, "denoised: rms %g", look(images, clean).rms);

    const double widest = largest_distance(images);
    const int levels = rheo_ladder_length(widest, 0.01, rheo_ladder_ratio(D, 0.5));
    cr_assert_leq(levels, 400);
    rheo_ladder(widest, 0.01, levels, true, v2);
    run(dev, images, &(rheo_annealing){ .levels = levels, .sigma = v2, .steps = 5, .epsilon = 1.11e-5 }, NULL, x);
    const ends second = look(images, x);
    cr_log_info("v2: %d levels from %.2f, %d images", levels, widest, second.found);
    cr_expect_geq(second.found, 62, "v2: %d of %d images", second.found, IMAGES);

    free(images), free(x), free(clean);
    rheo_device_close(dev);
}
