/* Mixing of two modes (score 7, figure 3): i.i.d. samples, Langevin dynamics and annealed Langevin dynamics, all on the exact score. */
#include <math.h>
#include <stdlib.h>

#include "base/philox.h"
#include "data/toy.h"
#include "op/rules.h"
#include "sample/chain.h"
#include "sample/ladder.h"
#include "toy/mixture.h"

enum { LEVELS = RHEO_TOY_LEVELS };
#define STEP 0.05 /* eta at deviation 1: alpha = 0.1 of the paper */

/* Expected numbers, by exact transport of the density along the diagonal. */
static const rheo_toy_number fractions[RHEO_TOY_METHODS] = {
    { .key = "iid_fraction", .text = "i.i.d. samples: fraction in the smaller mode", .expected = 0.2 },
    { .key = "langevin_fraction", .text = "Langevin: fraction in the smaller mode", .expected = 0.4911 },
    { .key = "annealed_fraction", .text = "annealed: fraction in the smaller mode", .expected = 0.2177 },
};
static const rheo_toy_number level_fractions[LEVELS] = {
    { .key = "level1_fraction", .text = "  after level 1", .expected = 0.418 },
    { .key = "level2_fraction", .text = "  after level 2", .expected = 0.388 },
    { .key = "level3_fraction", .text = "  after level 3", .expected = 0.349 },
    { .key = "level4_fraction", .text = "  after level 4", .expected = 0.305 },
    { .key = "level5_fraction", .text = "  after level 5", .expected = 0.261 },
    { .key = "level6_fraction", .text = "  after level 6", .expected = 0.231 },
    { .key = "level7_fraction", .text = "  after level 7", .expected = 0.219 },
    { .key = "level8_fraction", .text = "  after level 8", .expected = 0.218 },
    { .key = "level9_fraction", .text = "  after level 9", .expected = 0.218 },
    { .key = "level10_fraction", .text = "  after level 10", .expected = 0.218 },
};
/* A chain's stationary variance is 1 / (1 - eta / 2). */
static const rheo_toy_number variances[RHEO_TOY_METHODS] = {
    { .key = "iid_variance", .text = "i.i.d. samples: variance inside the modes", .expected = 1 },
    { .key = "langevin_variance", .text = "Langevin: variance inside the modes", .expected = 1 / (1 - STEP / 2) },
    { .key = "annealed_variance", .text = "annealed: variance inside the modes", .expected = 1 / (1 - STEP / 2) },
};

static rheo_toy_number number(const rheo_toy_number *expected, double value, double margin)
{
    rheo_toy_number r = *expected;
    r.value = value;
    r.low = r.expected - margin;
    r.high = r.expected + margin;
    return r;
}

/* x1 + x2 < 0: nearer to the smaller mode. */
static double fraction(const float *x, uint32_t n)
{
    uint32_t count = 0;
    for (size_t i = 0; i < n; i++) count += x[2 * i] + x[2 * i + 1] < 0;
    return (double)count / n;
}

/* 3.2 standard errors, and what the expectation was rounded by. */
static rheo_toy_number fraction_number(const rheo_toy_number *expected, const float *x, uint32_t n, double rounding)
{
    const double p = expected->expected;
    return number(expected, fraction(x, n), 3.2 * sqrt(p * (1 - p) / n) + rounding);
}

/* About the nearer mode, over both axes; four standard errors. */
static rheo_toy_number variance_number(const rheo_toy_number *expected, const float *x, uint32_t n)
{
    double squares = 0;
    for (size_t i = 0; i < 2 * (size_t)n; i++) {
        const double mode = x[i / 2 * 2] + x[i / 2 * 2 + 1] < 0 ? -RHEO_MIXTURE_MODE : RHEO_MIXTURE_MODE;
        squares += ((double)x[i] - mode) * ((double)x[i] - mode);
    }
    return number(expected, squares / (2.0 * n), 4 * expected->expected / sqrt(n));
}

/* ---- chains --------------------------------------------------------------------------------------------------- */

