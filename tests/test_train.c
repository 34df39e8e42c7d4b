/* Training: resuming, stopping, run folders, options. */
#include <math.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <time.h>

#include "op/table.h"
#include "runs.h"

/* ---- resuming ---------------------------------------------------------------------------------------------- */

/* 9 steps, against 4 and then 5 more by a second trainer that knows only the file. */
static void resume_equals(const rheo_train_options *like, scratch *s)
{
    char whole[100], parts[100];
    rheo_error err = RHEO_ERROR_INIT;
    rheo_train_options o = *like;
    snprintf(whole, sizeof whole, "%s/whole", s->folder);
    snprintf(parts, sizeof parts, "%s/parts", s->folder);
    o.run = whole;
    o.iterations = 9;
    ASSERT_OK(rheo_train(&o, &err));
    o.run = parts;
    o.iterations = 4;
    ASSERT_OK(rheo_train(&o, &err));
    o.iterations = 9;
    ASSERT_OK(rheo_resume(&o, &err));
    state a = read_state(whole), b = read_state(parts);
    cr_assert_eq(a.shot.step, 9);
    cr_assert_eq(b.shot.step, 9);
    expect_same(&a, &b);
    free_state(&a);
    free_state(&b);
}

/* Not on the host executor, whose doubles a file does not keep. */
Test(train, resume_is_bit_for_bit)
{
    if (device_count() == 1) cr_skip_test("no device");
    scratch s = scratch_make();
    rheo_train_options o = small(NULL, device_of(1), 0);
    resume_equals(&o, &s);
    clean(&s);

    s = scratch_make();
    make_images(s.folder);
    o.data = s.folder;
    o.accumulate = 2; /* 36 training images, 32 a step: epochs end within steps */
    o.flip = 1;
    o.shift = 2;
    resume_equals(&o, &s);
    clean(&s);
}

/* The data-dependent initialisation of actnorm is of new runs only. */
Test(train, loading_does_not_initialise_again)
{
    for (int d = 0; d < device_count(); d++) {
        scratch s = scratch_make();
        rheo_error err = RHEO_ERROR_INIT;
        rheo_trainer t;
        rheo_snapshot now;
        char run[100];
        int scales = 0, set = 0;
        make_images(s.folder);
        snprintf(run, sizeof run, "%s/run", s.folder);
        rheo_train_options o = small(run, device_of(d), 1);
        o.data = s.folder;
        ASSERT_OK(rheo_train(&o, &err));
        state a = read_state(run);
        o.iterations = 2;
        ASSERT_OK(rheo_trainer_resume(&o, &t, &err));
        ASSERT_OK(rheo_snapshot_create(t.in.model->params, ALL, &now, &err));
        ASSERT_OK(rheo_snapshot_read(&now, &t.step, &err));
        for (int k = 0; k < rheo_params_count(a.model->params); k++) {
            const rheo_param *p = rheo_params_at(a.model->params, k);
            if (!p->trained || !strstr(p->name, "actnorm.log_scale")) continue;
            const float *file = a.shot.flat[RHEO_FLAT_THETA] + p->offset, *loaded = now.flat[RHEO_FLAT_THETA] + p->offset;
            cr_assert(!memcmp(file, loaded, (size_t)rheo_count(p->shape) * sizeof *file), "%s differs", p->name);
            scales++;
            set += fabsf(file[0]) > 0.1f;        /* further from 0 than one step of Adam goes */
        }
        cr_assert(scales > 0 && set > 0, "%d scales, %d of them away from 0", scales, set);
        rheo_snapshot_free(&now);
        rheo_trainer_free(&t);
        free_state(&a);
        clean(&s);
    }
}

/* All 1x1 products' gradients by this variant, as if measured so. */
static void pretend_measured(const char *variant)
{
    rheo_device *dev = NULL;
    rheo_choices c = { 0 };
    cr_assert_eq(rheo_device_open(device_of(1), &dev, NULL), RHEO_OK);
    cr_assert(rheo_choices_set(&c, "conv2d_dw", variant, false) && rheo_choices_remember(&c, dev));
    rheo_choices_free(&c);
    rheo_device_close(dev);
}

static int recorded(const state *s, const char *variant)
{
    int count = 0;
    for (int k = 0; k < s->recipe.variants.count; k++) {
        const rheo_choice *it = &s->recipe.variants.list[k];
        count += !strncmp(it->key, "conv2d_dw ", 10) && !strcmp(it->variant, variant);
    }
    return count;
}

