/* How far a call on a checkpoint is, on stderr. */
#include <stdio.h>

#include "tool.h"

static tool_progress shown;
static const char *what;
static double last;
static struct {
    uint32_t done;
    double seconds;
} first;        /* batch, which builds kernels: not in the rate */

static void show(void *user, uint32_t done, uint32_t of, double seconds)
{
    (void)user;
    if (!first.done || done <= first.done) {
        first.done = done;
        first.seconds = last = seconds;
        return;
    }
    const double rate = (done - first.done) / (seconds - first.seconds);
    if (seconds < 1 || (done < of && seconds - last < 0.2) || !tool_progress_due(&shown, seconds)) return;
    last = seconds;
    tool_progress_line(&shown, "%u/%u %s  %.*f %s/s  %.0f s left", done, of, what, rate < 10 ? 1 : 0, rate, what, ceil((of - done) / rate));
}

void tool_watch_start(rheo_checkpoint *c)
{
    rheo_checkpoint_facts f;
    rheo_checkpoint_facts_of(c, &f);
    what = f.vectors ? "points" : "images";
    shown = tool_progress_start();
    rheo_checkpoint_watch(c, show, NULL);
}

void tool_watch_end(void) { tool_progress_end(&shown); }
