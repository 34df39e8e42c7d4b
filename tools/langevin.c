/* What the subcommands that run Langevin chains share: their options, progress and stopping. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "tool.h"

static volatile int stop;
static bool terminal;
static double last; /* seconds at which a line went into a pipe */
static int width;   /* of the line on the terminal */

/* The second Ctrl-C ends the process as it always does. */
static void on_interrupt(int signal_number)
{
    stop = 1;
    signal(signal_number, SIG_DFL);
}

static void show(void *user, const rheo_langevin_progress *now)
{
    char line[160], left[32] = "";
    (void)user;
    if (!terminal && now->seconds - last < 5) return;
    last = now->seconds;
    if (!isnan(now->seconds_left)) snprintf(left, sizeof left, "  %.0f s left", ceil(now->seconds_left));
    const int n = snprintf(line, sizeof line, "step %llu/%llu  level %d/%d  %u samples done%s", (unsigned long long)now->step,
                           (unsigned long long)now->steps, now->level, now->levels, now->samples, left);
    if (terminal)
        fprintf(stderr, "\r%-*s", width, line);
    else
        fprintf(stderr, "%s\n", line);
    width = n;
    fflush(stderr);
}

void tool_langevin_start(rheo_langevin_options *o)
{
    terminal = isatty(STDERR_FILENO) != 0;
    o->progress = show;
    o->stop = &stop;
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
}

void tool_langevin_end(void)
{
    if (terminal && width) fputc('\n', stderr);
    width = 0;
}
