/* What the subcommands that run Langevin chains share: their options, progress and stopping. */
#include <math.h>
#include <stdio.h>

#include "tool.h"

static tool_progress shown;
static rheo_langevin_progress last;

static void show(void *user, const rheo_langevin_progress *now)
{
    char left[32] = "";
    last = *now;
    if (!tool_progress_due(user, now->seconds)) return;
    if (!isnan(now->seconds_left)) snprintf(left, sizeof left, "  %.0f s left", ceil(now->seconds_left));
    tool_progress_line(user, "step %llu/%llu  level %d/%d  %u samples done%s", (unsigned long long)now->step,
                       (unsigned long long)now->steps, now->level, now->levels, now->samples, left);
}

void tool_langevin_start(rheo_langevin_options *o)
{
    shown = tool_progress_start();
    last = (rheo_langevin_progress){ .seconds_a_step = NAN };
    o->progress = show;
    o->user = &shown;
    o->stop = tool_stop_at_interrupt(NULL);
}

void tool_langevin_end(void)
{
    tool_progress_end(&shown);
    if (isnan(last.seconds_a_step)) return;
    fprintf(stderr, "1,000 steps of %u chains take %.1f s; %.0f MiB on the device\n", last.batch, 1000 * last.seconds_a_step,
            (double)last.bytes / 1048576);
}
