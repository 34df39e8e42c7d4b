/* Bad steps: what is said of them, and what is undone. */
#include <math.h>

#include "runs.h"

/* Makes the training rows of one batch, or with step < 0 all, not finite. */
static void poison(rheo_trainer *t, int64_t step)
{
    rheo_rows *rows = &t->data->split[RHEO_SPLIT_TRAIN];
    const int64_t first = step * t->recipe.batch;
    for (int64_t i = 0; step < 0 && i < rows->count; i++) rows->vectors[2 * i] = NAN;
    if (step >= 0) rows->vectors[2 * t->batches.feed.order[first + 2]] = NAN;
}

typedef struct said {
    char text[4096];
} said;

static void listen(void *user, const rheo_progress *now)
{
    said *s = user;
    if (now->message && strlen(s->text) + strlen(now->message) + 2 < sizeof s->text) strcat(strcat(s->text, now->message), "\n");
}

/* A run in a folder of its own, whose messages are heard. Options may be changed before it is begun. */
typedef struct fixture {
    scratch s;
    char run[100];
    said heard;
    rheo_train_options o;
    rheo_trainer t;
} fixture;

static void prepare(fixture *f, const char *device, int64_t iterations)
{
    *f = (fixture){ .s = scratch_make() };
    snprintf(f->run, sizeof f->run, "%s/run", f->s.folder);
    f->o = small(f->run, device, iterations);
    f->o.progress = listen;
    f->o.user = &f->heard;
}

static void begin(fixture *f)
{
    rheo_error err = RHEO_ERROR_INIT;
    ASSERT_OK(rheo_trainer_create(&f->o, &f->t, &err));
}

static void run_to_end(fixture *f)
{
    rheo_error err = RHEO_ERROR_INIT;
    ASSERT_OK(rheo_trainer_run(&f->t, &err));
    rheo_trainer_free(&f->t);
}

static bool is_logged(const fixture *f, const char *words)
{
    char line[4096], path[120];
    bool found = false;
    snprintf(path, sizeof path, "%s/log.jsonl", f->run);
    FILE *log = fopen(path, "r");
    while (log && !found && fgets(line, sizeof line, log)) found = strstr(line, words) != NULL;
    if (log) fclose(log);
    return found;
}

Test(guard, a_bad_step_changes_nothing)
{
    for (int k = 0; k < device_count(); k++) {
        fixture f;
        rheo_error err = RHEO_ERROR_INIT;
        char clean_run[100];
        prepare(&f, device_of(k), 4);
        snprintf(clean_run, sizeof clean_run, "%s/clean", f.s.folder);
        const rheo_train_options o = small(clean_run, device_of(k), 3);
        ASSERT_OK(rheo_train(&o, &err));
        begin(&f);
        poison(&f.t, 3);
        run_to_end(&f);

        state a = read_state(clean_run), b = read_state(f.run);
        cr_assert_eq(b.shot.step, 4);
        cr_assert_eq(b.shot.skipped, 1);
        cr_assert_eq(b.shot.skipped_row, 1);
        b.shot.skipped = 0;
        expect_same(&a, &b);
        cr_assert(strstr(f.heard.text, "not finite"), "%s", f.heard.text);
        if (k) cr_assert(strstr(f.heard.text, "sample 2"), "%s", f.heard.text);
        cr_assert(is_logged(&f, "\"event\":\"step 4: not finite ("));
        free_state(&a);
        free_state(&b);
        clean(&f.s);
    }
}

Test(guard, bad_steps_in_a_row_return_to_the_last_good_state)
{
    for (int k = 0; k < device_count(); k++) {
        fixture f;
        rheo_error err = RHEO_ERROR_INIT;
        prepare(&f, device_of(k), 1000);
        begin(&f);
        poison(&f.t, -1);
        ASSERT_FAILS(rheo_trainer_run(&f.t, &err), RHEO_ENONFINITE, "after 5 returns to step 0");
        cr_assert(strstr(f.heard.text, "back to step 0 at a rate of 0.0005"), "%s", f.heard.text);
        cr_assert(strstr(f.heard.text, "e-05"), "%s", f.heard.text);
        rheo_trainer_free(&f.t);
        clean(&f.s);
    }
}

