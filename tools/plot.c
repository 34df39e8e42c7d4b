/* rheo plot: pictures of how a run went. */
#include <stdio.h>
#include <stdlib.h>

#include "run_pictures.h"

typedef struct asked {
    const char *run, *out, *device;
    long long seed;
    bool log_only;
} asked;

static rheo_status draw_curves(const char *folder, const run_log *log, rheo_error *err)
{
    bool drawn;
    const rheo_status st = run_pictures_curves("plot", folder, log, &drawn, err);
    for (int k = 0; k < RUN_FIGURES && !st && drawn; k++)
        if (run_figure_has_data(log, (run_figure)k)) printf("%s/%s.png\n", folder, run_figure_name((run_figure)k));
    return st;
}

static rheo_status draw_sheet(const char *folder, const asked *a, const tool_usage *usage, rheo_error *err)
{
    rheo_checkpoint *c = NULL;
    rheo_checkpoint_facts f;
    bool made = false;
    rheo_status st = tool_open_checkpoint(a->run, a->device, NULL, &c, err);
    if (st) return st;
    rheo_checkpoint_facts_of(c, &f);
    tool_origin origin = tool_origin_of(usage, NULL, a->run, &f);
    char *path = run_pictures_path(folder, "temperatures.png", err);
    st = path ? run_pictures_sheet(c, path, (uint64_t)a->seed, &origin, &made, err) : err->status;
    if (made) puts(path);
    free(path);
    rheo_checkpoint_close(c);
    return st;
}

int tool_plot(int argc, char **argv)
{
    asked a = { .run = NULL };
    const tool_option options[] = {
        { "out", TOOL_TEXT, &a.out, "DIR", "folder for the pictures, their data and script; RUN/plots", 0, 0 },
        { "seed", TOOL_INT, &a.seed, "S", "of the samples; 0", 0, 9e18 },
        { "device", TOOL_TEXT, &a.device, "DEV", "that samples: number, part of a name, or kind: see rheo devices", 0, 0 },
        { "log-only", TOOL_FLAG, &a.log_only, NULL, "no samples: the model is not opened", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "plot", .operands = "RUN", .min_operands = 1, .max_operands = 1, .options = options,
        .summary = "Draws how a run went, from its log: loss of training and validation, gradient norm, learning rate, images a second, "
                   "and for score models the loss by noise level; and, of flows of images, samples at several temperatures. Pictures are "
                   "PNG; gnuplot, where it is installed, draws the curves.\v"
                   "Example: rheo plot runs/demo --out plots",
    };
    rheo_error err = RHEO_ERROR_INIT;
    run_log log = { .config = NULL };
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    a.run = argv[0];
    char *own = a.out ? NULL : run_pictures_path(a.run, "plots", &err);
    const char *folder = a.out ? a.out : own;
    rheo_status st = folder ? run_log_read("plot", a.run, &log, &err) : err.status;
    if (!st) st = draw_curves(folder, &log, &err);
    if (!st && !a.log_only) st = draw_sheet(folder, &a, &usage, &err);
    if (st) code = tool_failed("plot", &err);
    run_log_free(&log);
    free(own);
    return code;
}
