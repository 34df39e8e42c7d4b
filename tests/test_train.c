/* Training: resuming, the guard, run folders, checkpoints. On the host executor, and on the device that RHEO_TEST_DEVICE names
 * (or the default one; "host" for none). */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "expect.h"
#include "op/table.h"
#include "scratch.h"
#include "train/checkpoint.h"
#include "train/safetensors.h"
#include "train/trainer.h"

enum { ALL = (1 << RHEO_FLATS) - 1 };

static const char *device_of(int k) { return k ? getenv("RHEO_TEST_DEVICE") : "host"; }

/* How many devices there are to test: the host, and the other. */
static int device_count(void)
{
    const char *device = getenv("RHEO_TEST_DEVICE");
    return device && !strcmp(device, "host") ? 1 : 2;
}

static rheo_train_options small(const char *run, const char *device, int64_t iterations)
{
    rheo_train_options o;
    rheo_train_defaults(&o);
    o.data = "toy:moons";
    o.run = run;
    o.device = device;
    o.iterations = iterations;
    o.batch = 16;
    o.model_config = "{\"depth\": 2, \"width\": 8}";
    o.lr = 1e-3;
    o.warmup = 4;
    o.seed = 5;
    return o;
}

/* A folder of IDX files: 40 + 10 images of 4 x 4. */
static void make_images(const char *folder)
{
    static const char *const part[] = { "train", "t10k" };
    char path[160];
    for (int k = 0; k < 2; k++) {
        const unsigned n = k ? 10 : 40;
        const unsigned char header[16] = { 0, 0, 8, 3, 0, 0, 0, (unsigned char)n, 0, 0, 0, 4, 0, 0, 0, 4 };
        snprintf(path, sizeof path, "%s/%s-images-idx3-ubyte", folder, part[k]);
        FILE *f = fopen(path, "wb");
        fwrite(header, 1, sizeof header, f);
        for (unsigned i = 0; i < n * 16; i++) fputc((int)(i * 37 % 256), f);
        fclose(f);
    }
}

typedef struct state { rheo_recipe recipe; rheo_model *model; rheo_snapshot shot; } state;

static state read_state(const char *run)
{
    state s;
    char path[400];
    rheo_error err = RHEO_ERROR_INIT;
    snprintf(path, sizeof path, "%s/last.safetensors", run);
    ASSERT_OK(rheo_checkpoint_read(path, ALL, &s.recipe, &s.model, &s.shot, &err));
    return s;
}

static void free_state(state *s)
{
    rheo_recipe_free(&s->recipe);
    rheo_model_destroy(s->model);
    rheo_snapshot_free(&s->shot);
}

/* The parameters, bit for bit; gaps between them in the flat arrays are nobody's. */
static void expect_same(const state *a, const state *b)
{
    for (int f = 0; f < RHEO_FLATS; f++)
        for (int k = 0; k < rheo_params_count(a->model->params); k++) {
            const rheo_param *p = rheo_params_at(a->model->params, k);
            const float *x = p->trained ? a->shot.flat[f] : a->shot.fixed, *y = p->trained ? b->shot.flat[f] : b->shot.fixed;
            cr_assert(!memcmp(x + p->offset, y + p->offset, (size_t)rheo_count(p->shape) * 4), "array %d, %s differs", f, p->name);
        }
    cr_assert_eq(a->shot.applied, b->shot.applied);
    cr_assert_eq(a->shot.skipped, b->shot.skipped);
}

static void clean(scratch *s)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", s->folder);
    cr_assert_eq(system(command), 0);
}

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
    o.accumulate = 2;       /* 36 training images, 32 a step: epochs end within steps */
    resume_equals(&o, &s);
    clean(&s);
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