/* What the cache says changes between the parts of a run; what the run has on record holds. */
Test(train, resume_keeps_the_variants_of_the_run)
{
    if (device_count() == 1 || !rheo_op_conv2d_dw.variants[1]) cr_skip_test("no device, or one variant only");
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    char whole[100], parts[100];
    snprintf(whole, sizeof whole, "%s/whole", s.folder);
    snprintf(parts, sizeof parts, "%s/parts", s.folder);
    setenv("RHEO_CACHE_DIR", s.folder, 1);
    pretend_measured("clblast");
    rheo_train_options o = small(whole, device_of(1), 5);
    ASSERT_OK(rheo_train(&o, &err));
    o.run = parts;
    o.iterations = 2;
    ASSERT_OK(rheo_train(&o, &err));
    pretend_measured("own");
    o.iterations = 5;
    ASSERT_OK(rheo_resume(&o, &err));
    state a = read_state(whole), b = read_state(parts);
    cr_expect(recorded(&a, "clblast") > 0 && recorded(&a, "own") == 0);
    cr_expect_eq(recorded(&b, "clblast"), recorded(&a, "clblast"));
    expect_same(&a, &b);
    free_state(&a);
    free_state(&b);
    clean(&s);
}

Test(train, variants_used_and_augmentation_are_kept_in_json)
{
    rheo_recipe r, back;
    rheo_error err = RHEO_ERROR_INIT;
    rheo_train_options o = small("nowhere", "host", 5);
    rheo_model *model = NULL;
    o.flip = 1;
    o.shift = 3;
    ASSERT_OK(rheo_recipe_from_options(&o, &r, &err));
    r.shape = (rheo_data_shape){ 1, 1, 2, false };
    ASSERT_OK(rheo_recipe_model(&r, &model, &err));
    rheo_model_destroy(model);
    cr_assert(rheo_choices_set(&r.variants, "used", "a", true) && rheo_choices_set(&r.variants, "not used", "b", false));
    cJSON *json = rheo_recipe_to_json(&r);
    ASSERT_OK(rheo_recipe_from_json(json, "file", &back, &err));
    cr_assert_eq(back.variants.count, 1);
    cr_expect(back.flip && back.shift == 3);
    cr_expect(back.variants.list[0].used && !strcmp(back.variants.list[0].key, "used") && !strcmp(back.variants.list[0].variant, "a"));
    rheo_recipe_free(&back);
    cJSON_AddNumberToObject(cJSON_GetObjectItem(json, "variants"), "more", 1);
    ASSERT_FAILS(rheo_recipe_from_json(json, "file", &back, &err), RHEO_EFORMAT, "file: config: variants");
    cJSON_Delete(json);
    rheo_recipe_free(&r);
}

static void stop_at_three(void *user, const rheo_progress *now)
{
    if (now->step >= 3) *(volatile int *)user = 1;
}

Test(train, stops_on_request_and_goes_on)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    volatile int stop = 0;
    char run[100];
    snprintf(run, sizeof run, "%s/run", s.folder);
    rheo_train_options o = small(run, "host", 1000000);
    o.progress = stop_at_three;
    o.user = (void *)&stop;
    o.stop = &stop;
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_ESTOPPED, "saved");
    state a = read_state(run);
    cr_assert(a.shot.step >= 3 && a.shot.step < 1000000);
    const int64_t done = (int64_t)a.shot.step;
    free_state(&a);
    o = small(run, "host", 1);
    ASSERT_FAILS(rheo_resume(&o, &err), RHEO_EINVAL, "has done");
    o.iterations = done + 2;
    err = (rheo_error)RHEO_ERROR_INIT;
    ASSERT_OK(rheo_resume(&o, &err));
    clean(&s);
}

Test(train, accumulation_is_a_larger_batch)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    char one[100], two[100];
    make_images(s.folder);
    snprintf(one, sizeof one, "%s/one", s.folder);
    snprintf(two, sizeof two, "%s/two", s.folder);
    rheo_train_options o = small(one, "host", 3);
    o.data = s.folder;
    ASSERT_OK(rheo_train(&o, &err));
    o.run = two;
    o.batch = 4;
    o.accumulate = 4;
    ASSERT_OK(rheo_train(&o, &err));
    state a = read_state(one), b = read_state(two);
    for (int k = 0; k < rheo_params_count(a.model->params); k++) {
        const rheo_param *p = rheo_params_at(a.model->params, k);
        for (int64_t i = p->offset; p->trained && i < p->offset + rheo_count(p->shape); i++) {
            const double x = a.shot.flat[0][i], y = b.shot.flat[0][i];
            /* Sums in double in another order, then Adam's division by sqrt(v), which is at worst the step of a vanishing gradient. */
            cr_assert(fabs(x - y) <= 1e-6, "%s[%lld]: %.9g, %.9g", p->name, (long long)(i - p->offset), x, y);
        }
    }
    free_state(&a);
    free_state(&b);
    clean(&s);
}

