/* Langevin chains on the two-Gaussian mixture (score 7) as replays of one plan over shared storages: what changes from step to
 * step is read from device tables under a device counter. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "base/philox.h"
#include "support.h"

enum { CHAINS = 20000, STEPS = 1000, LEVELS = 10 };
static const rheo_shape points = { CHAINS, 1, 1, 2 };

typedef struct sampler {
    rheo_state *state;
    int x, counter, seed, first;
    int deviation, step_size;           /* [STEPS] each */
    rheo_plan *start, *step;
} sampler;

/* The exact score of 1/5 N((-5,-5), t^2 I) + 4/5 N((5,5), t^2 I): ((2 w - 1) (5,5) - x) / t^2, w = sigmoid(ln 4 + 10 (x1 + x2) / t^2). */
static rheo_value mixture_score(rheo_graph *g, rheo_value x, rheo_value deviation)
{
    const rheo_value precision = rheo_reciprocal(g, rheo_square(g, deviation));
    const rheo_value along = rheo_mul(g, rheo_sum(g, x, RHEO_AXIS_C), precision);
    const rheo_value w = rheo_sigmoid(g, rheo_affine(g, along, 10, log(4)));
    return rheo_mul(g, rheo_sub(g, rheo_affine(g, w, 10, -5), x), precision);
}

static rheo_value key_of(const sampler *s, rheo_graph *g)
{
    const rheo_value parts[3] = { rheo_window(g, s->seed, 0, rheo_vector(2)), rheo_window(g, s->counter, 0, rheo_vector(1)),
                                  rheo_window(g, s->first, 0, rheo_vector(1)) };
    return rheo_concat(g, 3, 3, parts);
}

static rheo_plan *compiled(rheo_graph *g, rheo_state *state)
{
    rheo_plan *plan = NULL;
    rheo_error err = RHEO_ERROR_INIT;
    cr_assert_eq(rheo_plan_create(g, state, NULL, &plan, &err), RHEO_OK, "%s", err.text);
    rheo_graph_destroy(g);
    return plan;
}

/* x ~ U[-8,8]^2, counter 0. */
static rheo_plan *start_plan(const sampler *s)
{
    static const uint32_t zero = 0;
    rheo_graph *g = rheo_graph_create(s->state, &rheo_op_arithmetic);
    rheo_assign(g, rheo_window(g, s->x, 0, points), rheo_affine(g, rheo_uniform(g, key_of(s, g), points, RHEO_FOR_START, 0), 16, -8));
    rheo_assign(g, rheo_window(g, s->counter, 0, rheo_vector(1)), rheo_table_u32(g, rheo_vector(1), &zero));
    return compiled(g, s->state);
}

/* x <- x + eta s(x) + sqrt(2 eta) z, counter <- counter + 1. */
static rheo_plan *step_plan(const sampler *s)
{
    rheo_graph *g = rheo_graph_create(s->state, &rheo_op_arithmetic);
    const rheo_value x = rheo_window(g, s->x, 0, points), counter = rheo_window(g, s->counter, 0, rheo_vector(1));
    const rheo_value deviation = rheo_gather(g, rheo_window(g, s->deviation, 0, rheo_vector(STEPS)), counter, 3);
    const rheo_value eta = rheo_gather(g, rheo_window(g, s->step_size, 0, rheo_vector(STEPS)), counter, 3);
    const rheo_value noise = rheo_sqrt(g, rheo_affine(g, eta, 2, 0));
    rheo_assign(g, rheo_window(g, s->x, 0, points), rheo_langevin(g, x, mixture_score(g, x, deviation), eta, noise, RHEO_NONE, RHEO_NONE,
                                                                  key_of(s, g), RHEO_FOR_LANGEVIN_NOISE, 0));
    rheo_assign(g, rheo_window(g, s->counter, 0, rheo_vector(1)), rheo_add_u32(g, counter, 1));
    return compiled(g, s->state);
}

static sampler sampler_make(rheo_device *dev)
{
    sampler s = { .state = rheo_state_create() };
    rheo_error err = RHEO_ERROR_INIT;
    cr_assert_eq(rheo_state_bind(s.state, dev, &err), RHEO_OK);
    s.x = test_storage(s.state, RHEO_F32, rheo_count(points), NULL);
    s.counter = test_storage(s.state, RHEO_U32, 1, NULL);
    s.seed = test_storage(s.state, RHEO_U32, 2, (const double[]){ 17, 0 });
    s.first = test_storage(s.state, RHEO_U32, 1, NULL);
    s.deviation = test_storage(s.state, RHEO_F32, STEPS, NULL);
    s.step_size = test_storage(s.state, RHEO_F32, STEPS, NULL);
    s.start = start_plan(&s);
    s.step = step_plan(&s);
    return s;
}

static void sampler_free(sampler *s)
{
    rheo_plan_destroy(s->start);
    rheo_plan_destroy(s->step);
    rheo_state_destroy(s->state);
}

/* Component deviations fall geometrically from `from` to 1 in LEVELS levels; eta = 0.05 deviation^2. */
static void write_schedule(sampler *s, double from)
{
    double deviation[STEPS], eta[STEPS];
    for (int t = 0; t < STEPS; t++) {
        const int level = t / (STEPS / LEVELS);
        deviation[t] = pow(from, 1 - level / (LEVELS - 1.0));
        eta[t] = 0.05 * deviation[t] * deviation[t];
    }
    test_write(s->state, s->deviation, deviation);
    test_write(s->state, s->step_size, eta);
}

/* The part of the chains that end in the smaller mode lies in [low, high], and around the modes the variance is that of
 * the discrete chain, 1 / (1 - eta / 2). */
static void check(sampler *s, const char *what, double from, double low, double high)
{
    rheo_error err = RHEO_ERROR_INIT;
    double *x = malloc((size_t)rheo_count(points) * sizeof *x), counter, squares = 0;
    int below = 0;
    write_schedule(s, from);
    cr_assert_eq(rheo_plan_run(s->start, &err), RHEO_OK, "%s", err.text);
    for (int t = 0; t < STEPS; t++) cr_assert_eq(rheo_plan_run(s->step, &err), RHEO_OK, "%s", err.text);
    test_read(s->state, s->x, x);
    test_read(s->state, s->counter, &counter);
    cr_assert_eq(counter, STEPS);
    for (int k = 0; k < CHAINS; k++) {
        const int small = x[2 * k] + x[2 * k + 1] < 0;
        below += small;
        for (int i = 0; i < 2; i++) {
            const double d = x[2 * k + i] - (small ? -5 : 5);
            cr_assert(isfinite(d));
            squares += d * d;
        }
    }
    const double fraction = (double)below / CHAINS, variance = squares / (2 * CHAINS), expected = 1 / (1 - 0.05 / 2);
    cr_expect(fraction >= low && fraction <= high, "%s: %.4f of the chains in the smaller mode, expected %.3f to %.3f", what, fraction, low,
              high);
    cr_expect(fabs(variance - expected) < 4 * expected * sqrt(2.0 / (2 * CHAINS)), "%s: variance %.4f, expected %.4f", what, variance,
              expected);
    free(x);
}

Test(langevin, plain_and_annealed_chains_reach_the_expected_weights)
{
    rheo_device *dev = test_device();
    sampler s = sampler_make(dev);
    check(&s, "Langevin", 1, 0.480, 0.502);
    check(&s, "annealed", 20, 0.208, 0.228);
    sampler_free(&s);
    rheo_device_close(dev);
}