typedef struct watched {
    rheo_chain *chain;
    float *x; /* [n, 2] */
    uint32_t n;
    rheo_toy_number *numbers; /* [LEVELS], or NULL */
    rheo_error *err;
} watched;

static bool watch(void *user, int level, int step)
{
    const watched *w = user;
    if (!w->numbers || step < w->chain->annealing.steps) return true;
    if (rheo_chain_read(w->chain, w->x, w->err)) return false;
    w->numbers[level] = fraction_number(&level_fractions[level], w->x, w->n, 0.0005);
    return true;
}

/* Chains first .. first + n - 1 of the seed: methods must not share their noise. */
static rheo_status run(rheo_device *dev, rheo_choices *choices, const rheo_annealing *a, uint64_t seed, uint32_t first, uint32_t n,
                       const float *x0, float *x, rheo_toy_number *levels, rheo_error *err)
{
    const rheo_plan_options usual = { .rules = rheo_rules, .choices = choices };
    rheo_state *state = rheo_state_create();
    rheo_chain chain = { 0 };
    watched w = { &chain, x, n, levels, err };
    rheo_status st = state ? rheo_state_bind(state, dev, err) : rheo_fail(err, RHEO_ENOMEM, "toy: out of memory");
    if (!st) st = rheo_chain_create(state, RHEO_SHAPE(n, 1, 1, 2), RHEO_CHAIN_FREE, a, rheo_mixture_score_nodes, NULL, &usual, &chain, err);
    if (!st) st = rheo_chain_run(&chain, seed, first, x0, watch, &w, err);
    if (!st) st = rheo_chain_read(&chain, x, err);
    rheo_chain_free(&chain);
    rheo_state_destroy(state);
    return st;
}

/* Uniform on [-8, 8]^2. */
static void draw_start(uint64_t seed, uint32_t n, float *x)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t words[4];
        rheo_philox_block(&(rheo_address){ .seed = seed, .sample = i, .purpose = RHEO_FOR_START }, 0, words);
        for (int c = 0; c < 2; c++) x[2 * (size_t)i + c] = (float)(16 * rheo_philox_uniform(words[c]) - 8);
    }
}

rheo_status rheo_toy_mixing(const char *device, uint32_t n, uint64_t seed, float *x, rheo_toy_number *numbers, rheo_error *err)
{
    const double one = 1;
    double deviation[LEVELS];
    const rheo_annealing langevin = { .levels = 1, .sigma = &one, .steps = 1000, .epsilon = STEP },
                         annealed = { .levels = LEVELS, .sigma = deviation, .steps = 100, .epsilon = STEP };
    const size_t all = 2 * (size_t)n;
    rheo_toy_number *levels = numbers + RHEO_TOY_METHODS;
    rheo_device *dev = NULL;
    rheo_choices choices = { 0 };
    if (!n) return rheo_fail(err, RHEO_EINVAL, "toy: found 0 chains, expected at least 1");
    float *x0 = malloc(all * sizeof *x0);
    rheo_status st = x0 ? rheo_device_open(device, &dev, err) : rheo_fail(err, RHEO_ENOMEM, "toy: no memory for %u chains", n);
    if (st) goto done;
    rheo_choices_recall(&choices, dev);
    rheo_ladder(20, 1, LEVELS, true, deviation);
    draw_start(seed, n, x0);
    rheo_toy_points(rheo_toy_find(RHEO_MIXTURE_NAME), seed, 0, n, x);
    st = run(dev, &choices, &langevin, seed, 0, n, x0, x + all, NULL, err);
    if (!st) st = run(dev, &choices, &annealed, seed, n, n, x0, x + 2 * all, levels, err);
    for (int k = 0; k < RHEO_TOY_METHODS && !st; k++) {
        numbers[k] = fraction_number(&fractions[k], x + k * all, n, 0);
        levels[LEVELS + k] = variance_number(&variances[k], x + k * all, n);
    }
done:
    rheo_choices_free(&choices);
    rheo_device_close(dev);
    free(x0);
    return st;
}
