/* What training needs of a device's memory: trial plans against what is really taken, and what is said where it is not there. */
#include <math.h>

#include "base/file.h"
#include "runs.h"
#include "train/footprint.h"

#define DEEP "{\"levels\": 2, \"depth\": 8, \"width\": 32}"

static int texture(int image, int y, int x) { return ((image * 31 + y) * 17 + x * 5) * 37 % 256; }

static rheo_train_options deep(const scratch *s, const char *run)
{
    rheo_train_options o = small(run, device_of(1), 2);
    make_images_of(s->folder, 16, 40, 10, texture);
    o.data = s->folder;
    o.model_config = DEEP;
    o.batch = 16;
    return o;
}

static bool no_device(void) { return device_count() < 2; }

/* The arenas and storages of a trial are those of the trainer. */
Test(footprint, is_what_training_takes)
{
    if (no_device()) cr_skip_test("needs a device");
    static const char *const memories[] = { "store", "invert" };
    for (int k = 0; k < 4; k++) {
        scratch s = scratch_make();
        rheo_error err = RHEO_ERROR_INIT;
        rheo_trainer t;
        rheo_footprint f;
        char run[100];
        snprintf(run, sizeof run, "%s/run", s.folder);
        rheo_train_options o = deep(&s, run);
        o.memory = memories[k % 2];
        o.accumulate = 1 + k / 2;
        ASSERT_OK(rheo_trainer_create(&o, &t, &err));
        ASSERT_OK(rheo_footprint_measure(&t.in, &t.recipe, t.batches.feed.rows->count, &f, &err));
        ASSERT_OK(rheo_trainer_look(&t, &err));
        ASSERT_OK(rheo_trainer_draw(&t, &err));
        size_t arenas = rheo_plan_stats_of(t.step.apply).arena_bytes;
        if (t.step.micro) arenas += rheo_plan_stats_of(t.step.micro).arena_bytes;
        cr_expect(f.inverts == (k % 2 == 1) && f.activations == arenas, "%llu and %zu", (unsigned long long)f.activations, arenas);
        cr_expect_eq(f.variables, rheo_state_bytes(t.in.state));
        const size_t shown = rheo_plan_stats_of(t.evaluator.loss).arena_bytes + rheo_plan_stats_of(t.drawer.plan).arena_bytes;
        cr_expect(f.beside >= shown && f.beside > 0);
        rheo_trainer_free(&t);
        clean(&s);
    }
}

/* With a byte less than storing takes the message names settings, and with those it trains. */
Test(footprint, a_full_device_is_told_what_would_fit)
{
    if (no_device()) cr_skip_test("needs a device");
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_trainer t;
    rheo_footprint f;
    char run[100], limit[32];
    snprintf(run, sizeof run, "%s/run", s.folder);
    rheo_train_options o = deep(&s, run);
    o.memory = "store";
    ASSERT_OK(rheo_trainer_create(&o, &t, &err));
    ASSERT_OK(rheo_footprint_measure(&t.in, &t.recipe, t.batches.feed.rows->count, &f, &err));
    rheo_trainer_free(&t);
    o.force = 1;

    snprintf(limit, sizeof limit, "%llu", (unsigned long long)(rheo_footprint_bytes(&f) - 1));
    setenv("RHEO_LIMIT_MEMORY", limit, 1);
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_ENOMEM, "; would fit: --memory invert (");
    const char *smaller = strstr(err.text, ") or --batch ");
    int batch = 0, accumulate = 0;
    cr_assert(smaller && sscanf(smaller, ") or --batch %d --accumulate %d (", &batch, &accumulate) == 2, "%s", err.text);
    cr_expect(batch < 16 && batch * accumulate == 16, "%s", err.text);
    err = (rheo_error)RHEO_ERROR_INIT;
    o.memory = "invert";
    ASSERT_OK(rheo_train(&o, &err));
    o.memory = "store";
    o.batch = batch;
    o.accumulate = accumulate;
    ASSERT_OK(rheo_train(&o, &err));

    /* A tensor beyond the largest buffer; then nothing is left to suggest, and no run begins. */
    o.batch = 16;
    o.accumulate = 1;
    o.force = 0;
    snprintf(run, sizeof run, "%s/none", s.folder);
    setenv("RHEO_LIMIT_MEMORY", "64K", 1);
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_ENOMEM, "; no batch fits: the model needs a smaller width, depth or image");
    cr_expect(!rheo_folder_exists(run), "a run was begun");
    unsetenv("RHEO_LIMIT_MEMORY");
    clean(&s);
}

Test(footprint, a_forecast)
{
    if (no_device()) cr_skip_test("needs a device");
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_forecast f;
    rheo_train_options o = deep(&s, NULL);
    ASSERT_OK(rheo_train_forecast(&o, 0, &f, &err));
    cr_assert(f.modes == 2 && f.images == 36 && f.batch == 16 && f.h == 16 && f.c == 1 && f.parameters > 1000);
    for (int k = 0; k < 2; k++) {
        const rheo_forecast_memory *m = &f.mode[k];
        cr_assert(m->fits && m->steps >= 3 && m->seconds > 0 && m->low <= m->seconds && m->seconds <= m->high);
        cr_assert_str_eq(m->memory, k ? "invert" : "store");
    }
    cr_assert(f.mode[1].activations < f.mode[0].activations && f.mode[1].variables == f.mode[0].variables);
    cr_assert_eq(f.chosen, 0);

    char limit[32];
    snprintf(limit, sizeof limit, "%llu", (unsigned long long)(f.mode[0].activations + f.mode[0].variables + f.mode[0].beside - 1));
    setenv("RHEO_LIMIT_MEMORY", limit, 1);
    ASSERT_OK(rheo_train_forecast(&o, 0, &f, &err));
    cr_assert(!f.mode[0].fits && isnan(f.mode[0].seconds) && f.mode[1].fits && f.mode[1].seconds > 0 && f.chosen == 1);
    unsetenv("RHEO_LIMIT_MEMORY");

    o.model = "ncsn";
    o.model_config = "{\"width\": 4}";
    o.memory = "store";
    ASSERT_OK(rheo_train_forecast(&o, 0, &f, &err));
    cr_assert(f.modes == 1 && f.mode[0].fits && f.mode[0].seconds > 0);
    o.memory = "invert";
    ASSERT_FAILS(rheo_train_forecast(&o, 0, &f, &err), RHEO_EINVAL, "ncsn is no invertible model");
    o.device = "host";
    ASSERT_FAILS(rheo_train_forecast(&o, 0, &f, &err), RHEO_EINVAL, "the host executor is not to be timed");
    clean(&s);
}
