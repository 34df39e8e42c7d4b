/* Samples of score models through the public calls: batches, known pixels, interpolation, refusals (score 5; 14: R3, S7). */
#include <math.h>

#include "runs.h"

enum { DIMS = 16 };
static const char *const tiny = "{\"network\": \"v1\", \"width\": 4, \"levels\": 3, \"sigma_end\": 0.1, \"steps\": 4, \"epsilon\": 1e-4}";

static rheo_train_options score_run(const char *data, const char *run, const char *config)
{
    rheo_train_options o = small(run, getenv("RHEO_TEST_DEVICE"), 2);
    o.model = "ncsn";
    o.data = data;
    o.model_config = config;
    o.batch = 4;
    o.memory = "store";
    return o;
}

/* A model of 4 x 4 images after two steps. */
static rheo_checkpoint *open_model(scratch *s, const char *config)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = NULL;
    char run[100];
    *s = scratch_make();
    make_images(s->folder);
    snprintf(run, sizeof run, "%s/run", s->folder);
    const rheo_train_options o = score_run(s->folder, run, config);
    ASSERT_OK(rheo_train(&o, &err));
    ASSERT_OK(rheo_checkpoint_open(run, o.device, NULL, &c, &err));
    return c;
}

static void expect_near(const float *a, const float *b, int n, float most, const char *what)
{
    for (int k = 0; k < n; k++) cr_assert(fabsf(a[k] - b[k]) <= most, "%s: element %d: %g and %g", what, k, (double)a[k], (double)b[k]);
}

Test(score_sampling, a_sample_is_a_function_of_seed_and_index)
{
    enum { MANY = 70 }; /* more than one batch */
    scratch s;
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = open_model(&s, tiny);
    rheo_langevin_options o;
    float many[MANY * DIMS], few[7 * DIMS], one[DIMS], again[7 * DIMS];
    rheo_langevin_defaults(&o);
    for (int at_data = 0; at_data < 2; at_data++) {
        o.data_init = at_data;
        o.n = MANY;
        ASSERT_OK(rheo_sample_langevin(c, &o, many, &err));
        o.n = 7;
        ASSERT_OK(rheo_sample_langevin(c, &o, few, &err));
        ASSERT_OK(rheo_sample_langevin(c, &o, again, &err));
        o.n = 1;
        ASSERT_OK(rheo_sample_langevin(c, &o, one, &err));
        cr_assert(!memcmp(few, again, sizeof few), "a draw can be repeated");
        expect_near(many, few, 7 * DIMS, 1e-5f, "70 and 7");
        expect_near(many, one, DIMS, 1e-5f, "70 and 1");
        cr_assert(memcmp(many, many + DIMS, sizeof one), "samples differ");
        for (int k = 0; k < MANY * DIMS; k++) cr_assert(many[k] >= 0 && many[k] <= 1);
    }
    unsigned char bytes[7 * DIMS], expected[7 * DIMS];
    o.data_init = 0;
    o.n = 7;
    ASSERT_OK(rheo_sample_langevin(c, &o, few, &err));
    rheo_to_bytes(few, sizeof expected, expected);
    ASSERT_OK(rheo_sample(c, 7, 1, 0, bytes, &err));
    cr_expect(!memcmp(bytes, expected, sizeof bytes), "rheo_sample is the model's own schedule");
    rheo_checkpoint_close(c);
    clean(&s);
}

/* Chains that take no steps show their starts, which are the address's uniforms whatever the batch. */
Test(score_sampling, starts_are_equal_bit_for_bit)
{
    scratch s;
    rheo_error err = RHEO_ERROR_INIT;
    float all[65 * DIMS], one[DIMS];
    rheo_checkpoint *c = open_model(&s, "{\"network\": \"v2\", \"width\": 4, \"levels\": 2, \"steps\": 0, \"denoise\": \"off\"}");
    rheo_langevin_options l;
    rheo_langevin_defaults(&l);
    l.n = 65;
    ASSERT_OK(rheo_sample_langevin(c, &l, all, &err));
    l.n = 1;
    ASSERT_OK(rheo_sample_langevin(c, &l, one, &err));
    cr_assert(!memcmp(all, one, sizeof one));
    rheo_checkpoint_close(c);
    clean(&s);
}

