/* O1: optimizers, averages and the gradient norm against the vectors of score 8; the guard's gate. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "op/table.h"
#include "support.h"

static const double gradients[3][2] = { { .1, -1 }, { -.2, 2 }, { .3, 0 } };

static const struct vector { const char *name; rheo_adam_attr attr; double theta[2]; } vectors[] = {
    { "adam", { RHEO_ADAM, 0.9, 0.999, 1e-8, 0 }, { .990228625395, -1.996491026200 } },
    { "adam with decay", { RHEO_ADAM, 0.9, 0.999, 1e-8, 0.1 }, { .980811594664, -1.993802046790 } },
    { "adamw", { RHEO_ADAMW, 0.9, 0.999, 1e-8, 0.1 }, { .987247953358, -1.990513353165 } },
    { "adamax", { RHEO_ADAMAX, 0.9, 0.999, 1e-8, 0 }, { .990422413057, -1.994723133581 } },
};
enum { VECTORS = sizeof vectors / sizeof *vectors };

/* The references in double on doubles: 1e-10 relative, beyond what float inputs could show. */
Test(optimizer, references_give_the_vectors)
{
    for (int k = 0; k < VECTORS; k++) {
        double theta[2] = { 1, -2 }, m[2] = { 0 }, v[2] = { 0 }, lr = .01, scale = 1, gate = 1, t;
        rheo_spec flat = { { 1, 1, 1, 2 }, RHEO_F32 };
        const rheo_node n = { .op = &rheo_op_adam, .n_out = 3, .out = &flat, .attr = &vectors[k].attr };
        for (int step = 0; step < 3; step++) {
            t = step + 1;
            rheo_op_adam.reference(&n, (const double *[]){ theta, m, v, gradients[step], &lr, &scale, &gate, &t },
                                   (double *[]){ theta, m, v });
        }
        for (int i = 0; i < 2; i++)
            cr_expect(fabs(theta[i] - vectors[k].theta[i]) <= 1e-10 * fabs(theta[i]), "%s: theta[%d] %.12f, expected %.12f",
                      vectors[k].name, i, theta[i], vectors[k].theta[i]);
    }
}

/* Glow's factor (flows 0.9) by hand, one step: u = |g|, m = 0.1 g, a step of lr sqrt(1 - beta2) 0.1 / 0.1 sign(g). */
Test(optimizer, glows_adamax)
{
    const rheo_adam_attr attr = { RHEO_ADAMAX_GLOW, 0.9, 0.98980, 1e-8, 0 };
    double theta = 1, m = 0, v = 0, g = -0.5, one = 1, lr = .001;
    rheo_spec flat = { { 1, 1, 1, 1 }, RHEO_F32 };
    const rheo_node n = { .op = &rheo_op_adam, .n_out = 3, .out = &flat, .attr = &attr };
    rheo_op_adam.reference(&n, (const double *[]){ &theta, &m, &v, &g, &lr, &one, &one, &one }, (double *[]){ &theta, &m, &v });
    cr_expect(fabs(theta - (1 + .001 * sqrt(1 - 0.98980) * 0.5 / (0.5 + 1e-8))) < 1e-14, "%.15f", theta);
    cr_expect_eq(v, 0.5);
}

/* A graph that takes one step over storages theta, m, v, ema in place. */
typedef struct trainer {
    rheo_state *s;
    rheo_graph *g;
    rheo_plan *plan;
    int theta, m, v, average, grad, gate, t;
} trainer;

