#include "check/tune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "graph/internal.h"
#include "op/table.h"

#define TUNE_SECONDS 0.2    /* a variant */
#define ROUND_SECONDS 0.005 /* runs queued together, so that waiting for the device counts little */
#define MARGIN 0.95         /* of the default's time: less is noise */
/* Of the largest element. Two orders of summation of K products differ by about sqrt(K) / 2 eps of it (op/conv2d.c), 6e-5 for a
 * million; what is wrong is off by far more. */
#define MOST_DIFFERENCE 1e-4
enum { MOST_VARIANTS = 16 };

/* ---- one op alone ------------------------------------------------------------------------------------------------ */

typedef struct bench {
    const rheo_node *node;
    rheo_device *dev;
    rheo_state *state;
    rheo_graph *graph;
    int out[RHEO_MAX_OUT];
    float *expected, *found; /* all outputs, one after another */
} bench;

/* Numbers between -1 and 1 without a pattern; zeros as integers, which are indices. */
static rheo_status fill(rheo_state *state, int storage, rheo_type type, int64_t count, uint32_t seed, rheo_error *err)
{
    uint32_t h = seed * 2654435761u + 1;
    if (type != RHEO_F32) return RHEO_OK;
    float *x = malloc((size_t)count * sizeof *x);
    if (!x) return rheo_fail(err, RHEO_ENOMEM, "tune: out of memory");
    for (int64_t i = 0; i < count; i++) {
        h ^= h << 13, h ^= h >> 17, h ^= h << 5; /* Marsaglia 2003, xorshift */
        x[i] = (float)(int32_t)h * 0x1p-31f;
    }
    rheo_status st = rheo_state_write(state, storage, 0, count, x, err);
    const rheo_status waited = rheo_finish(rheo_state_device(state), err);
    free(x);
    return st ? st : waited;
}

static int64_t outputs(const rheo_node *n)
{
    int64_t count = 0;
    for (int k = 0; k < n->n_out; k++) count += rheo_count(n->out[k].shape);
    return count;
}

static void bench_free(bench *b)
{
    rheo_graph_destroy(b->graph);
    rheo_state_destroy(b->state);
    free(b->expected);
    free(b->found);
}

static rheo_status bench_create(rheo_device *dev, const rheo_node *n, bench *b, rheo_error *err)
{
    *b = (bench){ .node = n, .dev = dev, .state = rheo_state_create() };
    rheo_status st = b->state ? rheo_state_bind(b->state, dev, err) : rheo_fail(err, RHEO_ENOMEM, "tune: out of memory");
    if (st) return st;
    b->graph = rheo_graph_create(b->state, &rheo_op_arithmetic);
    b->expected = malloc((size_t)outputs(n) * sizeof *b->expected);
    b->found = malloc((size_t)outputs(n) * sizeof *b->found);
    rheo_value *in = calloc((size_t)n->n_in + 1, sizeof *in);
    if (!b->graph || !b->expected || !b->found || !in) st = rheo_fail(err, RHEO_ENOMEM, "tune: out of memory");
    for (int i = 0; i < n->n_in && !st; i++) {
        const int64_t count = rheo_count(n->in_spec[i].shape);
        const int storage = rheo_storage_add(b->state, "input", n->in_spec[i].type, count);
        if (storage < 0) st = rheo_fail(err, RHEO_ENOMEM, "tune: out of memory");
        if (!st) st = fill(b->state, storage, n->in_spec[i].type, count, (uint32_t)i + 1, err);
        if (!st) in[i] = rheo_window(b->graph, storage, 0, n->in_spec[i].shape);
    }
    const rheo_value y = st ? RHEO_NONE : rheo_apply(b->graph, n->op, n->n_in, in, n->attr, n->attr_bytes);
    for (int k = 0; k < n->n_out && !st; k++) {
        b->out[k] = rheo_storage_add(b->state, "output", n->out[k].type, rheo_count(n->out[k].shape));
        if (b->out[k] < 0)
            st = rheo_fail(err, RHEO_ENOMEM, "tune: out of memory");
        else
            rheo_assign(b->graph, rheo_window(b->graph, b->out[k], 0, n->out[k].shape), rheo_output(y, k));
    }
    free(in);
    return st;
}

/* What a variant leaves unwritten must show: outputs are NaN before the run. */
static rheo_status run_once(const bench *b, rheo_plan *plan, float *results, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    for (int k = 0; k < b->node->n_out && !st; k++) {
        cl_mem buffer = NULL;
        st = rheo_state_buffer(b->state, b->out[k], &buffer, err);
        if (!st) st = rheo_fill(b->dev, buffer, 0, (size_t)rheo_count(b->node->out[k].shape) * 4, 0x7fc00000u, err);
    }
    if (!st) st = rheo_plan_run(plan, err);
    for (int k = 0; k < b->node->n_out && !st; k++) {
        const int64_t count = rheo_count(b->node->out[k].shape);
        st = rheo_state_read(b->state, b->out[k], 0, count, results, err);
        results += count;
    }
    return st;
}

static rheo_status compare(const bench *b, rheo_error *err)
{
    const float *x = b->expected, *y = b->found;
    for (int k = 0; k < b->node->n_out; k++) {
        const int64_t count = rheo_count(b->node->out[k].shape);
        double scale = 0, worst = 0;
        for (int64_t i = 0; i < count; i++) {
            const double off = fabs((double)y[i] - x[i]);
            if (off > worst || isnan(off)) worst = off; /* a NaN stays, and is not within the bound */
            scale = fmax(scale, fabs(x[i]));
        }
        if (!(worst <= MOST_DIFFERENCE * scale)) return rheo_fail(err, RHEO_EDEVICE, "off by %.3g of %.3g", worst, scale);
        x += count;
        y += count;
    }
    return RHEO_OK;
}

