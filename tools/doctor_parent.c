/* The process that `rheo doctor` starts in: it lets children check, and outlives what drivers do to them.
 *
 * A check that fails is believed where it was the first that its process made, since an earlier one may have left the driver broken; else
 * it is made again in a new process. What fails there is told to the next one, which acts upon it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

#define EXIT_SECONDS 60         /* between checks, and to end after the last: binaries are saved */
#define START_SECONDS 60        /* to find and open the device */
enum { MOST_STARTS = 3 };       /* without anything found */

typedef struct supervisor {
    doctor_record *record;
    double limit;
    const volatile int *stop;
    tool_progress progress;
    int starts;                 /* since something was found */
    rheo_finding doubt;         /* what failed after other checks; check "" where nothing did */
} supervisor;

typedef struct child {
    tool_child process;
    doctor_message last;
    rheo_finding trying;        /* check "": nothing */
    int made;                   /* checks */
    bool again;                 /* a new one is to go on in its place */
} child;

bool doctor_is_bad(const rheo_finding *f) { return f->verdict != RHEO_VERDICT_FINE && f->verdict != RHEO_VERDICT_SLOW; }

static bool is_same(const rheo_finding *a, const rheo_finding *b) { return !strcmp(a->check, b->check) && !strcmp(a->variant, b->variant); }

static const rheo_finding *find(const doctor_record *r, const rheo_finding *it)
{
    for (int k = 0; k < r->count; k++)
        if (is_same(&r->list[k], it)) return &r->list[k];
    return NULL;
}

static bool keep(supervisor *s, const rheo_finding *f)
{
    doctor_record *r = s->record;
    if (r->count == r->capacity) {
        const int capacity = 2 * r->capacity + 64;
        rheo_finding *list = realloc(r->list, (size_t)capacity * sizeof *list);
        if (!list) {
            r->err.status = RHEO_ENOMEM;
            return false;
        }
        r->list = list;
        r->capacity = capacity;
    }
    r->list[r->count++] = *f;
    s->starts = 0;
    return true;
}

/* A check has an end. False: nothing more comes of this child. */
static bool conclude(supervisor *s, child *c, rheo_finding f)
{
    const bool bad = doctor_is_bad(&f), doubted = is_same(&s->doubt, &f);
    c->again = bad;
    if (bad && c->made > 1) {
        s->doubt = f;
        return false;
    }
    if (!bad && doubted)
        snprintf(f.text, sizeof f.text, "%s after other checks, but not in a process of its own: %.200s", rheo_verdict_text(s->doubt.verdict),
                 s->doubt.text);
    if (doubted) s->doubt.check[0] = '\0';
    c->trying.check[0] = '\0';
    return keep(s, &f) && !bad;
}

static bool take(supervisor *s, child *c)
{
    const doctor_message *m = &c->last;
    doctor_answer a = { .stop = *s->stop };
    doctor_record *r = s->record;
    bool go_on = true;
    if (m->what == DOCTOR_STARTS) {
        r->started = true;
        r->device = m->device;
        memcpy(r->kind, m->kind, sizeof r->kind);
        r->device.kind = r->kind;
    } else if (m->what == DOCTOR_FOUND) {
        go_on = conclude(s, c, m->finding);
    } else {
        const rheo_finding *known = find(r, &m->finding);
        r->of = m->finding.count;
        a.known = known != NULL;
        if (known) {
            a.finding = *known;
        } else {
            c->trying = m->finding;
            c->made++;
            if (s->progress.terminal)
                tool_progress_line(&s->progress, "%d of %d: %s %s", m->finding.index + 1, m->finding.count, m->finding.check, m->finding.variant);
        }
    }
    c->process.allowed = c->trying.check[0] ? s->limit : fmax(s->limit, EXIT_SECONDS);
    tool_child_answer(&c->process, &a, sizeof a);
    return go_on;
}

/* Until it has ended. True: by its own last word. */
static bool watch(supervisor *s, child *c)
{
    bool ended = false, ok = true;
    c->process.allowed = START_SECONDS;
    while (ok && tool_child_next(&c->process, s->stop, &c->last, sizeof c->last)) {
        ended = c->last.what == DOCTOR_ENDS;
        if (ended) c->process.allowed = EXIT_SECONDS;
        else ok = take(s, c);
    }
    tool_child_end(&c->process);
    return ended;
}

/* After a death without a last word. */
static void bury(supervisor *s, child *c)
{
    char why[TOOL_CHILD_WHY];
    tool_child_describe(&c->process, why);
    if (c->trying.check[0]) {
        rheo_finding f = c->trying;
        f.verdict = c->process.late ? RHEO_VERDICT_HUNG : RHEO_VERDICT_CRASHED;
        snprintf(f.text, sizeof f.text, "%s", why);
        (void)conclude(s, c, f);
    } else {
        c->again = s->starts < MOST_STARTS;
        if (c->again) return;
        s->record->err.status = RHEO_EDEVICE;
        snprintf(s->record->err.text, sizeof s->record->err.text, "the process %s %s", why,
                 s->record->started ? "between the checks" : "before the device was open");
    }
}

void doctor_supervise(char **argv, double limit, doctor_record *r)
{
    supervisor s = { .record = r, .limit = limit, .stop = tool_stop_at_interrupt(NULL), .progress = tool_progress_start() };
    bool again = true;
    while (again && !r->err.status) {
        child c = { .made = 0 };
        s.starts++;
        if (!tool_child_start(&c.process, argv, &r->err)) break;
        const bool ended = watch(&s, &c);
        if (ended) r->err = c.last.err;
        else if (*s.stop) r->err.status = RHEO_ESTOPPED;
        else if (!c.again) bury(&s, &c);
        again = c.again && !*s.stop;
    }
    tool_progress_end(&s.progress);
    rheo_findings_compare(r->list, r->count);
}