Test(score_sampling, known_pixels)
{
    enum { N = 3 };
    scratch s;
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = open_model(&s, tiny);
    static const char *const variants[] = { "v1", "v2" };
    unsigned char image[DIMS], mask[DIMS], bytes[N * DIMS];
    float out[N * DIMS], noisy[N * DIMS];
    rheo_langevin_options o;
    rheo_langevin_defaults(&o);
    o.n = N;
    for (int k = 0; k < DIMS; k++) image[k] = (unsigned char)(17 * k), mask[k] = k % 4 < 2 ? 255 : 0;
    for (int v = 0; v < 2; v++) {
        rheo_inpaint_options how = { variants[v], "restore" };
        ASSERT_OK(rheo_inpaint(c, image, mask, &how, &o, out, &err));
        how.finish = "noisy";
        ASSERT_OK(rheo_inpaint(c, image, mask, &how, &o, noisy, &err));
        rheo_to_bytes(out, N * DIMS, bytes);
        int moved = 0;
        for (int k = 0; k < N * DIMS; k++) {
            const float given = (float)image[k % DIMS] / 255;
            if (!mask[k % DIMS])
                cr_assert(out[k] <= noisy[k] && out[k] >= noisy[k], "%s: an unknown pixel depends on the finish", variants[v]);
            else
                cr_assert(out[k] <= given && out[k] >= given && bytes[k] == image[k % DIMS], "%s: pixel %d is not restored", variants[v],
                          k);
            if (mask[k % DIMS]) moved += fabsf(noisy[k] - given) > 0;
            if (mask[k % DIMS]) cr_assert(fabsf(noisy[k] - given) < 0.7f, "%s: pixel %d is far from what is known", variants[v], k);
        }
        cr_expect(moved, "%s: noisy pixels keep their noise", variants[v]);
        cr_expect(memcmp(out, out + DIMS, DIMS * sizeof *out), "completions differ");
    }
    memset(mask, 0, sizeof mask); /* nothing known: ordinary samples */
    float free_[N * DIMS];
    ASSERT_OK(rheo_inpaint(c, image, mask, NULL, &o, out, &err));
    ASSERT_OK(rheo_sample_langevin(c, &o, free_, &err));
    expect_near(out, free_, N * DIMS, 1e-5f, "nothing known");
    memset(mask, 1, sizeof mask);
    ASSERT_OK(rheo_inpaint(c, image, mask, NULL, &o, out, &err));
    rheo_to_bytes(out, DIMS, bytes);
    cr_assert(!memcmp(bytes, image, DIMS));
    rheo_checkpoint_close(c);
    clean(&s);
}

/* ---- progress, snapshots, stopping -------------------------------------------------------------------------------- */

typedef struct told {
    rheo_langevin_progress last;
    int calls;
    int stop;
} told;

static void listen(void *user, const rheo_langevin_progress *now)
{
    told *t = user;
    t->last = *now;
    t->calls++;
}

static void stop_at_once(void *user, const rheo_langevin_progress *now)
{
    (void)now;
    ((told *)user)->stop = 1;
}

Test(score_sampling, what_is_told_on_the_way)
{
    scratch s;
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = open_model(&s, tiny);
    told t = { .calls = 0 };
    float out[12 * DIMS];
    unsigned char *picture = NULL;
    unsigned h, w, channels;
    char path[100];
    rheo_langevin_options o;
    rheo_langevin_defaults(&o);
    snprintf(path, sizeof path, "%s/way.png", s.folder);
    o.n = 12;
    o.progress = listen;
    o.user = &t;
    o.stop = &t.stop;
    o.snapshots = path;
    ASSERT_OK(rheo_sample_langevin(c, &o, out, &err));
    cr_expect(t.calls >= 1 && t.last.step == 12 && t.last.steps == 12 && t.last.level == 3 && t.last.levels == 3, "%llu of %llu",
              (unsigned long long)t.last.step, (unsigned long long)t.last.steps);
    ASSERT_OK(rheo_image_read(path, &picture, &h, &w, &channels, &err));
    cr_assert(w == 4 * 6 + 2 && h == 10 * 6 + 2 && channels == 1, "10 chains, the start and 3 levels: %u x %u", w, h);
    unsigned char last[DIMS];
    rheo_to_bytes(out + 9 * DIMS, DIMS, last);
    for (int k = 0; k < DIMS; k++)
        cr_assert_eq(picture[(9 * 6 + 2 + k / 4) * w + 3 * 6 + 2 + k % 4], last[k], "the last column is the sample");
    free(picture);
    o.method = "langevin";
    o.steps = 40;
    ASSERT_OK(rheo_sample_langevin(c, &o, out, &err));
    cr_expect(t.last.steps == 40 && t.last.levels == 1);
    ASSERT_OK(rheo_image_read(path, &picture, &h, &w, &channels, &err));
    cr_expect_eq(w, 12 * 6 + 2);
    free(picture);
    o.progress = stop_at_once;
    o.steps = 100000;
    ASSERT_FAILS(rheo_sample_langevin(c, &o, out, &err), RHEO_ESTOPPED, "stopped after step");
    rheo_checkpoint_close(c);
    clean(&s);
}