static rheo_status time_runs(const bench *b, rheo_plan *plan, int runs, double *seconds, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    const double start = rheo_seconds();
    for (int k = 0; k < runs && !st; k++) st = rheo_plan_run(plan, err);
    if (!st) st = rheo_finish(b->dev, err);
    *seconds = (rheo_seconds() - start) / runs;
    return st;
}

static rheo_status measure(const bench *b, rheo_plan *plan, double *seconds, rheo_error *err)
{
    const double start = rheo_seconds();
    int runs = 1;
    rheo_status st = time_runs(b, plan, 1, seconds, err);
    while (!st && *seconds * runs < ROUND_SECONDS) st = time_runs(b, plan, runs *= 2, seconds, err);
    while (!st && rheo_seconds() - start < TUNE_SECONDS) {
        double now = INFINITY;
        st = time_runs(b, plan, runs, &now, err);
        *seconds = fmin(*seconds, now);
    }
    return st;
}

/* Verified against the default (variant 0, the first to come), then timed. */
static rheo_status try_variant(bench *b, int variant, const char *key, double *seconds, rheo_error *err)
{
    rheo_choices one = { 0 };
    rheo_plan *plan = NULL;
    const rheo_plan_options options = { .choices = &one };
    rheo_status st = RHEO_OK;
    if (!rheo_choices_set(&one, key, b->node->op->variants[variant], false)) st = rheo_fail(err, RHEO_ENOMEM, "tune: out of memory");
    if (!st) st = rheo_plan_create(b->graph, b->state, &options, &plan, err);
    if (!st) st = run_once(b, plan, variant ? b->found : b->expected, err);
    if (!st && variant) st = compare(b, err);
    if (!st) st = measure(b, plan, seconds, err);
    rheo_plan_destroy(plan);
    rheo_choices_free(&one);
    return st;
}

/* ---- all of them --------------------------------------------------------------------------------------------------- */

typedef struct one_choice {
    const rheo_node *node;
    char key[RHEO_CHOICE_KEY];
} one_choice;

/* A variant that fails or is wrong is no candidate; a default that fails is an error. */
static rheo_status tune_node(rheo_device *dev, const one_choice *it, rheo_tuned *r, const char **names, double *seconds,
                             rheo_error *trouble, rheo_error *err)
{
    bench b;
    rheo_status st = bench_create(dev, it->node, &b, err);
    for (int v = 0; it->node->op->variants[v] && r->variants < MOST_VARIANTS && !st; v++) {
        if (!rheo_variant_offered(it->node, v, rheo_device_facts_of(dev))) continue;
        rheo_error failed = RHEO_ERROR_INIT;
        const int k = r->variants++;
        names[k] = it->node->op->variants[v];
        if (try_variant(&b, v, it->key, &seconds[k], &failed)) {
            seconds[k] = NAN;
            if (v == 0) st = rheo_fail(err, failed.status, "%s: %s", it->key, failed.text);
            *trouble = failed;
        } else if (seconds[k] < seconds[r->winner] && seconds[k] < MARGIN * seconds[0]) {
            r->winner = k;
        }
    }
    bench_free(&b);
    return st;
}

static bool has_choice(const rheo_node *n, const rheo_device_facts *dev)
{
    for (int v = 1; n->op->variants && n->op->variants[v]; v++)
        if (rheo_variant_offered(n, v, dev)) return true;
    return false;
}

/* The nodes with a choice, each key once. */
static rheo_status collect(rheo_device *dev, int n, const rheo_plan *const *plans, one_choice **out, int *count, rheo_error *err)
{
    int capacity = 0;
    for (int p = 0; p < n; p++) {
        const rheo_node *node;
        for (int k = 0; (node = rheo_plan_node(plans[p], k)) != NULL; k++) {
            if (!has_choice(node, rheo_device_facts_of(dev))) continue;
            if (!rheo_grow((void **)out, &capacity, *count + 1, sizeof **out)) return rheo_fail(err, RHEO_ENOMEM, "tune: out of memory");
            one_choice *it = &(*out)[*count];
            int seen = 0;
            it->node = node;
            rheo_choice_key(node, it->key);
            while (strcmp((*out)[seen].key, it->key)) seen++;
            if (seen == *count) ++*count;
        }
    }
    return RHEO_OK;
}

rheo_status rheo_tune_plans(rheo_device *dev, int n, const rheo_plan *const *plans, rheo_choices *winners,
                            void (*report)(void *user, const rheo_tuned *tuned), void *user, const volatile int *stop, rheo_error *err)
{
    one_choice *list = NULL;
    int count = 0;
    rheo_status st = collect(dev, n, plans, &list, &count, err);
    for (int i = 0; i < count && !st; i++) {
        const char *names[MOST_VARIANTS];
        double seconds[MOST_VARIANTS];
        rheo_error trouble = RHEO_ERROR_INIT;
        rheo_tuned r = { .key = list[i].key, .index = i, .count = count, .names = names, .seconds = seconds, .trouble = trouble.text };
        if (stop && *stop) st = rheo_fail(err, RHEO_ESTOPPED, "stopped after %d of %d operations", i, count);
        if (!st) st = tune_node(dev, &list[i], &r, names, seconds, &trouble, err);
        if (!st && !rheo_choices_set(winners, r.key, names[r.winner], false)) st = rheo_fail(err, RHEO_ENOMEM, "tune: out of memory");
        if (!st && report) report(user, &r);
    }
    free(list);
    return st;
}