/* ---- full disks ---------------------------------------------------------------------------------------------- */

/* A limit of 1,000 bytes a file, as if the disk were full, from the first report until a save has failed. */
typedef struct shortage {
    char run[100];
    bool forever;            /* ... or to the end */
    int failed;              /* saves that did */
    uint64_t step;           /* of the last of them */
    volatile int stop;
} shortage;

static void limit_files(rlim_t bytes)
{
    struct rlimit l;
    cr_assert(!getrlimit(RLIMIT_FSIZE, &l));
    l.rlim_cur = bytes;
    cr_assert(!setrlimit(RLIMIT_FSIZE, &l));
}

static void run_short(void *user, const rheo_progress *now)
{
    shortage *s = user;
    if (!now->message && !s->failed && now->step) limit_files(1000);
    if (now->message && strstr(now->message, "last.safetensors: cannot be written") && strstr(now->message, "training goes on")) {
        s->failed++;
        s->step = now->step;
        if (!s->forever) limit_files(RLIM_INFINITY);
    }
    if (now->message || !s->failed || s->forever) return;
    state a = read_state(s->run);
    s->stop = a.shot.step > s->step;
    free_state(&a);
}

Test(train, goes_on_where_a_checkpoint_cannot_be_written, .timeout = 120)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    shortage user = { .forever = false };
    signal(SIGXFSZ, SIG_IGN);
    snprintf(user.run, sizeof user.run, "%s/run", s.folder);
    rheo_train_options o = small(user.run, "host", 100000000);
    o.save_seconds = 1e-3;
    o.progress = run_short;
    o.user = &user;
    o.stop = &user.stop;
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_ESTOPPED, "saved");       /* by a later save than the one that failed */
    cr_expect_eq(user.failed, 1);

    /* To the end: the checkpoint from before stands. */
    user = (shortage){ .forever = true };
    snprintf(user.run, sizeof user.run, "%s/other", s.folder);
    o.iterations = 200;
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EFILE, "other/last.safetensors: cannot be written: File too large");
    limit_files(RLIM_INFINITY);
    state a = read_state(user.run);
    cr_expect_eq(a.shot.step, 0);
    free_state(&a);
    snprintf(user.run, sizeof user.run, "%s/other/last.safetensors.tmp", s.folder);
    cr_expect(access(user.run, F_OK));
    clean(&s);
}

/* The log keeps whole lines only. */
Test(train, a_line_that_does_not_fit_is_taken_back)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_run run;
    char folder[100], text[200] = "";
    signal(SIGXFSZ, SIG_IGN);
    snprintf(folder, sizeof folder, "%s/run", s.folder);
    ASSERT_OK(rheo_run_create(folder, false, &run, &err));
    ASSERT_OK(rheo_run_log(&run, "{\"step\":1}", &err));
    limit_files(20);
    ASSERT_FAILS(rheo_run_log(&run, "{\"step\":2000000}", &err), RHEO_EFILE, "log.jsonl: cannot be written");
    limit_files(RLIM_INFINITY);
    err = (rheo_error)RHEO_ERROR_INIT;
    ASSERT_OK(rheo_run_log(&run, "{\"step\":3}", &err));
    FILE *f = fopen(run.log_path, "r");
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    cr_expect_str_eq(text, "{\"step\":1}\n{\"step\":3}\n");
    rheo_run_close(&run);
    clean(&s);
}

/* ---- folders and options ------------------------------------------------------------------------------------------ */

Test(train, a_run_is_not_overwritten)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    char run[100];
    snprintf(run, sizeof run, "%s/run", s.folder);
    rheo_train_options o = small(run, "host", 2);
    ASSERT_FAILS(rheo_resume(&o, &err), RHEO_EFILE, "no such run");
    err = (rheo_error)RHEO_ERROR_INIT;
    ASSERT_OK(rheo_train(&o, &err));
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, "holds a run already");
    state a = read_state(run);
    cr_assert_eq(a.shot.step, 2);
    free_state(&a);
    o.force = 1;
    o.iterations = 1;
    err = (rheo_error)RHEO_ERROR_INIT;
    ASSERT_OK(rheo_train(&o, &err));
    a = read_state(run);
    cr_assert_eq(a.shot.step, 1);
    free_state(&a);
    clean(&s);
}

