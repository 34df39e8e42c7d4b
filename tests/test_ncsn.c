/* Score networks under the trainer: what they lose, that runs resume bit for bit, and what is refused. */
#include "model/ncsn.h"

#include <math.h>

#include "runs.h"
#include "sample/ladder.h"
#include "train/bands.h"

static const char tiny[] = "{\"network\": \"v2\", \"width\": 4, \"sigma_begin\": 1, \"levels\": 4}";

/* Of changing place and brightness. */
static int blob(int image, int y, int x)
{
    const double from = hypot(y - 2 - image % 4, x - 2 - image / 4 % 4);
    return (int)((128 + image) * exp(-from * from / 4));
}

/* A folder of 80 + 16 images of 8 x 8, and how to train on them in its folder `run`. */
static rheo_train_options blobs(scratch *s, char run[100], const char *device, int64_t iterations)
{
    *s = scratch_make();
    make_images_of(s->folder, 8, 80, 16, blob);
    snprintf(run, 100, "%s/run", s->folder);
    rheo_train_options o = small(run, device, iterations);
    o.model = "ncsn";
    o.data = s->folder;
    o.model_config = tiny;
    o.batch = 8;
    return o;
}

static rheo_model *model_of(const char *config, rheo_data_shape shape)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_model *m = NULL;
    cJSON *json = cJSON_Parse(config);
    ASSERT_OK(rheo_model_ncsn.create(json, shape, 1, &m, &err));
    cJSON_Delete(json);
    return m;
}

/* ---- losses ------------------------------------------------------------------------------------------------------ */

/* Mean loss of n rows with all parameters zero: the score is zero, the loss |z|^2 / 2 (score L1). */
static double loss_of_zero(const char *device, const char *config, rheo_data_shape shape, const rheo_rows *rows)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_instance in;
    rheo_evaluator e;
    rheo_average m;
    ASSERT_OK(rheo_instance_create(model_of(config, shape), device, &in, &err));
    const int64_t flat = rheo_params_flat(in.model->params, true);
    float *zeros = calloc((size_t)flat, sizeof *zeros);
    ASSERT_OK(rheo_state_write(in.state, in.theta, 0, flat, zeros, &err));
    ASSERT_OK(rheo_evaluator_create(&in, in.theta, 16, true, &e, &err));
    cr_assert_null(e.round_trip);
    double *each = malloc(rows->count * sizeof *each);
    ASSERT_OK(rheo_evaluator_mean(&e, rows, rows->count, 3, NULL, &m, each, &err));

    rheo_band band[RHEO_BANDS];
    const int bands = rheo_bands(in.model, each, rows->count, 3, band);
    double sum = 0;
    uint64_t images = 0;
    cr_assert_eq(bands, 4);
    for (int k = 0; k < bands; k++) {
        cr_expect(k == 0 || band[k].first < band[k - 1].last);
        cr_expect(band[k].images > 0);
        sum += band[k].loss * (double)band[k].images;
        images += band[k].images;
    }
    cr_expect_eq(images, rows->count);
    cr_expect(fabs(sum / (double)images - m.mean) <= 1e-9 * m.mean);
    free(each);
    free(zeros);
    rheo_evaluator_free(&e);
    rheo_instance_free(&in);
    return m.mean;
}

Test(ncsn, a_zero_network_loses_half_the_dimensions)
{
    const rheo_data_shape shape = { 8, 8, 1, true };
    enum { N = 256, D = 64 };
    static uint8_t images[N * D];
    const rheo_rows rows = { .count = N, .images = images };
    for (int i = 0; i < N * D; i++) images[i] = (uint8_t)(i * 37);
    for (int k = 0; k < device_count(); k++) {
        const double got = loss_of_zero(device_of(k), tiny, shape, &rows);
        cr_expect(fabs(got / (D / 2.0) - 1) <= 4 * sqrt(2.0 / (N * D)), "%s: %g, expected %g", device_of(k) ? device_of(k) : "device", got, D / 2.0);
    }
}

