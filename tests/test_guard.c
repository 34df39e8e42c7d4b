/* Bad steps: what is said of them, and what is undone. */
#include <math.h>

#include "runs.h"

/* Makes the training rows of one batch, or with step < 0 all, not finite. */
static void poison(rheo_trainer *t, int64_t step)
{
    rheo_rows *rows = &t->data->split[RHEO_SPLIT_TRAIN];
    const int64_t first = step * t->recipe.batch;
    for (int64_t i = 0; step < 0 && i < rows->count; i++) rows->vectors[2 * i] = NAN;
    if (step >= 0) rows->vectors[2 * t->feed.order[first + 2]] = NAN;
}

typedef struct said {
    char text[4096];
} said;

static void listen(void *user, const rheo_progress *now)
{
    said *s = user;
    if (now->message && strlen(s->text) + strlen(now->message) + 2 < sizeof s->text) strcat(strcat(s->text, now->message), "\n");
}

Test(guard, a_bad_step_changes_nothing)
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

Test(guard, bad_steps_in_a_row_return_to_the_last_good_state)
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

/* The number of the step is right whenever the host looks, and so is the sample within its batch. */
Test(guard, names_the_first_of_several_bad_steps)
{
    for (int k = 0; k < device_count(); k++) {
        scratch s = scratch_make();
        rheo_error err = RHEO_ERROR_INIT;
        rheo_trainer t;
        said heard = { "" };
        char run[100];
        snprintf(run, sizeof run, "%s/run", s.folder);
        rheo_train_options o = small(run, device_of(k), 40);
        o.progress = listen;
        o.user = &heard;
        ASSERT_OK(rheo_trainer_create(&o, &t, &err));
        poison(&t, 5);
        poison(&t, 17);
        ASSERT_OK(rheo_trainer_run(&t, &err));
        rheo_trainer_free(&t);
        cr_assert(strstr(heard.text, "step 6"), "%s", heard.text);
        if (k) cr_assert(strstr(heard.text, "sample 2"), "%s", heard.text);
        state a = read_state(run);
        cr_assert_eq(a.shot.step, 40);
        cr_assert_eq(a.shot.skipped, 2);
        cr_assert_eq(a.shot.applied, 38);
        cr_assert_eq(a.shot.skipped_row, 0);
        free_state(&a);
        clean(&s);
    }
}

/* Looking for the cause changes nothing: the same run without a word of it has the same parameters. */
Test(guard, looking_back_leaves_no_trace)
{
    if (device_count() == 1) cr_skip_test("no device");
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    char run[2][100];
    for (int looks = 0; looks < 2; looks++) {
        const rheo_bad_steps bad = { .first = 3, .count = 1 }; /* a good one, in truth: its replay is finite to the end */
        rheo_trainer t;
        said heard = { "" };
        snprintf(run[looks], sizeof run[looks], "%s/%d", s.folder, looks);
        rheo_train_options o = small(run[looks], device_of(1), 5);
        o.batch = 8;
        o.accumulate = 2;
        o.progress = listen;
        o.user = &heard;
        ASSERT_OK(rheo_trainer_create(&o, &t, &err));
        ASSERT_OK(rheo_trainer_run(&t, &err));
        if (looks) {
            ASSERT_OK(rheo_trainer_guard(&t, &bad, &err));
            cr_assert(strstr(heard.text, "step 3: not finite (cause not found: it is finite with the parameters of step 5)"), "%s",
                      heard.text);
        }
        t.recipe.iterations = 9;
        ASSERT_OK(rheo_trainer_run(&t, &err));
        rheo_trainer_free(&t);
    }
    state a = read_state(run[0]), b = read_state(run[1]);
    cr_assert_eq(b.shot.step, 9);
    expect_same(&a, &b);
    free_state(&a);
    free_state(&b);
    clean(&s);
}

/* Parameters that are none: every step is bad, the layer is named, and training goes on from the last good state. */
Test(guard, names_the_layer_of_broken_parameters)
{
    if (device_count() == 1) cr_skip_test("no device");
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_trainer t;
    said heard = { "" };
    const float broken = INFINITY;
    char run[100];
    int k = 0;
    snprintf(run, sizeof run, "%s/run", s.folder);
    rheo_train_options o = small(run, device_of(1), 15);
    o.progress = listen;
    o.user = &heard;
    ASSERT_OK(rheo_trainer_create(&o, &t, &err));
    const rheo_params *params = t.in.model->params;
    while (!strstr(rheo_params_at(params, k)->name, "level0.step1") || !rheo_params_at(params, k)->trained) k++;
    ASSERT_OK(rheo_state_write(t.in.state, t.in.theta, rheo_params_at(params, k)->offset, 1, &broken, &err));
    ASSERT_OK(rheo_trainer_run(&t, &err));
    cr_assert(strstr(heard.text, "step 1: not finite (level0.step1"), "%s", heard.text);
    cr_assert(strstr(heard.text, "back to step 0 at a rate of 0.0005"), "%s", heard.text);
    rheo_trainer_free(&t);
    state a = read_state(run);
    cr_assert_eq(a.shot.applied, 15);
    free_state(&a);
    clean(&s);
}

/* Sums over micro-steps: the batch is named too. */
Test(guard, names_the_batch_of_an_accumulated_step)
{
    if (device_count() == 1) cr_skip_test("no device");
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_trainer t;
    said heard = { "" };
    char run[100];
    snprintf(run, sizeof run, "%s/run", s.folder);
    rheo_train_options o = small(run, device_of(1), 8);
    o.accumulate = 2;
    o.progress = listen;
    o.user = &heard;
    ASSERT_OK(rheo_trainer_create(&o, &t, &err));
    poison(&t, 2 * 4 + 1);
    ASSERT_OK(rheo_trainer_run(&t, &err));
    rheo_trainer_free(&t);
    cr_assert(strstr(heard.text, "step 5") && strstr(heard.text, "sample 2 of batch 1"), "%s", heard.text);
    clean(&s);
}
