/* The doctor: which checks there are, one after another, and what follows from their findings. */
#include "check/doctor.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/devices.h"
#include "graph/internal.h"
#include "op/table.h"

const char *rheo_verdict_text(rheo_verdict v)
{
    static const char *const texts[] = {
#define TEXT(name, text) text,
        RHEO_VERDICTS(TEXT)
#undef TEXT
    };
    return (size_t)v < sizeof texts / sizeof *texts ? texts[v] : "unknown";
}

/* ---- for the checks ---------------------------------------------------------------------------------------------- */

bool rheo_check_add(rheo_check_list *l, const rheo_check *check, const char *name, ...)
{
    va_list args;
    if (!rheo_grow((void **)&l->list, &l->capacity, l->count + 1, sizeof *l->list)) return false;
    rheo_check *to = &l->list[l->count++];
    *to = *check;
    va_start(args, name);
    vsnprintf(to->name, sizeof to->name, name, args);
    va_end(args);
    return true;
}

void rheo_find_wrong(rheo_finding *found, const char *format, ...)
{
    va_list args;
    if (found->verdict == RHEO_VERDICT_WRONG) return;
    found->verdict = RHEO_VERDICT_WRONG;
    va_start(args, format);
    vsnprintf(found->text, sizeof found->text, format, args);
    va_end(args);
}

void rheo_find_difference(rheo_finding *found, const rheo_difference *d, int64_t count, const char *what)
{
    if (!(found->error >= d->part)) found->error = d->part;
    if (d->part <= 1) return;
    rheo_find_wrong(found, "%s, element %lld of %lld: %.9g, expected %.9g within %.3g", what, (long long)d->at, (long long)count, d->got,
                    d->expected, d->bound);
}

bool rheo_sample_is_small(const rheo_op_sample *s)
{
    enum { SMALL = 4000 };      /* numbers that go in */
    int64_t count = 0;
    for (int i = 0; i < s->n_in; i++) count += rheo_count(s->in[i].shape);
    return count <= SMALL;
}

/* ---- what follows -------------------------------------------------------------------------------------------------- */

static bool is_bad(const rheo_finding *f) { return f->verdict != RHEO_VERDICT_FINE && f->verdict != RHEO_VERDICT_SLOW; }

/* Operations are switched off, and on again by what has looked at all samples. */
static rheo_status act_upon(rheo_checkup *c, const rheo_check *check, const rheo_finding *f, rheo_error *err)
{
    static const size_t prefix = sizeof "op " - 1;
    if (!check->op || strncmp(check->name, "op ", prefix)) return RHEO_OK;
    const char *where = check->name + prefix;
    const rheo_fault *known = rheo_faults_find(&c->faults, where, f->variant);
    const char *verdict = is_bad(f) ? rheo_verdict_text(f->verdict) : NULL;
    if (verdict ? known && !strcmp(known->verdict, verdict) : !known || c->options->quick) return RHEO_OK;
    if (!rheo_faults_set(&c->faults, where, f->variant, verdict)) return rheo_fail(err, RHEO_ENOMEM, "doctor: out of memory");
    if (rheo_faults_remember(&c->faults, c->dev)) return RHEO_OK;
    return rheo_fail(err, RHEO_EFILE, "%s: could not be switched %s, since the cache folder cannot be written", check->name,
                     verdict ? "off" : "on");
}

static rheo_status make_check(rheo_checkup *c, const rheo_check *check, int index, int count, rheo_error *err)
{
    const rheo_doctor_options *o = c->options;
    const char *variant = check->op && check->op->variants && check->variant >= 0 ? check->op->variants[check->variant] : "";
    rheo_finding f = { .index = index, .count = count, .error = NAN, .seconds = NAN };
    rheo_error refused = RHEO_ERROR_INIT;
    snprintf(f.check, sizeof f.check, "%s", check->name);
    snprintf(f.variant, sizeof f.variant, "%s", variant);
    const rheo_finding *known = o->before ? o->before(o->user, &f) : NULL;
    if (!known && check->run(c, check, &f, &refused)) {
        f.verdict = RHEO_VERDICT_UNSUPPORTED;
        snprintf(f.text, sizeof f.text, "%.*s", (int)sizeof f.text - 1, refused.text);
    }
    const rheo_status st = act_upon(c, check, known ? known : &f, err);
    if (!st && !known && o->report) o->report(o->user, &f);
    return st;
}

/* ---- all of them ---------------------------------------------------------------------------------------------------- */

