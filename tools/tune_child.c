/* The process in which `rheo tune` measures. */
#include <math.h>
#include <signal.h>
#include <stdio.h>

#include "tune_child.h"

typedef struct child {
    const volatile int *stop;
    tune_answer answer;         /* lent to rheo_tune until the next */
} child;

static void ask(child *c, const tune_message *m)
{
    tool_child_ask(m, sizeof *m, &c->answer, sizeof c->answer);
    if (c->answer.stop && !*c->stop) raise(SIGTERM);    /* as if it had been sent here too */
}

static const char *before(void *user, const rheo_tuned *so_far)
{
    child *c = user;
    tune_message m = { .what = TUNE_TRIES, .variant = so_far->variants, .count = so_far->count };
    snprintf(m.key, sizeof m.key, "%s", so_far->key);
    snprintf(m.name, sizeof m.name, "%s", so_far->names[so_far->variants]);
    ask(c, &m);
    return c->answer.refused[0] ? c->answer.refused : NULL;
}

/* Appends what fits. */
#define ADD(...) (used += used < sizeof m.line ? (size_t)snprintf(m.line + used, sizeof m.line - used, __VA_ARGS__) : 0)

static void report(void *user, const rheo_tuned *t)
{
    tune_message m = { .what = TUNE_FOUND, .variant = t->winner, .count = t->count };
    size_t used = 0;
    snprintf(m.key, sizeof m.key, "%s", t->key);
    ADD("%-72s", t->key);
    for (int k = 0; k < t->variants; ++k) {
        if (isnan(t->seconds[k]))
            ADD("  %s failed", t->names[k]);
        else
            ADD("  %s %.3f ms", t->names[k], 1e3 * t->seconds[k]);
    }
    ADD("  -> %s%s%s", t->names[t->winner], *t->trouble ? "; " : "", t->trouble);
    ask(user, &m);
}

int tune_measure(rheo_train_options *o)
{
    child c = { .stop = tool_stop_at_interrupt(NULL) };
    tune_message end = { .what = TUNE_ENDS };
    if (!tool_child_begin()) return tool_misused("tune", TOOL_CHILD " is for rheo's own use");
    o->user = &c;
    o->stop = c.stop;
    const rheo_status st = rheo_tune(o, before, report, &end.err);
    end.err.status = st;
    (void)tool_child_say(&end, sizeof end);
    return st ? TOOL_FAILED : TOOL_OK;
}