/* The number of the step is right whenever the host looks, and so is the sample within its batch. */
Test(guard, names_the_first_of_several_bad_steps)
{
    for (int k = 0; k < device_count(); k++) {
        fixture f;
        prepare(&f, device_of(k), 40);
        begin(&f);
        poison(&f.t, 5);
        poison(&f.t, 17);
        run_to_end(&f);
        cr_assert(strstr(f.heard.text, "step 6"), "%s", f.heard.text);
        if (k) cr_assert(strstr(f.heard.text, "sample 2"), "%s", f.heard.text);
        state a = read_state(f.run);
        cr_assert_eq(a.shot.step, 40);
        cr_assert_eq(a.shot.skipped, 2);
        cr_assert_eq(a.shot.applied, 38);
        cr_assert_eq(a.shot.skipped_row, 0);
        free_state(&a);
        clean(&f.s);
    }
}

/* Looking for the cause changes nothing: the same run without a word of it has the same parameters. */
Test(guard, looking_back_leaves_no_trace)
{
    if (device_count() == 1) cr_skip_test("no device");
    fixture f[2];
    rheo_error err = RHEO_ERROR_INIT;
    for (int looks = 0; looks < 2; looks++) {
        const rheo_bad_steps bad = { .first = 3, .count = 1 }; /* a good one, in truth: its replay is finite to the end */
        prepare(&f[looks], device_of(1), 5);
        f[looks].o.batch = 8;
        f[looks].o.accumulate = 2;
        begin(&f[looks]);
        ASSERT_OK(rheo_trainer_run(&f[looks].t, &err));
        if (looks) {
            const char *heard = f[looks].heard.text;
            ASSERT_OK(rheo_trainer_guard(&f[looks].t, &bad, &err));
            cr_assert(strstr(heard, "step 3: not finite (cause not found: it is finite with the parameters of step 5)"), "%s", heard);
        }
        f[looks].t.recipe.iterations = 9;
        run_to_end(&f[looks]);
    }
    state a = read_state(f[0].run), b = read_state(f[1].run);
    cr_assert_eq(b.shot.step, 9);
    expect_same(&a, &b);
    free_state(&a);
    free_state(&b);
    clean(&f[0].s);
    clean(&f[1].s);
}

/* Parameters that are none: every step is bad, the layer is named, and training goes on from the last good state. */
Test(guard, names_the_layer_of_broken_parameters)
{
    if (device_count() == 1) cr_skip_test("no device");
    fixture f;
    rheo_error err = RHEO_ERROR_INIT;
    const float broken = INFINITY;
    int k = 0;
    prepare(&f, device_of(1), 15);
    begin(&f);
    const rheo_instance *in = &f.t.in;
    const rheo_params *params = in->model->params;
    while (!strstr(rheo_params_at(params, k)->name, "level0.step1") || !rheo_params_at(params, k)->trained) k++;
    ASSERT_OK(rheo_state_write(in->state, in->theta, rheo_params_at(params, k)->offset, 1, &broken, &err));
    run_to_end(&f);
    cr_assert(strstr(f.heard.text, "step 1: not finite (level0.step1"), "%s", f.heard.text);
    cr_assert(strstr(f.heard.text, "back to step 0 at a rate of 0.0005"), "%s", f.heard.text);
    state a = read_state(f.run);
    cr_assert_eq(a.shot.applied, 15);
    free_state(&a);
    clean(&f.s);
}

/* Sums over micro-steps: the batch is named too. */
Test(guard, names_the_batch_of_an_accumulated_step)
{
    if (device_count() == 1) cr_skip_test("no device");
    fixture f;
    prepare(&f, device_of(1), 8);
    f.o.accumulate = 2;
    begin(&f);
    poison(&f.t, 2 * 4 + 1);
    run_to_end(&f);
    cr_assert(strstr(f.heard.text, "step 5") && strstr(f.heard.text, "sample 2 of batch 1"), "%s", f.heard.text);
    clean(&f.s);
}
