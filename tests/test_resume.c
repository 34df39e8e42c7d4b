/* Resuming: the same bits, variants, what a file keeps. */
#include <math.h>

#include "op/table.h"
#include "runs.h"

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
Test(resume, resume_is_bit_for_bit)
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
Test(resume, loading_does_not_initialise_again)
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
Test(resume, resume_keeps_the_variants_of_the_run)
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

Test(resume, variants_used_and_augmentation_are_kept_in_json)
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

Test(resume, stops_on_request_and_goes_on)
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