static trainer new_trainer(rheo_device *dev, const rheo_adam_attr *attr, int64_t count, const double *theta)
{
    const double lr = .01, one = 1, decay = 0.5;
    const rheo_shape flat = rheo_vector(count), number = rheo_vector(1);
    rheo_error err = RHEO_ERROR_INIT;
    trainer r = { .s = rheo_state_create() };
    cr_assert_eq(rheo_state_bind(r.s, dev, &err), RHEO_OK, "%s", err.text);
    r.g = rheo_graph_create(r.s, &rheo_op_arithmetic);
    r.theta = test_storage(r.s, RHEO_F32, count, theta);
    r.m = test_storage(r.s, RHEO_F32, count, NULL);
    r.v = test_storage(r.s, RHEO_F32, count, NULL);
    r.average = test_storage(r.s, RHEO_F32, count, theta);
    r.grad = test_storage(r.s, RHEO_F32, count, NULL);
    r.gate = test_storage(r.s, RHEO_F32, 1, &one);
    r.t = test_storage(r.s, RHEO_F32, 1, &one);
    const rheo_value p = rheo_window(r.g, r.theta, 0, flat), m = rheo_window(r.g, r.m, 0, flat), v = rheo_window(r.g, r.v, 0, flat);
    const rheo_value average = rheo_window(r.g, r.average, 0, flat), grad = rheo_window(r.g, r.grad, 0, flat);
    const rheo_value gate = rheo_window(r.g, r.gate, 0, number), t = rheo_window(r.g, r.t, 0, number);
    const rheo_value rate = rheo_window(r.g, test_storage(r.s, RHEO_F32, 1, &lr), 0, number);
    const rheo_value scale = rheo_window(r.g, test_storage(r.s, RHEO_F32, 1, &one), 0, number);
    const rheo_value keep = rheo_window(r.g, test_storage(r.s, RHEO_F32, 1, &decay), 0, number);
    const rheo_value next = rheo_adam(r.g, p, m, v, grad, rate, scale, gate, t, attr);
    rheo_assign(r.g, p, next);
    rheo_assign(r.g, m, rheo_output(next, 1));
    rheo_assign(r.g, v, rheo_output(next, 2));
    rheo_assign(r.g, average, rheo_ema(r.g, average, next, keep, gate));
    cr_assert_eq(rheo_plan_create(r.g, r.s, NULL, &r.plan, &err), RHEO_OK, "%s", err.text);
    return r;
}

static void step(trainer *r)
{
    rheo_error err = RHEO_ERROR_INIT;
    cr_assert_eq(rheo_plan_run(r->plan, &err), RHEO_OK, "%s", err.text);
}

static void end(trainer *r)
{
    rheo_plan_destroy(r->plan);
    rheo_graph_destroy(r->g);
    rheo_state_destroy(r->s);
}

Test(optimizer, device_gives_the_vectors)
{
    rheo_device *dev = test_device();
    for (int k = 0; k < VECTORS; k++) {
        double theta[2] = { 1, -2 }, average[2] = { 1, -2 }, got[2];
        trainer r = new_trainer(dev, &vectors[k].attr, 2, theta);
        cr_expect_eq(rheo_plan_stats_of(r.plan).launches, 2);
        for (int i = 0; i < 3; i++) {
            const double t = i + 1;
            test_write(r.s, r.grad, gradients[i]);
            test_write(r.s, r.t, &t);
            step(&r);
            test_read(r.s, r.theta, theta);
            for (int j = 0; j < 2; j++) average[j] = 0.5 * average[j] + 0.5 * theta[j];
        }
        test_read(r.s, r.average, got);
        for (int i = 0; i < 2; i++) {
            cr_expect(fabs(theta[i] - vectors[k].theta[i]) <= 1e-5 * fabs(theta[i]), "%s: theta[%d] %.9f, expected %.9f", vectors[k].name,
                      i, theta[i], vectors[k].theta[i]);
            /* The steps are what is computed, each to a few roundings of theta. */
            cr_expect(fabs(theta[i] - vectors[k].theta[i]) <= 4 * FLT_EPSILON * 2, "%s: theta[%d] %.9f, expected %.9f", vectors[k].name, i,
                      theta[i], vectors[k].theta[i]);
            cr_expect(fabs(got[i] - average[i]) <= 3 * FLT_EPSILON * 2, "average[%d] %.9f, expected %.9f", i, got[i], average[i]);
        }
        end(&r);
    }
    rheo_device_close(dev);
}