Test(train, variants_used_are_kept_in_json)
{
    rheo_recipe r, back;
    rheo_error err = RHEO_ERROR_INIT;
    const rheo_train_options o = small("nowhere", "host", 5);
    ASSERT_OK(rheo_recipe_from_options(&o, &r, &err));
    r.shape = (rheo_data_shape){ 1, 1, 2, false };
    cr_assert(rheo_choices_set(&r.variants, "used", "a", true) && rheo_choices_set(&r.variants, "not used", "b", false));
    cJSON *json = rheo_recipe_to_json(&r);
    ASSERT_OK(rheo_recipe_from_json(json, "file", &back, &err));
    cr_assert_eq(back.variants.count, 1);
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

/* ---- the guard ------------------------------------------------------------------------------------------------ */

/* Makes the training rows of one step, or with step < 0 all, not finite. */
static void poison(rheo_trainer *t, int64_t step)
{
    rheo_rows *rows = &t->data->split[RHEO_SPLIT_TRAIN];
    const int64_t first = step * t->recipe.batch;
    for (int64_t i = 0; step < 0 && i < rows->count; i++) rows->vectors[2 * i] = NAN;
    if (step >= 0) rows->vectors[2 * t->feed.order[first + 2]] = NAN;
}

typedef struct said { char text[4096]; } said;

static void listen(void *user, const rheo_progress *now)
{
    said *s = user;
    if (now->message && strlen(s->text) + strlen(now->message) + 2 < sizeof s->text) strcat(strcat(s->text, now->message), "\n");
}

Test(train, a_bad_step_changes_nothing)
{
    for (int k = 0; k < device_count(); k++) {
        scratch s = scratch_make();
        rheo_error err = RHEO_ERROR_INIT;
        rheo_trainer t;
        said heard = { "" };
        char clean_run[100], bad_run[100];
        snprintf(clean_run, sizeof clean_run, "%s/clean", s.folder);
        snprintf(bad_run, sizeof bad_run, "%s/bad", s.folder);
        rheo_train_options o = small(clean_run, device_of(k), 3);
        ASSERT_OK(rheo_train(&o, &err));
        o = small(bad_run, device_of(k), 4);
        o.progress = listen;
        o.user = &heard;
        ASSERT_OK(rheo_trainer_create(&o, &t, &err));
        poison(&t, 3);
        ASSERT_OK(rheo_trainer_run(&t, &err));
        rheo_trainer_free(&t);

        state a = read_state(clean_run), b = read_state(bad_run);
        cr_assert_eq(b.shot.step, 4);
        cr_assert_eq(b.shot.skipped, 1);
        cr_assert_eq(b.shot.skipped_row, 1);
        b.shot.skipped = 0;
        expect_same(&a, &b);
        cr_assert(strstr(heard.text, "not finite"), "%s", heard.text);
        if (k) cr_assert(strstr(heard.text, "sample 2"), "%s", heard.text);
        free_state(&a);
        free_state(&b);
        clean(&s);
    }
}

Test(train, bad_steps_in_a_row_return_to_the_last_good_state)
{
    for (int k = 0; k < device_count(); k++) {
        scratch s = scratch_make();
        rheo_error err = RHEO_ERROR_INIT;
        rheo_trainer t;
        said heard = { "" };
        char run[100];
        snprintf(run, sizeof run, "%s/run", s.folder);
        rheo_train_options o = small(run, device_of(k), 1000);
        o.progress = listen;
        o.user = &heard;
        ASSERT_OK(rheo_trainer_create(&o, &t, &err));
        poison(&t, -1);
        ASSERT_FAILS(rheo_trainer_run(&t, &err), RHEO_ENONFINITE, "after 5 returns to step 0");
        cr_assert(strstr(heard.text, "back to step 0 at a rate of 0.0005"), "%s", heard.text);
        cr_assert(strstr(heard.text, "e-05"), "%s", heard.text);
        rheo_trainer_free(&t);
        clean(&s);
    }
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

Test(train, options_are_named)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_train_options o = small("/nonexistent/run", "host", 2);
    o.optimizer = "sgd";
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, "optimizer: found 'sgd', expected one of adam");
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
}

Test(feed, every_epoch_has_every_row_once)
{
    float values[7];
    const rheo_rows rows = { .count = 7, .vectors = values };
    rheo_feed f, again;
    rheo_error err = RHEO_ERROR_INIT;
    float seen[28], one;
    for (int i = 0; i < 7; i++) values[i] = (float)i;
    ASSERT_OK(rheo_feed_create(&rows, 1, 3, &f, &err));
    for (int k = 0; k < 7; k++) rheo_feed_fill(&f, (uint64_t)(4 * k), 4, seen + 4 * k);
    for (int epoch = 0; epoch < 4; epoch++) {
        unsigned bits = 0;
        for (int i = 0; i < 7; i++) bits |= 1u << (int)seen[7 * epoch + i];
        cr_assert_eq(bits, 127);
    }
    cr_assert(memcmp(seen, seen + 7, 7 * sizeof *seen), "epochs have orders of their own");
    ASSERT_OK(rheo_feed_create(&rows, 1, 3, &again, &err));
    rheo_feed_fill(&again, 23, 1, &one);
    cr_assert_eq(one, seen[23], "row 23 does not depend on what was read before");
    rheo_feed_free(&f);
    rheo_feed_free(&again);
}

/* ---- checkpoints ---------------------------------------------------------------------------------------------------- */