static rheo_status list_checks(rheo_checkup *c, rheo_check_list *l, rheo_error *err)
{
    const char *only = c->options->op;
    rheo_status st = RHEO_OK;
    int known = 0;
    for (int o = 0; o < rheo_op_count && only; o++) known += !strcmp(rheo_ops[o]->name, only);
    if (only && !known) return rheo_fail(err, RHEO_EINVAL, "op: found '%.40s', which is no operation", only);
    if (!only) st = rheo_check_programs(c, l, err);
    if (!st && !only) st = rheo_check_buffers(c, l, err);
    if (!st) st = rheo_check_ops(c, l, err);
    if (!st) st = rheo_check_gradients(c, l, err);
    if (!st && !only) st = rheo_check_random(c, l, err);
    if (!st && !only) st = rheo_check_training(c, l, err);
    return st;
}

rheo_status rheo_doctor(const rheo_doctor_options *options, rheo_error *err)
{
    rheo_checkup c = { .options = options };
    rheo_check_list l = { 0 };
    rheo_device_info info;
    rheo_status st = rheo_device_open(options->device, &c.dev, err);
    if (!st) {
        rheo_faults_recall(&c.faults, c.dev);
        rheo_device_describe(rheo_device_facts_of(c.dev), &info);
        if (options->start) options->start(options->user, &info);
        st = list_checks(&c, &l, err);
    }
    for (int k = 0; k < l.count && !st; k++) {
        if (options->stop && *options->stop) st = rheo_fail(err, RHEO_ESTOPPED, "stopped after %d of %d checks", k, l.count);
        else st = make_check(&c, &l.list[k], k, l.count, err);
    }
    if (c.dev) rheo_cache_save(c.dev);
    rheo_device_close(c.dev);
    rheo_faults_free(&c.faults);
    free(l.list);
    return st;
}

/* ---- slow ------------------------------------------------------------------------------------------------------------ */

#define FAR_BEHIND 30
#define MUCH_FASTER 2
#define BEYOND_LAUNCHES 4       /* below so many times what launches take there is nothing to be won */

typedef struct rates {
    double launch, flop, byte;  /* the fewest seconds seen for one */
} rates;

static bool counts(const rheo_finding *f) { return !is_bad(f) && f->seconds > 0 && f->launches > 0; }

static rates best_rates(const rheo_finding *list, int count)
{
    rates r = { INFINITY, INFINITY, INFINITY };
    for (const rheo_finding *f = list; f < list + count; f++) {
        if (!counts(f)) continue;
        r.launch = fmin(r.launch, f->seconds / f->launches);
        if (f->flops > 0) r.flop = fmin(r.flop, f->seconds / f->flops);
        if (f->bytes > 0) r.byte = fmin(r.byte, f->seconds / f->bytes);
    }
    return r;
}

/* Of what the best rates allow. */
static double share(const rheo_finding *f, const rates *r)
{
    const double work = fmax(f->flops > 0 ? f->flops * r->flop : 0, f->bytes > 0 ? f->bytes * r->byte : 0);
    return fmax(work, f->launches * r->launch) / f->seconds;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void find_faster(rheo_finding *f, const rheo_finding *list, int count, const rates *r)
{
    bool first = true;          /* of its check: the default */
    for (const rheo_finding *other = list; other < f; other++) first = first && strcmp(other->check, f->check);
    for (const rheo_finding *other = f + 1; first && other < list + count; other++) {
        if (!counts(other) || strcmp(other->check, f->check)) continue;
        if (f->seconds < MUCH_FASTER * other->seconds || f->seconds < BEYOND_LAUNCHES * f->launches * r->launch) continue;
        f->verdict = RHEO_VERDICT_SLOW;
        snprintf(f->text, sizeof f->text, "%.3g ms, %s takes %.3g ms: rheo tune chooses by measurement", 1e3 * f->seconds, other->variant,
                 1e3 * other->seconds);
    }
}

void rheo_findings_compare(rheo_finding *list, int count)
{
    const rates r = best_rates(list, count);
    double *shares = malloc((size_t)count * sizeof *shares + 1);
    int n = 0;
    if (!shares) return;
    for (int k = 0; k < count; k++)
        if (counts(&list[k])) shares[n++] = share(&list[k], &r);
    if (n > 0) qsort(shares, (size_t)n, sizeof *shares, ascending);
    const double median = n > 0 ? shares[n / 2] : 0;
    free(shares);
    for (rheo_finding *f = list; f < list + count; f++) {
        if (!counts(f)) continue;
        find_faster(f, list, count, &r);
        if (f->verdict == RHEO_VERDICT_SLOW || share(f, &r) * FAR_BEHIND >= median) continue;
        f->verdict = RHEO_VERDICT_SLOW;
        snprintf(f->text, sizeof f->text, "%.3g ms, %.0f times what the other operations suggest", 1e3 * f->seconds, median / share(f, &r));
    }
}