Test(score_sampling, interpolation_has_a_middle)
{
    scratch s;
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = open_model(&s, tiny);
    float out[5 * DIMS];
    rheo_langevin_options o;
    rheo_langevin_defaults(&o);
    o.n = 5;
    ASSERT_OK(rheo_interpolate(c, &o, out, &err));
    double near = 0, far = 0;
    for (int k = 0; k < DIMS; k++) near += fabs((double)(out[k] - out[DIMS + k])), far += fabs((double)(out[k] - out[4 * DIMS + k]));
    cr_expect(near > 0 && near < far, "neighbours are nearer than the ends: %g, %g", near, far);
    o.n = 1;
    ASSERT_FAILS(rheo_interpolate(c, &o, out, &err), RHEO_EINVAL, "2 at least");
    rheo_checkpoint_close(c);
    clean(&s);
}

Test(score_sampling, refusals)
{
    scratch s;
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = open_model(&s, tiny), *flow = NULL;
    float out[DIMS];
    unsigned char bytes[DIMS] = { 0 };
    char run[100];
    rheo_checkpoint_facts f;
    rheo_langevin_options o;
    rheo_langevin_defaults(&o);
    o.n = 1;
    rheo_checkpoint_facts_of(c, &f);
    cr_expect(f.score && !f.vectors);
    ASSERT_FAILS(rheo_sample(c, 1, 0.8, 0, bytes, &err), RHEO_EINVAL, "temperature: found 0.8, but ncsn is a score model");
    o.epsilon = 0.03;
    ASSERT_FAILS(rheo_sample_langevin(c, &o, out, &err), RHEO_EINVAL, "would diverge");
    o.step_convention = "alpha";
    ASSERT_OK(rheo_sample_langevin(c, &o, out, &err));
    o.step_convention = "beta";
    ASSERT_FAILS(rheo_sample_langevin(c, &o, out, &err), RHEO_EINVAL, "step convention: found 'beta', expected eta or alpha");
    o.step_convention = NULL;
    o.epsilon = -1;
    ASSERT_FAILS(rheo_sample_langevin(c, &o, out, &err), RHEO_EINVAL, "epsilon: found -1");
    o.epsilon = 0;
    o.method = "hmc";
    ASSERT_FAILS(rheo_sample_langevin(c, &o, out, &err), RHEO_EINVAL, "method: found 'hmc'");
    o.method = NULL;
    ASSERT_FAILS(rheo_inpaint(c, bytes, bytes, &(rheo_inpaint_options){ "v3", NULL }, &o, out, &err), RHEO_EINVAL, "variant: found 'v3'");
    snprintf(run, sizeof run, "%s/flow", s.folder);
    const rheo_train_options points = small(run, getenv("RHEO_TEST_DEVICE"), 1);
    ASSERT_OK(rheo_train(&points, &err));
    ASSERT_OK(rheo_checkpoint_open(run, points.device, NULL, &flow, &err));
    ASSERT_FAILS(rheo_inpaint(flow, bytes, bytes, NULL, &o, out, &err), RHEO_EINVAL, "found a model of kind glow, expected a score model");
    ASSERT_FAILS(rheo_sample_langevin(flow, &o, out, &err), RHEO_EINVAL, "found a model of kind glow");
    rheo_checkpoint_close(flow);
    rheo_checkpoint_close(c);
    clean(&s);
}