/* As after kill -9: the lock goes a moment later, and half-written files are there. */
Test(train, waits_for_a_dying_process_and_removes_what_it_left)
{
    static const char *const left[] = { "config.json.tmp", "last.safetensors.tmp", "best.safetensors.tmp", "samples/step-00000007.png.tmp" };
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_run held, run;
    char folder[100], path[160];
    snprintf(folder, sizeof folder, "%s/run", s.folder);
    rheo_train_options o = small(folder, "host", 1);
    ASSERT_OK(rheo_train(&o, &err));
    for (int k = 0; k < 4; k++) {
        snprintf(path, sizeof path, "run/%s", left[k]);
        scratch_put(&s, path, "half", 4);
    }
    ASSERT_OK(rheo_run_open(folder, &held, &err));
    ASSERT_FAILS(rheo_run_open(folder, &run, &err), RHEO_EINVAL, "another process is training this run");
    const pid_t holder = fork();
    if (!holder) {
        nanosleep(&(struct timespec){ 0, 300 * 1000 * 1000 }, NULL);
        _exit(0);
    }
    rheo_run_close(&held);           /* the child has the lock now */
    err = (rheo_error)RHEO_ERROR_INIT;
    ASSERT_OK(rheo_run_open(folder, &run, &err));
    for (int k = 0; k < 4; k++) {
        snprintf(path, sizeof path, "%s/%s", folder, left[k]);
        cr_expect(access(path, F_OK), "%s is left", path);
    }
    rheo_run_close(&run);
    clean(&s);
}

Test(train, options_are_named)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_train_options o = small("/nonexistent/run", "host", 2);
    o.optimizer = "sgd";
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, "optimizer: found 'sgd', expected adam, adamax or adamw");
    o = small("/nonexistent/run", "host", 0);
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, "when should training end");
    o = small("/nonexistent/run", "host", 2);
    o.batch = -1;
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, "batch: found -1");
    o = small("/nonexistent/run", "host", 2);
    o.model_config = "[1]";
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, "not a JSON object");
    o.model_config = "{\"depht\": 2}";
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, "depht");
    o = small("/nonexistent/run", "host", 2);
    o.model = "gloww";
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, "gloww");
    o = small("/nonexistent/run", "host", 2);
    o.flip = 1;
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, "flip: found vectors in toy:moons");
    scratch s = scratch_make();
    make_images(s.folder);
    o.data = s.folder;
    o.shift = 4;
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, "shift: found 4 pixels, expected fewer than the 4 of");
    clean(&s);
}

/* ---- whole training steps ---------------------------------------------------------------------------------------------- */

/* Parameters after three steps. */
static float *trained(bool separate, int64_t *count)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_recipe r = { .model = "glow", .shape = { 8, 8, 1, true }, .seed = 3, .batch = 4, .accumulate = 1, .lr = 1e-2, .warmup = 2,
                      .ema = 0.9, .clip = 5, .memory = RHEO_MEMORY_INVERT,
                      .optimizer = { .kind = RHEO_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8 } };
    float x[4 * 64];
    rheo_model *model = NULL;
    rheo_instance in;
    rheo_trainstep step;
    cr_assert_eq(setenv("RHEO_ARENA", separate ? "0" : "1", 1), 0);
    r.config = cJSON_Parse("{\"levels\":2,\"depth\":2,\"width\":6}");
    ASSERT_OK(rheo_recipe_model(&r, &model, &err));
    ASSERT_OK(rheo_instance_create(model, getenv("RHEO_TEST_DEVICE"), &in, &err));
    ASSERT_OK(rheo_trainstep_create(&in, &r, &step, &err));
    ASSERT_OK(rheo_params_write_initial(model->params, in.state, in.theta, in.fixed, 3, &err));
    ASSERT_OK(rheo_trainstep_write_scalar(&step, RHEO_RATE_BASE, (float)r.lr, &err));
    ASSERT_OK(rheo_key_write(in.state, &step.key, 3, 0, 0, &err));
    for (int k = 0; k < 4 * 64; k++) x[k] = (float)(k * 37 % 256);
    ASSERT_OK(rheo_state_write(in.state, step.batch, 0, 4 * 64, x, &err));
    for (int k = 0; k < 3; k++) ASSERT_OK(rheo_plan_run(step.apply, &err));
    float scalar[RHEO_SCALARS];
    ASSERT_OK(rheo_trainstep_read_scalars(&step, scalar, &err));
    cr_assert_eq(scalar[RHEO_APPLIED], 3);
    *count = rheo_params_flat(model->params, true);
    float *theta = malloc((size_t)*count * sizeof *theta);
    ASSERT_OK(rheo_state_read(in.state, in.theta, 0, *count, theta, &err));
    rheo_trainstep_free(&step);
    rheo_instance_free(&in);
    rheo_recipe_free(&r);
    return theta;
}

Test(train, training_with_separate_buffers_gives_the_same_bits)
{
    int64_t count;
    float *planned = trained(false, &count), *separate = trained(true, &count);
    for (int64_t i = 0; i < count; i++) cr_assert_eq(planned[i], separate[i], "%lld: %.9g and %.9g", (long long)i, planned[i], separate[i]);
    free(planned), free(separate);
}
