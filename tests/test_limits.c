/* Devices made small by RHEO_LIMIT_..., which train as others do, and two at once. CMakeLists.txt runs the table of operations on small
 * ones as well. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "expect.h"
#include "support.h"

Test(limits, are_read)
{
    rheo_device *dev = test_device();
    const rheo_device_facts whole = *rheo_device_facts_of(dev);
    rheo_device_close(dev);
    setenv("RHEO_LIMIT_LOCAL", "16K", 1);
    setenv("RHEO_LIMIT_BUFFER", "8M", 1);
    setenv("RHEO_LIMIT_MEMORY", "1000000000000G", 1);
    setenv("RHEO_LIMIT_GROUP", "100", 1);
    setenv("RHEO_LIMIT_FMA", "0", 1);
    setenv("RHEO_LIMIT_LAUNCH", "3M", 1);
    setenv("RHEO_LIMIT_OVERLAP", "0", 1);
    dev = test_device();
    const rheo_device_facts *f = rheo_device_facts_of(dev);
    cr_expect_eq(f->local_bytes, 16384);
    cr_expect_eq(f->largest_buffer_bytes, 8 << 20);
    cr_expect_eq(f->global_bytes, whole.global_bytes);
    cr_expect(f->max_group == 100 && f->group == 64);
    cr_expect(!f->fast_fma && !f->overlaps);
    cr_expect_eq(f->launch_flops, 3 << 20);
    rheo_device_close(dev);
}

Test(limits, that_are_none_are_named)
{
    static const char *const bad[][2] = {
        { "RHEO_LIMIT_LOCAL", "32Q" }, { "RHEO_LIMIT_BUFFER", "-1" }, { "RHEO_LIMIT_MEMORY", "1GB" }, { "RHEO_LIMIT_GROUP", "32" },
        { "RHEO_LIMIT_VECTOR", "wide" },
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        rheo_error err = RHEO_ERROR_INIT;
        rheo_device *dev = NULL;
        setenv(bad[k][0], bad[k][1], 1);
        ASSERT_FAILS(rheo_device_open(NULL, &dev, &err), RHEO_EINVAL, bad[k][0]);
        unsetenv(bad[k][0]);
    }
}

/* ---- training --------------------------------------------------------------------------------------------------------- */

typedef struct limits {
    const char *set[4][2];
} limits;

static void expect_training(const limits *l)
{
    for (int k = 0; k < 4 && l->set[k][0]; k++) setenv(l->set[k][0], l->set[k][1], 1);
    test_trainings();
}

/* Just room for the parameters of the NCSN, the largest of its storages: what it computes in takes two buffers. */
#define SMALL_BUFFER { "RHEO_LIMIT_BUFFER", "484K" }

Test(limits, small_buffers_train) { expect_training(&(limits){ { SMALL_BUFFER } }); }

Test(limits, short_vectors_without_fma_train)
{
    expect_training(&(limits){ { { "RHEO_LIMIT_VECTOR", "4" }, { "RHEO_LIMIT_FMA", "0" } } });
}

Test(limits, small_gpus_train)
{
    expect_training(&(limits){ { { "RHEO_KIND", "gpu" }, { "RHEO_LIMIT_GROUP", "64" }, { "RHEO_LIMIT_LOCAL", "32K" }, SMALL_BUFFER } });
}

Test(limits, gpus_with_a_watchdog_train)
{
    expect_training(&(limits){ { { "RHEO_KIND", "gpu" }, { "RHEO_LIMIT_GROUP", "64" }, { "RHEO_LIMIT_LAUNCH", "10K" } } });
}

/* ---- two devices in one process ---------------------------------------------------------------------------------- */

typedef struct side {
    rheo_device *dev;
    test_bench bench;
    rheo_plan *plan;
    int x;
} side;

/* x = exp(-x) a run, from `first`: numbers that tell how often it ran and where from. */
static side start(rheo_device *dev, double first)
{
    side s = { .dev = dev, .bench = test_start(dev) };
    rheo_error err = RHEO_ERROR_INIT;
    double values[300];
    for (int i = 0; i < 300; i++) values[i] = first + i * 1e-3;
    s.x = test_storage(s.bench.s, RHEO_F32, 300, values);
    const rheo_value x = rheo_window(s.bench.g, s.x, 0, rheo_vector(300));
    rheo_assign(s.bench.g, x, rheo_exp(s.bench.g, rheo_neg(s.bench.g, x)));
    ASSERT_OK(rheo_plan_create(s.bench.g, s.bench.s, NULL, &s.plan, &err));
    return s;
}

static void finish(side *s, double first, int runs)
{
    double found[300];
    test_read(s->bench.s, s->x, found);
    for (int i = 0; i < 300; i++) {
        double x = (float)(first + i * 1e-3);
        for (int k = 0; k < runs; k++) x = exp(-x);
        cr_assert(fabs(found[i] - x) <= 1e-6, "%d: %.9g, expected %.9g", i, found[i], x);
    }
    rheo_plan_destroy(s->plan);
    test_finish(&s->bench);
    rheo_device_close(s->dev);
}

/* Each has a context, a queue and programs of its own: runs interleave, and closing one leaves the other at work. All devices of all
 * platforms take part, the first of them twice. */
Test(limits, devices_work_side_by_side)
{
    enum { MOST = 8 };
    rheo_error err = RHEO_ERROR_INIT;
    rheo_device_facts *facts = NULL;
    side sides[MOST];
    size_t n = 0;
    ASSERT_OK(rheo_device_list(&facts, &n, &err));
    free(facts);
    const int count = n + 1 < MOST ? (int)n + 1 : MOST;
    for (int k = 0; k < count; k++) {
        char which[16];
        rheo_device *dev = NULL;
        snprintf(which, sizeof which, "%d", k < (int)n ? k : 0);
        ASSERT_OK(rheo_device_open(which, &dev, &err));
        sides[k] = start(dev, k);
    }
    for (int run = 0; run < 6; run++)
        for (int k = 0; k < count; k++)
            if (run < 3 + k) ASSERT_OK(rheo_plan_run(sides[k].plan, &err));
    for (int k = 0; k < count; k++) finish(&sides[k], k, 3 + k < 6 ? 3 + k : 6);
}
