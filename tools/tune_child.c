/* The process in which `rheo tune` measures. */
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tune_child.h"

typedef struct child {
    const volatile int *stop;
    tune_answer answer;         /* lent to rheo_tune until the next */
} child;

static bool say(const tune_message *m) { return send(TUNE_SOCKET, m, sizeof *m, MSG_NOSIGNAL) == (ssize_t)sizeof *m; }

static void ask(child *c, const tune_message *m)
{
    /* A lost parent ends it all: its user is gone. */
    if (!say(m) || recv(TUNE_SOCKET, &c->answer, sizeof c->answer, MSG_WAITALL) != (ssize_t)sizeof c->answer) _exit(TOOL_FAILED);
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
    int type = 0;
    socklen_t bytes = sizeof type;
    if (getsockopt(TUNE_SOCKET, SOL_SOCKET, SO_TYPE, &type, &bytes)) return tool_misused("tune", TUNE_CHILD " is for rheo's own use");
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);                   /* hanging in a driver, it would not see its parent go */
#endif
    fcntl(TUNE_SOCKET, F_SETFD, FD_CLOEXEC);            /* compilers that a driver starts do not hold it open */
    o->user = &c;
    o->stop = c.stop;
    const rheo_status st = rheo_tune(o, before, report, &end.err);
    end.err.status = st;
    (void)say(&end);
    return st ? TOOL_FAILED : TOOL_OK;
}