/* ---- runs ---------------------------------------------------------------------------------------------------------- */

static void check_resumed(const char *device, const char *data, const char *config)
{
    scratch s;
    rheo_error err = RHEO_ERROR_INIT;
    char once[100], twice[100];
    rheo_train_options o = blobs(&s, once, device, 6);
    snprintf(twice, sizeof twice, "%s/twice", s.folder);
    if (data) o.data = data;
    o.model_config = config;
    ASSERT_OK(rheo_train(&o, &err));
    o.run = twice;
    o.iterations = 2;
    ASSERT_OK(rheo_train(&o, &err));
    o.iterations = 6;
    ASSERT_OK(rheo_resume(&o, &err));
    state a = read_state(once), b = read_state(twice);
    expect_same(&a, &b);
    cr_expect_eq(a.shot.applied, 6);
    free_state(&a);
    free_state(&b);
    clean(&s);
}

/* Not on the host executor, whose doubles a file does not keep. */
Test(ncsn, resumes_bit_for_bit)
{
    static const char v1[] = "{\"network\": \"v1\", \"width\": 2, \"levels\": 3, \"objective\": \"ssm-vr\"}";
    if (device_count() == 1) cr_skip_test("no device");
    check_resumed(device_of(1), NULL, tiny);
    check_resumed(device_of(1), NULL, v1);
    check_resumed(device_of(1), "toy:moons", "{\"width\": 16}");
}

/* Of the last look in the log its mean and number of bands; how many looks there are. */
static void read_looks(const char *run, double *valid, int *looks, int *bands)
{
    char path[160], line[4096];
    snprintf(path, sizeof path, "%s/log.jsonl", run);
    FILE *f = fopen(path, "r");
    *looks = 0;
    while (f && fgets(line, sizeof line, f)) {
        cJSON *json = cJSON_Parse(line);
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(json, "valid");
        if (v) {
            *valid = v->valuedouble;
            *bands = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(json, "bands"));
            (*looks)++;
        }
        cJSON_Delete(json);
    }
    if (f) fclose(f);
}

Test(ncsn, loss_falls_and_is_evaluated)
{
    scratch s;
    rheo_error err = RHEO_ERROR_INIT;
    char run[100];
    double before = NAN, after = NAN, out[1];
    int looks = 0, bands = 0;
    rheo_train_options o = blobs(&s, run, device_of(device_count() - 1), 1);
    ASSERT_OK(rheo_train(&o, &err));
    read_looks(run, &before, &looks, &bands);
    cr_assert_eq(looks, 1);
    cr_expect_eq(bands, 4);
    o.iterations = 60;
    ASSERT_OK(rheo_resume(&o, &err));
    read_looks(run, &after, &looks, &bands);
    cr_expect(after < 0.95 * before, "%g after 60 steps, %g after one", after, before);

    rheo_checkpoint *c = NULL;
    rheo_evaluation e;
    rheo_evaluate_options eo;
    rheo_evaluate_defaults(&eo);
    ASSERT_OK(rheo_checkpoint_open(run, o.device, NULL, &c, &err));
    ASSERT_OK(rheo_evaluate(c, &eo, &e, &err));
    cr_expect(isnan(e.bits_per_dim) && isnan(e.nats) && isnan(e.round_trip_error) && isfinite(e.loss) && isfinite(e.standard_error));
    cr_expect_str_eq(e.unit, "loss");
    cr_expect_eq(e.bands, 4);
    static const uint8_t image[64];
    ASSERT_FAILS(rheo_log_prob(c, image, 1, 0, out, &err), RHEO_EINVAL, "ncsn has no likelihood");
    rheo_checkpoint_close(c);
    clean(&s);
}

/* ---- options --------------------------------------------------------------------------------------------------------- */

