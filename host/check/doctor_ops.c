/* The doctor's look at operations: each variant over the samples it is offered for, several times, against the reference in double. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/alone.h"
#include "check/doctor.h"
#include "op/table.h"

#define TIME_SECONDS 0.002
#define AGREE 2                 /* times are measured until two agree so far, since other work on the machine lengthens some */
enum { MOST_TIMES = 6 };
enum { REPEATS = 10, QUICK_REPEATS = 3 };        /* runs of a sample, whose bits must be the same */

/* ---- one sample ------------------------------------------------------------------------------------------------ */

typedef struct trial {
    rheo_alone host, device;
    rheo_plan *on_host, *on_device;
    double *expected, *got, *first;      /* all outputs, one after another */
    int64_t count;
} trial;

static void trial_free(trial *t)
{
    rheo_plan_destroy(t->on_host);
    rheo_plan_destroy(t->on_device);
    rheo_alone_free(&t->host);
    rheo_alone_free(&t->device);
    free(t->expected);
    free(t->got);
    free(t->first);
}

static rheo_status trial_create(rheo_device *dev, const rheo_check *c, int sample, trial *t, rheo_error *err)
{
    const rheo_op *op = c->op;
    rheo_choices forced = { 0 };
    *t = (trial){ .count = 0 };
    rheo_status st = rheo_alone_of_sample(NULL, op, &op->samples[sample], 1, &t->host, err);
    if (!st) st = rheo_alone_of_sample(dev, op, &op->samples[sample], 1, &t->device, err);
    if (!st && op->variants && !rheo_choices_set(&forced, op->name, op->variants[c->variant], false))
        st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st) st = rheo_plan_create(t->host.graph, t->host.state, NULL, &t->on_host, err);
    if (!st) st = rheo_plan_create(t->device.graph, t->device.state, &(rheo_plan_options){ .choices = &forced }, &t->on_device, err);
    rheo_choices_free(&forced);
    if (st) return st;
    t->count = rheo_outputs(t->host.node);
    const size_t bytes = (size_t)t->count * sizeof(double) + 1;
    t->expected = malloc(bytes);
    t->got = malloc(bytes);
    t->first = malloc(bytes);
    return t->expected && t->got && t->first ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "out of memory");
}

static void compare_outputs(const rheo_check *c, int sample, const trial *t, rheo_finding *f)
{
    const rheo_node *n = t->host.node;
    for (int64_t k = 0, at = 0, count = 0; k < n->n_out; k++, at += count) {
        char what[64];
        count = rheo_count(n->out[k].shape);
        snprintf(what, sizeof what, "sample %d, output %d", sample, (int)k);
        const double tolerance = c->op->tolerance * rheo_looseness(c->op, c->variant) * FLT_EPSILON;
        const rheo_difference d = rheo_compare(count, t->first + at, t->expected + at, tolerance);
        rheo_find_difference(f, &d, count, what);
    }
}

static void compare_bits(int sample, int run, const trial *t, rheo_finding *f)
{
    int64_t at = 0;
    if (!memcmp(t->first, t->got, (size_t)t->count * sizeof *t->got)) return;
    while (!memcmp(&t->first[at], &t->got[at], sizeof *t->got)) at++;
    rheo_find_wrong(f, "sample %d, element %lld of %lld: %.9g in the first run, %.9g in run %d", sample, (long long)at, (long long)t->count,
                    t->first[at], t->got[at], run + 1);
}

static rheo_status time_trial(const trial *t, double *seconds, rheo_error *err)
{
    rheo_timing last;
    rheo_status st = RHEO_OK;
    bool agree = false;
    *seconds = INFINITY;
    for (int k = 0; k < MOST_TIMES && !agree && !st; k++) {
        st = rheo_alone_time(&t->device, t->on_device, TIME_SECONDS, &last, err);
        if (st) break;
        agree = last.best < AGREE * *seconds && *seconds < AGREE * last.best;
        *seconds = fmin(*seconds, last.best);
    }
    return st;
}