/* A closed gate leaves every bit, whatever the gradient holds; opened again the run goes on. */
Test(optimizer, closed_gate_changes_nothing)
{
    enum { COUNT = 1003 };
    static double theta[COUNT], before[4][COUNT], after[COUNT], bad[COUNT];
    const double closed = 0, open = 1;
    rheo_device *dev = test_device();
    for (int kind = RHEO_ADAM; kind <= RHEO_ADAMAX_GLOW; kind++) {
        const rheo_adam_attr attr = { kind, 0.9, 0.999, 1e-8, 0.01 };
        test_fill((rheo_sample_fill){ 0 }, rheo_vector(COUNT), 3, theta);
        trainer r = new_trainer(dev, &attr, COUNT, theta);
        const int storage[4] = { r.theta, r.m, r.v, r.average };
        test_write(r.s, r.grad, theta);
        step(&r);
        for (int k = 0; k < 4; k++) test_read(r.s, storage[k], before[k]);
        for (int i = 0; i < COUNT; i++) bad[i] = i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : 1;
        test_write(r.s, r.grad, bad);
        test_write(r.s, r.gate, &closed);
        step(&r);
        for (int k = 0; k < 4; k++) {
            test_read(r.s, storage[k], after);
            cr_expect_arr_eq(after, before[k], sizeof after, "kind %d storage %d", kind, k);
        }
        test_write(r.s, r.grad, theta);
        test_write(r.s, r.gate, &open);
        step(&r);
        for (int k = 0; k < 4; k++) {
            test_read(r.s, storage[k], after);
            for (int i = 0; i < COUNT; i++)
                cr_expect(isfinite(after[i]) && after[i] != before[k][i], "kind %d storage %d element %d", kind, k, i);
        }
        end(&r);
    }
    rheo_device_close(dev);
}

static void norm_of(rheo_device *dev, int64_t count, const double *x, double out[2])
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_state *s = rheo_state_create();
    cr_assert_eq(rheo_state_bind(s, dev, &err), RHEO_OK, "%s", err.text);
    rheo_graph *g = rheo_graph_create(s, &rheo_op_arithmetic);
    const rheo_value v = rheo_window(g, test_storage(s, RHEO_F32, count, x), 0, rheo_vector(count));
    const int to = test_storage(s, RHEO_F32, 2, NULL);
    rheo_assign(g, rheo_window(g, to, 0, rheo_vector(2)), rheo_norm2(g, v));
    test_run(g, s);
    test_read(s, to, out);
    rheo_graph_destroy(g);
    rheo_state_destroy(s);
}

/* The clip vector's norm; a sum that plain float32 addition would lose; what is not finite is counted, not summed. */
Test(optimizer, norm_of_gradients)
{
    enum { COUNT = 3000017 };
    static const double three_four[2] = { 3, 4 };
    double out[2], expected = 0;
    double *x = malloc(COUNT * sizeof *x);
    rheo_device *dev = test_device();
    norm_of(dev, 2, three_four, out);
    cr_expect(out[0] == 25 && out[1] == 0, "%g %g", out[0], out[1]);

    x[0] = 4096;
    for (int i = 1; i < COUNT; i++) x[i] = (double)(0.5f + (float)(i % 1000) * 0.0001f);
    for (int i = 0; i < COUNT; i++) expected += x[i] * x[i];
    norm_of(dev, COUNT, x, out);
    cr_expect(fabs(out[0] - expected) <= 2 * FLT_EPSILON * expected, "%.9g, expected %.9g", out[0], expected);

    x[5] = NAN, x[100000] = INFINITY, x[COUNT - 1] = -INFINITY;
    expected -= pow(0.5f + 5 * 0.0001f, 2) + pow(0.5f, 2) + pow(0.5f + (float)((COUNT - 1) % 1000) * 0.0001f, 2);
    norm_of(dev, COUNT, x, out);
    cr_expect(fabs(out[0] - expected) <= 2 * FLT_EPSILON * expected && out[1] == 3, "%.9g, expected %.9g; %g of 3", out[0], expected,
              out[1]);
    free(x);
    rheo_device_close(dev);
}