Test(ncsn, auto_follows_the_rules_and_is_written_down)
{
    scratch s;
    rheo_error err = RHEO_ERROR_INIT;
    char run[100];
    rheo_train_options o = blobs(&s, run, "host", 1);
    o.model_config = "{\"width\": 2, \"auto\": true, \"sigma_end\": 0.5, \"steps\": 20}";
    ASSERT_OK(rheo_train(&o, &err));
    state a = read_state(run);
    const rheo_ncsn *m = (const rheo_ncsn *)a.model;
    const double first = m->sigma[0], ratio = m->sigma[0] / m->sigma[1];
    cr_expect(first > 0.5 && first < 8, "%g", first);
    cr_expect_eq(m->levels, rheo_ladder_length(first, 0.5, rheo_ladder_ratio(64, 0.5)));
    cr_expect(fabs(m->epsilon / rheo_ladder_step(ratio, 0.5, 20) - 1) < 1e-9);
    cr_expect_null(cJSON_GetObjectItem(a.recipe.config, "auto"));
    free_state(&a);
    clean(&s);
}

Test(ncsn, defaults_belong_to_the_model)
{
    rheo_model *v2 = model_of("{}", (rheo_data_shape){ 28, 28, 1, true }), *mlp = model_of("{}", (rheo_data_shape){ 1, 1, 2, false });
    const rheo_training_defaults a = v2->type->defaults(v2), b = mlp->type->defaults(mlp);
    cr_expect(a.lr == 1e-4 && a.ema == 0.999 && a.clip == 0 && a.warmup == 0 && a.batch == 32 && !a.falling);
    cr_expect(b.lr == 1e-3 && b.batch == 128);
    cr_expect_str_eq(rheo_unit_name(v2), "loss");
    cr_expect_eq(rheo_unit(v2), 1);
    rheo_model_destroy(v2);
    rheo_model_destroy(mlp);
}

Test(ncsn, what_is_wrong_is_named)
{
    static const struct {
        const char *config;
        rheo_data_shape shape;
        const char *message;
    } cases[] = {
        { "{\"levels\": 0}", { 8, 8, 1, true }, "levels: found 0" },
        { "{\"sigma_begin\": 1, \"sigma_end\": 2}", { 8, 8, 1, true }, "expected falling levels" },
        { "{\"network\": \"baseline\", \"sigma_begin\": 1, \"sigma_end\": 2}", { 8, 8, 1, true }, "expected falling levels" },
        { "{\"epsilon\": 1}", { 8, 8, 1, true }, "chains would diverge" },
        { "{\"network\": \"mlp\"}", { 8, 8, 1, true }, "mlp is for vectors" },
        { "{}", { 7, 8, 1, true }, "expected even height and width" },
        { "{\"network\": \"v3\"}", { 8, 8, 1, true }, "network: found 'v3', expected v1, baseline, v2 or mlp; did you mean v1?" },
        { "{\"depth\": 3}", { 8, 8, 1, true }, "ncsn: no option 'depth'" },
        { "{\"objective\": \"dsm\"}", { 1, 1, 2, false }, "dsm needs noise" },
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        rheo_error err = RHEO_ERROR_INIT;
        rheo_model *m = NULL;
        cJSON *json = cJSON_Parse(cases[k].config);
        ASSERT_FAILS(rheo_model_ncsn.create(json, cases[k].shape, 1, &m, &err), RHEO_EINVAL, cases[k].message);
        cJSON_Delete(json);
    }
}

Test(ncsn, auto_and_inversion_are_refused_where_they_make_no_sense)
{
    scratch s;
    rheo_error err = RHEO_ERROR_INIT;
    char run[100];
    rheo_train_options o = blobs(&s, run, "host", 1);
    o.model_config = "{\"network\": \"baseline\", \"auto\": true}";
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, "auto: network baseline");
    o.model_config = tiny;
    o.memory = "invert";
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, "memory: found invert");
    o.memory = "auto";
    o.model = "glow";
    o.model_config = "{\"auto\": true}";
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, "glow: no option 'auto'");
    clean(&s);
}
