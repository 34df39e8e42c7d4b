/* Training: accumulation, full disks, run folders, options, whole steps. */
#include <math.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <time.h>

#include "runs.h"

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
