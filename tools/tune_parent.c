/* The process that `rheo tune` starts in: it lets children measure, and outlives what drivers do to them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tune_child.h"

#define DEFAULT_LIMIT 10        /* times the limit for a default variant, which there is no doing without */
#define PATIENCE 4              /* a candidate may take so many times as long as the default, and the limit */
#define EXIT_SECONDS 10         /* to end after the last word */
enum { MOST_CRASHES = 3 };      /* of variants of one name: then it is not tried elsewhere either */

/* What the next child is told: an operation is measured (name ""), or one of its variants is not to be tried. */
typedef struct entry {
    char key[TUNE_KEY], name[TUNE_NAME], why[TUNE_WHY];
} entry;

typedef struct supervisor {
    char **argv;
    double limit;
    const volatile int *stop;
    entry *list;
    int entries, capacity;
    int count, measured, changed;       /* operations */
    rheo_error err;
} supervisor;

typedef struct child {
    tool_child process;
    tune_message last;
    bool trying;                /* what follows is `tried`, in operation `key` */
    int variant;
    char key[TUNE_KEY], tried[TUNE_NAME];
    bool suspect;               /* a candidate ran: what fails later may be its doing */
    double default_seconds;     /* of the operation */
} child;

static bool fail(supervisor *s, rheo_status status, const char *text)
{
    s->err.status = status;
    snprintf(s->err.text, sizeof s->err.text, "%s", text);
    return false;
}

/* ---- what is remembered ----------------------------------------------------------------------------------------------- */

static bool add(supervisor *s, const char *key, const char *name, const char *why)
{
    if (s->entries == s->capacity) {
        const int capacity = 2 * s->capacity + 16;
        entry *list = realloc(s->list, (size_t)capacity * sizeof *list);
        if (!list) return fail(s, RHEO_ENOMEM, "");
        s->list = list;
        s->capacity = capacity;
    }
    entry *e = &s->list[s->entries++];
    snprintf(e->key, sizeof e->key, "%s", key);
    snprintf(e->name, sizeof e->name, "%s", name);
    snprintf(e->why, sizeof e->why, "%s", why);
    return true;
}

static void answer_try(const supervisor *s, const tune_message *m, tune_answer *a)
{
    int crashes = 0;
    for (const entry *e = s->list; e < s->list + s->entries && !a->refused[0]; e++) {
        const bool here = !strcmp(e->key, m->key), same = m->variant && !strcmp(e->name, m->name);
        crashes += same;
        if (here && same) snprintf(a->refused, sizeof a->refused, "%s", e->why);
        if (here && !m->variant && !e->name[0]) snprintf(a->refused, sizeof a->refused, "measured");
    }
    if (!a->refused[0] && crashes >= MOST_CRASHES)
        snprintf(a->refused, sizeof a->refused, "not tried: crashed or hung in %d operations", crashes);
}

/* ---- a child ------------------------------------------------------------------------------------------------------------ */

static bool take(supervisor *s, child *c)
{
    const tune_message *m = &c->last;
    tune_answer a = { .stop = *s->stop };
    if (c->trying && c->variant == 0) c->default_seconds = c->process.waited;
    s->count = m->count;
    if (m->what == TUNE_FOUND) {
        c->trying = false;
        c->process.allowed = INFINITY;
        s->measured++;
        s->changed += m->variant != 0;
        printf("%s\n", m->line);
        fflush(stdout);
        if (!add(s, m->key, "", "")) return false;
    } else {
        answer_try(s, m, &a);
        if (!a.refused[0]) {
            c->trying = true;
            c->variant = m->variant;
            c->suspect = c->suspect || m->variant;
            memcpy(c->key, m->key, sizeof c->key);
            memcpy(c->tried, m->name, sizeof c->tried);
        }
        if (c->trying) c->process.allowed = m->variant ? s->limit + PATIENCE * c->default_seconds : DEFAULT_LIMIT * s->limit;
    }
    tool_child_answer(&c->process, &a, sizeof a);
    return true;
}

/* Until it has ended. True: by its own last word. */
static bool watch(supervisor *s, child *c)
{
    bool ended = false, ok = true;
    while (ok && tool_child_next(&c->process, s->stop, &c->last, sizeof c->last)) {
        ended = c->last.what == TUNE_ENDS;
        if (ended)
            c->process.allowed = EXIT_SECONDS;
        else
            ok = take(s, c);
    }
    tool_child_end(&c->process);
    return ended;
}

/* ---- all of them --------------------------------------------------------------------------------------------------------- */

/* After a death without a last word: is there a way to go on? Each crash of a candidate adds an entry, and a default is tried once more
 * only where it was not the first thing a process did, so that this comes to an end. */
static bool go_on(supervisor *s, const child *c)
{
    char why[TUNE_WHY], text[480];
    tool_child_describe(&c->process, why);
    if (c->trying && c->variant) {
        fprintf(stderr, "%s tune: %s: %s %s; going on without it\n", tool_program, c->key, c->tried, why);
        return add(s, c->key, c->tried, why);
    }
    if (c->suspect) {
        fprintf(stderr, "%s tune: %s%s%s %s after other variants; going on in a new process\n", tool_program, c->trying ? c->key : "",
                c->trying ? ": " : "", c->trying ? c->tried : "measuring", why);
        return true;
    }
    if (c->trying)
        snprintf(text, sizeof text, "%s: the default, %s, %s", c->key, c->tried, why);
    else
        snprintf(text, sizeof text, "%s before anything was tried", why);
    return fail(s, RHEO_EDEVICE, text);
}

int tune_supervise(char **argv, double limit)
{
    supervisor s = { .argv = argv, .limit = limit, .stop = tool_stop_at_interrupt(NULL) };
    bool again = true;
    while (again && !s.err.status) {
        child c = { .trying = false };
        if (!tool_child_start(&c.process, s.argv, &s.err)) break;
        const bool ended = watch(&s, &c);
        if (s.err.status) break;
        if (ended) {
            s.err = c.last.err;
            /* A device may be lost without a crash, and the next operation's default fails. */
            again = s.err.status == RHEO_EDEVICE && c.suspect && !*s.stop;
            if (again) fprintf(stderr, "%s tune: %s; going on in a new process\n", tool_program, s.err.text);
            if (again) s.err = (rheo_error)RHEO_ERROR_INIT;
        } else if (*s.stop) {
            char text[80] = "stopped";
            if (s.count) snprintf(text, sizeof text, "stopped after %d of %d operations", s.measured, s.count);
            again = fail(&s, RHEO_ESTOPPED, text);
        } else {
            again = go_on(&s, &c);
        }
    }
    free(s.list);
    if (s.measured || !s.err.status) fprintf(stderr, "%d operations with a choice, %d not by default\n", s.measured, s.changed);
    return s.err.status ? tool_failed("tune", &s.err) : TOOL_OK;
}
