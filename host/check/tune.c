#include "check/tune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check/alone.h"
#include "op/table.h"

#define TUNE_SECONDS 0.2    /* a variant */
#define MARGIN 0.95         /* of the default's time: less is noise */
/* Of the largest element. Two orders of summation of K products differ by about sqrt(K) / 2 eps of it (op/conv2d.c), 6e-5 for a
 * million; what is wrong is off by far more. */
#define MOST_DIFFERENCE 1e-4
enum { MOST_VARIANTS = 16 };

/* ---- one variant ------------------------------------------------------------------------------------------------- */

typedef struct bench {
    rheo_alone alone;
    double *expected, *found; /* all outputs, one after another */
} bench;

static void bench_free(bench *b)
{
    rheo_alone_free(&b->alone);
    free(b->expected);
    free(b->found);
}

static rheo_status bench_create(rheo_device *dev, const rheo_node *n, bench *b, rheo_error *err)
{
    *b = (bench){ .expected = malloc((size_t)rheo_outputs(n) * sizeof(double)), .found = malloc((size_t)rheo_outputs(n) * sizeof(double)) };
    const rheo_status st = rheo_alone_create(dev, n, &b->alone, err);
    return st || (b->expected && b->found) ? st : rheo_fail(err, RHEO_ENOMEM, "tune: out of memory");
}

static rheo_status compare(const bench *b, rheo_error *err)
{
    const double *x = b->expected, *y = b->found;
    for (int k = 0; k < b->alone.node->n_out; k++) {
        const int64_t count = rheo_count(b->alone.node->out[k].shape);
        double scale = 0, worst = 0;
        for (int64_t i = 0; i < count; i++) {
            const double off = fabs(y[i] - x[i]);
            if (off > worst || isnan(off)) worst = off; /* a NaN stays, and is not within the bound */
            scale = fmax(scale, fabs(x[i]));
        }
        if (!(worst <= MOST_DIFFERENCE * scale)) return rheo_fail(err, RHEO_EDEVICE, "off by %.3g of %.3g", worst, scale);
        x += count;
        y += count;
    }
    return RHEO_OK;
}

/* Verified against the default (variant 0, the first to come), then timed. */
static rheo_status try_variant(bench *b, int variant, const char *key, double *seconds, rheo_error *err)
{
    rheo_choices one = { 0 };
    rheo_plan *plan = NULL;
    rheo_timing timing;
    const rheo_plan_options options = { .choices = &one };
    rheo_status st = RHEO_OK;
    if (!rheo_choices_set(&one, key, b->alone.node->op->variants[variant], false)) st = rheo_fail(err, RHEO_ENOMEM, "tune: out of memory");
    if (!st) st = rheo_plan_create(b->alone.graph, b->alone.state, &options, &plan, err);
    if (!st) st = rheo_alone_run(&b->alone, plan, variant ? b->found : b->expected, err);
    if (!st && variant) st = compare(b, err);
    if (!st) st = rheo_alone_time(&b->alone, plan, TUNE_SECONDS, &timing, err);
    if (!st) *seconds = timing.best;
    rheo_plan_destroy(plan);
    rheo_choices_free(&one);
    return st;
}

/* ---- all of them --------------------------------------------------------------------------------------------------- */

typedef struct one_choice {
    const rheo_node *node;
    char key[RHEO_CHOICE_KEY];
} one_choice;

static bool can_be_measured(const rheo_node *n, int v, const rheo_choices *c, const rheo_device_facts *dev)
{
    return rheo_variant_offered(n, v, dev) && rheo_looseness(n->op, v) <= 1 && !rheo_choices_fault(c, n, v, dev);
}

/* A variant that is refused, fails or is wrong is no candidate; a default that fails is an error, one that is refused leaves r without
 * variants. */
static rheo_status tune_node(rheo_device *dev, const one_choice *it, const rheo_choices *known, const rheo_tune_watch *watch, rheo_tuned *r,
                             const char **names, double *seconds, rheo_error *trouble, rheo_error *err)
{
    bench b = { 0 };
    rheo_status st = RHEO_OK;
    for (int v = 0; it->node->op->variants[v] && r->variants < MOST_VARIANTS && !st; v++) {
        if (!can_be_measured(it->node, v, known, rheo_device_facts_of(dev))) continue;
        rheo_error failed = RHEO_ERROR_INIT;
        const int k = r->variants;
        names[k] = it->node->op->variants[v];
        const char *refused = watch->before ? watch->before(watch->user, r) : NULL;
        if (v == 0 && !refused) st = bench_create(dev, it->node, &b, err);
        if (st || (v == 0 && refused)) break;
        r->variants++;
        if (refused ? rheo_fail(&failed, RHEO_EINVAL, "%s", refused) : try_variant(&b, v, it->key, &seconds[k], &failed)) {
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

/* Others are compared with the default: without it none is measured. */
static bool has_choice(const rheo_node *n, const rheo_choices *known, const rheo_device_facts *dev)
{
    if (!n->op->variants || !can_be_measured(n, 0, known, dev)) return false;
    for (int v = 1; n->op->variants[v]; v++)
        if (can_be_measured(n, v, known, dev)) return true;
    return false;
}

/* The nodes with a choice, each key once. */
static rheo_status collect(rheo_device *dev, int n, const rheo_plan *const *plans, const rheo_choices *known, one_choice **out, int *count,
                           rheo_error *err)
{
    int capacity = 0;
    for (int p = 0; p < n; p++) {
        const rheo_node *node;
        for (int k = 0; (node = rheo_plan_node(plans[p], k)) != NULL; k++) {
            if (!has_choice(node, known, rheo_device_facts_of(dev))) continue;
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

rheo_status rheo_tune_plans(rheo_device *dev, int n, const rheo_plan *const *plans, rheo_choices *winners, const rheo_tune_watch *watch,
                            rheo_error *err)
{
    one_choice *list = NULL;
    int count = 0;
    rheo_status st = collect(dev, n, plans, winners, &list, &count, err);
    for (int i = 0; i < count && !st; i++) {
        const char *names[MOST_VARIANTS];
        double seconds[MOST_VARIANTS];
        rheo_error trouble = RHEO_ERROR_INIT;
        rheo_tuned r = { .key = list[i].key, .index = i, .count = count, .names = names, .seconds = seconds, .trouble = trouble.text };
        if (watch->stop && *watch->stop) st = rheo_fail(err, RHEO_ESTOPPED, "stopped after %d of %d operations", i, count);
        if (!st) st = tune_node(dev, &list[i], winners, watch, &r, names, seconds, &trouble, err);
        if (st || !r.variants) continue;
        if (!rheo_choices_set(winners, r.key, names[r.winner], false)) st = rheo_fail(err, RHEO_ENOMEM, "tune: out of memory");
        if (!st && watch->report) watch->report(watch->user, &r);
    }
    free(list);
    return st;
}