/* Timed if it is the one that moves most so far; not a variant that rounds more, which no measurement would choose. */
static rheo_status run_trial(const rheo_checkup *c, const rheo_check *check, int sample, trial *t, rheo_finding *f, rheo_error *err)
{
    const int repeats = c->options->quick ? QUICK_REPEATS : REPEATS;
    const rheo_cost cost = rheo_cost_of(t->host.node);
    rheo_status st = rheo_alone_run(&t->host, t->on_host, t->expected, err);
    if (!st) st = rheo_alone_run(&t->device, t->on_device, t->first, err);
    if (!st) compare_outputs(check, sample, t, f);
    for (int run = 1; run < repeats && !st; run++) {
        st = rheo_alone_run(&t->device, t->on_device, t->got, err);
        if (!st) compare_bits(sample, run, t, f);
    }
    if (st || cost.bytes <= f->bytes || f->verdict || rheo_looseness(check->op, check->variant) > 1) return st;
    f->bytes = cost.bytes;
    f->flops = cost.flops;
    f->launches = rheo_plan_stats_of(t->on_device).launches;
    return time_trial(t, &f->seconds, err);
}

/* ---- the check ---------------------------------------------------------------------------------------------------- */

/* What the check of a sample is called, and its node's variants that are offered, as bits. */
static rheo_status name_of(rheo_device *dev, const rheo_op *op, int sample, char name[RHEO_FAULT_WHERE], unsigned *offered, rheo_error *err)
{
    const rheo_op_sample *s = &op->samples[sample];
    rheo_alone a;
    const rheo_status st = rheo_alone_declare(dev, op, s->n_in, s->in, s->attr, s->attr_bytes, &a, err);
    *offered = 0;
    if (!st) rheo_fault_where(a.node, rheo_device_facts_of(dev), name);
    for (int v = 0; !st && (v == 0 || (op->variants && op->variants[v])) && v < 31; v++)
        *offered |= (unsigned)rheo_variant_offered(a.node, v, rheo_device_facts_of(dev)) << v;
    rheo_alone_free(&a);
    return st;
}

static rheo_status check_op(rheo_checkup *c, const rheo_check *check, rheo_finding *f, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    for (int k = 0; k < check->op->n_samples && !st; k++) {
        char name[RHEO_FAULT_WHERE];
        unsigned offered = 0;
        trial t = { 0 };
        st = name_of(c->dev, check->op, k, name, &offered, err);
        if (st || strcmp(name, check->name + sizeof "op " - 1)) continue;
        if (c->options->quick && !rheo_sample_is_small(&check->op->samples[k])) continue;
        st = trial_create(c->dev, check, k, &t, err);
        if (!st) st = run_trial(c, check, k, &t, f, err);
        trial_free(&t);
    }
    return st;
}

static bool is_listed(const rheo_check_list *l, const char *name)
{
    for (int k = 0; k < l->count; k++)
        if (!strncmp(l->list[k].name, "op ", 3) && !strcmp(l->list[k].name + 3, name)) return true;
    return false;
}

rheo_status rheo_check_ops(rheo_checkup *c, rheo_check_list *l, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    for (int o = 0; o < rheo_op_count && !st; o++) {
        const rheo_op *op = rheo_ops[o];
        if (!op->launch || (c->options->op && strcmp(op->name, c->options->op))) continue;
        for (int k = 0; k < op->n_samples && !st; k++) {
            char name[RHEO_FAULT_WHERE];
            unsigned offered = 0;
            st = name_of(c->dev, op, k, name, &offered, err);
            if (st || is_listed(l, name) || (c->options->quick && !rheo_sample_is_small(&op->samples[k]))) continue;
            for (int v = 0; v < 31 && !st; v++)
                if (offered >> v & 1 && !rheo_check_add(l, &(rheo_check){ .run = check_op, .op = op, .variant = v }, "op %s", name))
                    st = rheo_fail(err, RHEO_ENOMEM, "doctor: out of memory");
        }
    }
    return st;
}
