/* The process in which `rheo doctor` checks. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "doctor.h"

typedef struct child {
    const volatile int *stop;
    doctor_answer answer;       /* lent to rheo_doctor until the next */
} child;

static void ask(child *c, const doctor_message *m)
{
    tool_child_ask(m, sizeof *m, &c->answer, sizeof c->answer);
    if (c->answer.stop && !*c->stop) raise(SIGTERM);    /* as if it had been sent here too */
}

static void start(void *user, const rheo_device_info *device)
{
    doctor_message m = { .what = DOCTOR_STARTS, .device = *device };
    snprintf(m.kind, sizeof m.kind, "%s", device->kind);
    ask(user, &m);
}

static const rheo_finding *before(void *user, const rheo_finding *next)
{
    child *c = user;
    ask(c, &(doctor_message){ .what = DOCTOR_TRIES, .finding = *next });
    return c->answer.known ? &c->answer.finding : NULL;
}

static void report(void *user, const rheo_finding *found) { ask(user, &(doctor_message){ .what = DOCTOR_FOUND, .finding = *found }); }

int doctor_check(rheo_doctor_options *o)
{
    child c = { .stop = tool_stop_at_interrupt(NULL) };
    doctor_message end = { .what = DOCTOR_ENDS };
    if (!tool_child_begin()) return tool_misused("doctor", TOOL_CHILD " is for rheo's own use");
    o->user = &c;
    o->stop = c.stop;
    o->start = start;
    o->before = before;
    o->report = report;
    const rheo_status st = rheo_doctor(o, &end.err);
    end.err.status = st;
    (void)tool_child_say(&end, sizeof end);
    return st ? TOOL_FAILED : TOOL_OK;
}
