/* rheo train: a new run, or the next part of one. */
#include <math.h>
#include <stdio.h>

#include "tool.h"

/* ---- progress ------------------------------------------------------------------------------------------ */

static void print_time(char text[24], double seconds)
{
    const long long s = seconds < 1e9 ? (long long)seconds : 0;
    if (s >= 3600) snprintf(text, 24, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    else snprintf(text, 24, "%lld:%02lld", s / 60, s % 60);
}

static void show(void *user, const rheo_progress *now)
{
    char steps[32] = "", valid[40] = "", left[24];
    if (now->message) {
        tool_progress_keep(user, now->message);
        return;
    }
    if (!tool_progress_due(user, now->seconds) && now->steps != now->step) return;
    if (now->steps) snprintf(steps, sizeof steps, "/%llu", (unsigned long long)now->steps);
    if (!isnan(now->valid)) snprintf(valid, sizeof valid, "  valid %.4f", now->valid);
    print_time(left, now->seconds_left);
    tool_progress_line(user, "step %llu%s  %.4f %s%s  %.*f images/s  %s left", (unsigned long long)now->step, steps, now->loss, now->unit,
                       valid, now->images_per_second < 10 ? 1 : 0, now->images_per_second, left);
}

/* ---- options ------------------------------------------------------------------------------------------- */

typedef struct asked {
    rheo_train_options train;
    tool_model model;
    const char *resume;
    long long batch, accumulate, iterations, seed, size, shift;
    bool force, flip;
} asked;

static int finish(const asked *a, rheo_status st, const rheo_error *err)
{
    const char *run = a->resume ? a->resume : a->train.run;
    if (st == RHEO_ESTOPPED) {
        fprintf(stderr, "rheo train: %s\nGo on with: rheo train --resume %s\n", err->text, run);
        return TOOL_FAILED;
    }
    if (st) return tool_failed("train", err);
    printf("%s\n", run);
    return TOOL_OK;
}

static int train(asked *a)
{
    rheo_error err = RHEO_ERROR_INIT;
    tool_progress shown = tool_progress_start();
    rheo_train_options *o = &a->train;
    rheo_status st = RHEO_OK;
    char *config = tool_model_config(&a->model);
    o->progress = show;
    o->user = &shown;
    o->stop = tool_stop_at_interrupt("\nFinishing the step and saving; Ctrl-C again ends at once.\n");
    o->batch = a->batch;
    o->accumulate = a->accumulate;
    o->iterations = a->iterations;
    o->seed = (uint64_t)a->seed;
    o->size = (uint32_t)a->size;
    o->shift = (uint32_t)a->shift;
    o->flip = a->flip;
    o->force = a->force;
    o->model_config = config;
    if (a->resume) {
        o->run = a->resume;
        st = rheo_resume(o, &err);
    } else {
        if (!o->iterations && o->minutes <= 0) o->minutes = 60;
        st = config ? rheo_train(o, &err) : RHEO_ENOMEM;
    }
    tool_progress_end(&shown);
    rheo_free(config);
    return finish(a, st, &err);
}

static const char *const with_resume[] = { "resume", "minutes", "iters", "save", "device", NULL };

int tool_train(int argc, char **argv)
{
    asked a = { .model = TOOL_MODEL_NONE };
    uint64_t given = 0;
    rheo_train_options *o = &a.train;
    rheo_train_defaults(o);
    a.batch = o->batch;
    a.accumulate = o->accumulate;
    const tool_option options[] = {
        { "data", TOOL_TEXT, &o->data, "D", "fashion-mnist, toy:NAME, a folder of images, IDX or CIFAR-10 files, or a table, .csv or .npy", 0, 0 },
        { "columns", TOOL_TEXT, &o->columns, "A,B", "of a table: names, or numbers from 1; all unless given", 0, 0 },
        { "size", TOOL_INT, &a.size, "S", "images of a folder: crop the middle square, resize to S x S", 1, 8192 },
        { "flip", TOOL_FLAG, &a.flip, NULL, "mirror training images, left for right, with probability 1/2", 0, 0 },
        { "shift", TOOL_INT, &a.shift, "P", "move training images by up to P pixels each way, the border repeated", 0, 8192 },
        { "out", TOOL_TEXT, &o->run, "RUN", "folder to be made for the run", 0, 0 },
        { "force", TOOL_FLAG, &a.force, NULL, "replace the run that is there", 0, 0 },
        { "resume", TOOL_TEXT, &a.resume, "RUN", "go on with a run; takes --minutes (from now), --iters (in all), --save, --device", 0, 0 },
        { "minutes", TOOL_NUMBER, &o->minutes, "M", "train for so long; 60 unless --iters is given", 1e-3, 1e7 },
        { "iters", TOOL_INT, &a.iterations, "N", "train for so many steps", 1, 4e9 },
        { "save", TOOL_NUMBER, &o->save_seconds, "S", "seconds between checkpoints; 60", 1e-3, 1e7 },
        { "device", TOOL_TEXT, &o->device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        TOOL_MODEL_OPTIONS(a.model),
        { "auto", TOOL_FLAG, &a.model.choose, NULL, "ncsn: sigma-begin, levels and epsilon, where not given, from the data", 0, 0 },
        { "batch", TOOL_INT, &a.batch, "B", "images a step (times --accumulate); 32, vectors: glow 256, ncsn 128", 1, 65536 },
        { "accumulate", TOOL_INT, &a.accumulate, "A", "batches a step, for steps beyond memory", 1, 65536 },
        { "lr", TOOL_NUMBER, &o->lr, "R", "learning rate; glow 2e-3, ncsn 1e-3, its v2 1e-4", 1e-12, 1e3 },
        { "warmup", TOOL_NUMBER, &o->warmup, "N", "steps over which the rate rises; glow 100, ncsn 0", 0, 1e9 },
        { "schedule", TOOL_TEXT, &o->schedule, "S", "constant, or linear: falls to 0 at the end (default of glow with --minutes)", 0, 0 },
        { "optimizer", TOOL_TEXT, &o->optimizer, "O", "adam, adamax or adamw", 0, 0 },
        { "ema", TOOL_NUMBER, &o->ema, "M", "decay of the averaged weights; 0.999", 0, 1 },
        { "clip", TOOL_NUMBER, &o->clip, "C", "largest gradient norm; glow 50, ncsn 0: no clipping", 0, 1e30 },
        { "seed", TOOL_INT, &a.seed, "S", "of everything random", 0, 9e18 },
        { "memory", TOOL_TEXT, &o->memory, "MODE", "of activations: store, invert, or auto", 0, 0 },
        { "winograd", TOOL_TEXT, &o->winograd, "F", "3x3 convolutions of many channels on CPUs: f23, or f43: faster, but rounds five times more", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "train", .operands = "[MODEL]", .max_operands = 1, .options = options, .given = &given,
        .summary = "Trains a model (glow or ncsn) on images or rows of numbers. Ctrl-C saves; rheo train --resume RUN goes on where it was. "
                   "The run folder is printed at the end.\v"
                   "Example: rheo train glow --data fashion-mnist --out runs/demo --minutes 10",
    };
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if (argc == 1) o->model = argv[0];
    if (a.resume && (argc == 1 || o->data || o->run))
        return tool_misused("train", "--resume goes on with a run as it is: no model, --data or --out");
    if (a.resume && tool_given(&usage, with_resume, false))
        return tool_misused("train", "--resume goes on with a run as it is: only --minutes, --iters, --save and --device can be given");
    if (!a.resume && argc == 0) return tool_misused("train", "expected a model (glow or ncsn), or --resume RUN");
    if (!a.resume && (!o->data || !o->run)) return tool_misused("train", "expected --%s", o->data ? "out RUN" : "data D");
    if (a.iterations && o->minutes > 0) return tool_misused("train", "only one of --iters and --minutes can end a run");
    return train(&a);
}