/* ---- the optimizer in place -------------------------------------------------------------------------------------- */

enum { PARAMETERS = 4096 };

/* theta' by Adam; with `late` another node reads theta after Adam has run. Returns the arena's bytes. */
static size_t adam_arena(rheo_device *dev, bool late, double *theta_out, double *copy_out)
{
    static const rheo_adam_attr adam = { .kind = RHEO_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8 };
    rheo_state *s = rheo_state_create();
    cr_assert_eq(rheo_state_bind(s, dev, NULL), RHEO_OK);
    double contents[PARAMETERS];
    test_fill((rheo_sample_fill){ 0 }, rheo_vector(PARAMETERS), 1, contents);
    const int theta_at = test_storage(s, RHEO_F32, PARAMETERS, contents), m_at = test_storage(s, RHEO_F32, PARAMETERS, NULL);
    const int v_at = test_storage(s, RHEO_F32, PARAMETERS, NULL), copy_at = test_storage(s, RHEO_F32, PARAMETERS, NULL);
    test_fill((rheo_sample_fill){ 0 }, rheo_vector(PARAMETERS), 2, contents);
    const int grad_at = test_storage(s, RHEO_F32, PARAMETERS, contents);
    rheo_graph *g = rheo_graph_create(s, &rheo_op_arithmetic);
    const rheo_shape flat = rheo_vector(PARAMETERS), one = rheo_vector(1);
    const rheo_value theta = rheo_window(g, theta_at, 0, flat), m = rheo_window(g, m_at, 0, flat), v = rheo_window(g, v_at, 0, flat);
    const rheo_value unit = rheo_constant(g, one, 1), rate = rheo_constant(g, one, 0.1f);
    const rheo_value next = rheo_adam(g, theta, m, v, rheo_window(g, grad_at, 0, flat), rate, unit, unit, unit, &adam);
    rheo_assign(g, theta, next);
    rheo_assign(g, m, rheo_output(next, 1));
    rheo_assign(g, v, rheo_output(next, 2));
    if (late) rheo_assign(g, rheo_window(g, copy_at, 0, flat), rheo_affine(g, theta, 2, 0));
    rheo_plan *plan = NULL;
    rheo_error err = RHEO_ERROR_INIT;
    ASSERT_OK(rheo_plan_create(g, s, NULL, &plan, &err));
    ASSERT_OK(rheo_plan_run(plan, &err));
    const size_t bytes = rheo_plan_stats_of(plan).arena_bytes;
    test_read(s, theta_at, theta_out);
    test_read(s, copy_at, copy_out);
    rheo_plan_destroy(plan);
    rheo_graph_destroy(g);
    rheo_state_destroy(s);
    return bytes;
}

Test(optimizer, adam_writes_in_place_only_where_nobody_reads_later)
{
    static double theta[2][PARAMETERS], copy[2][PARAMETERS], original[PARAMETERS];
    rheo_device *dev = test_device();
    const size_t alone = adam_arena(dev, false, theta[0], copy[0]), beside = adam_arena(dev, true, theta[1], copy[1]);
    cr_assert_lt(alone, PARAMETERS * sizeof(float), "%zu", alone);      /* nothing but scalars at most */
    cr_assert_geq(beside, PARAMETERS * sizeof(float), "%zu", beside);
    test_fill((rheo_sample_fill){ 0 }, rheo_vector(PARAMETERS), 1, original);
    for (int i = 0; i < PARAMETERS; i++) {
        cr_assert_eq(theta[0][i], theta[1][i], "%d: %g %g", i, theta[0][i], theta[1][i]);
        cr_assert_eq(copy[1][i], 2 * original[i], "%d: %g, expected %g", i, copy[1][i], 2 * original[i]);
        cr_assert(fabs(fabs(theta[0][i] - original[i]) - 0.1) < 1e-4);     /* Adam's first step is lr times the gradient's sign */
    }
    rheo_device_close(dev);
}