Test(checkpoint, keeps_everything_in_the_order_of_pytorch)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_safetensors *file = NULL;
    char run[100], path[160];
    int found = 0;
    make_images(s.folder);
    snprintf(run, sizeof run, "%s/run", s.folder);
    rheo_train_options o = small(run, "host", 2);
    o.data = s.folder;
    ASSERT_OK(rheo_train(&o, &err));
    state a = read_state(run);
    snprintf(path, sizeof path, "%s/last.safetensors", run);
    ASSERT_OK(rheo_safetensors_open(path, &file, &err));
    for (int k = 0; k < rheo_params_count(a.model->params); k++) {
        const rheo_param *p = rheo_params_at(a.model->params, k);
        const rheo_shape q = p->shape;
        if (!p->convolution || q.n != 3) continue;
        const uint64_t shape[4] = { (uint64_t)q.c, (uint64_t)q.w, 3, 3 };
        float *w = malloc((size_t)rheo_count(q) * sizeof *w);
        ASSERT_OK(rheo_safetensors_read(file, p->name, RHEO_DTYPE_F32, 4, shape, w, &err));
        for (int64_t i = 0; i < rheo_count(q); i++) {
            const int64_t c = i % q.c, in = i / q.c % q.w, y = i / q.c / q.w % 3, x = i / q.c / q.w / 3;
            cr_assert_eq(w[((c * q.w + in) * 3 + x) * 3 + y], a.shot.flat[RHEO_FLAT_THETA][p->offset + i]);
        }
        free(w);
        found++;
    }
    cr_assert(found > 0);
    rheo_safetensors_close(file);
    a.shot.best = 1.25;
    a.shot.rate = 0.1f;
    ASSERT_OK(rheo_checkpoint_write(path, &a.recipe, a.model->params, &a.shot, &err));
    state b = read_state(run);
    expect_same(&a, &b);
    cr_assert(b.shot.best == 1.25 && b.shot.rate == (double)0.1f && b.shot.seconds == a.shot.seconds);
    free_state(&a);
    free_state(&b);
    clean(&s);
}

/* The file with `from` in its header replaced by `to`, of the same length. */
static void damage(const char *path, const char *from, const char *to)
{
    char *data;
    FILE *f = fopen(path, "rb+");
    fseek(f, 0, SEEK_END);
    const size_t n = (size_t)ftell(f);
    data = malloc(n);
    rewind(f);
    cr_assert_eq(fread(data, 1, n, f), n);
    size_t at = 8;
    while (at + strlen(from) <= n && memcmp(data + at, from, strlen(from))) at++;
    cr_assert(at + strlen(from) <= n, "'%s' is not in the file", from);
    cr_assert_eq(strlen(from), strlen(to));
    fseek(f, (long)at, SEEK_SET);
    fwrite(to, 1, strlen(to), f);
    fclose(f);
    free(data);
}

Test(checkpoint, hostile_ones_are_refused_in_one_line)
{
    static const struct { const char *from, *to, *words; } cases[] = {
        { "checkpoint 1", "checkpoint 7", "found format 'checkpoint 7'" },
        { "\\\"width\\\":8", "\\\"width\\\":9", "by its config" },
        { "\\\"width\\\":8", "\\\"width\\\":0", "width" },
        { "\\\"depth\\\":2", "\\\"depth\\\":9", "no tensor" },
        { "\\\"depth\\\":2", "\\\"depht\\\":2", "depht" },
        { "\\\"model\\\":\\\"glow", "\\\"model\\\":\\\"flow", "flow" },
        { "\\\"shape\\\":[1", "\\\"shape\\\":[0", "data.shape" },
        { "\\\"batch\\\":16", "\\\"batch\\\":-6", "training.batch" },
        { "\\\"variants\\\":{", "\\\"variants\\\":[", "JSON" },
        { "\\\"lr\\\":0.001", "\\\"lr\\\":\\\"bad", "JSON" },
        { "\\\"step\\\":2", "\\\"step\\\":x", "JSON" },
        { "\\\"applied\\\":2", "\\\"applied\\\":-", "JSON" },
        { "adam.m.level0", "adam.x.level0", "no tensor 'adam.m.level0" },
        { "\"F32\"", "\"U32\"", "float32" },
    };
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    char run[100], path[160], copy[160], command[400];
    snprintf(run, sizeof run, "%s/run", s.folder);
    snprintf(path, sizeof path, "%s/last.safetensors", run);
    snprintf(copy, sizeof copy, "%s/damaged", s.folder);
    rheo_train_options o = small(run, "host", 2);
    ASSERT_OK(rheo_train(&o, &err));
    snprintf(command, sizeof command, "cp '%s' '%s'", path, copy);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        state b;
        cr_assert_eq(system(command), 0);
        damage(copy, cases[k].from, cases[k].to);
        ASSERT_FAILS(rheo_checkpoint_read(copy, ALL, &b.recipe, &b.model, &b.shot, &err), RHEO_EFORMAT, cases[k].words);
        cr_assert(!strchr(err.text, '\n') && strstr(err.text, copy), "%s", err.text);
    }
    clean(&s);
}
