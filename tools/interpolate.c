/* rheo interpolate: chains of a score model between two. */
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

static rheo_status interpolate(rheo_checkpoint *c, rheo_langevin_options *o, const char *out, rheo_error *err)
{
    rheo_checkpoint_facts f;
    char about[160];
    rheo_checkpoint_facts_of(c, &f);
    const size_t count = (size_t)o->n * f.h * f.w * f.c;
    float *x = malloc(count * sizeof *x);
    unsigned char *bytes = malloc(count);
    rheo_status st = x && bytes ? RHEO_OK : (err->status = RHEO_ENOMEM);
    if (!st && f.score && f.vectors) {
        st = err->status = RHEO_EINVAL;
        snprintf(err->text, sizeof err->text, "found a model of vectors, expected one of images");
    }
    tool_langevin_start(o);
    if (!st) st = rheo_interpolate(c, o, x, err);
    tool_langevin_end();
    snprintf(about, sizeof about, "%s trained on %.60s, step %llu, interpolation, seed %llu", f.model, f.data, (unsigned long long)f.step,
             (unsigned long long)o->seed);
    if (!st && tool_ends_in(out, ".npy")) {
        st = rheo_npy_write(out, x, o->n, f.h, f.w, f.c, err);
    } else if (!st) {
        rheo_to_bytes(x, count, bytes);
        st = rheo_grid_write(out, bytes, o->n, f.h, f.w, f.c, o->n, about, err);
    }
    free(x);
    free(bytes);
    return st;
}

int tool_interpolate(int argc, char **argv)
{
    const char *device = NULL, *weights = "ema", *out = NULL;
    long long n = 10, seed = 0, steps = 0;
    rheo_langevin_options o;
    rheo_langevin_defaults(&o);
    const tool_option options[] = {
        { "out", TOOL_TEXT, &out, "FILE", "the picture, PNG, or floats from 0 to 1, .npy", 0, 0 },
        { "n", TOOL_INT, &n, "K", "so many chains; 10", 2, 256 },
        { "seed", TOOL_INT, &seed, "S", "0", 0, 9e18 },
        TOOL_LANGEVIN_OPTIONS(o, steps),
        { "weights", TOOL_TEXT, &weights, "W", "ema (averaged, the default) or raw", 0, 0 },
        { "device", TOOL_TEXT, &device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "interpolate",
        .operands = "RUN|CHECKPOINT",
        .min_operands = 1,
        .max_operands = 1,
        .options = options,
        .summary = "Draws samples of a score model that begin alike and whose noise turns from one draw to another, in one row.\v"
                   "Example: rheo interpolate runs/score --n 10 --out between.png",
    };
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = NULL;
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if (!tool_can_write("interpolate", out, &code)) return code;
    if (rheo_checkpoint_open(argv[0], device, weights, &c, &err)) return tool_failed("interpolate", &err);
    o.n = (uint32_t)n;
    o.seed = (uint64_t)seed;
    o.steps = steps;
    if (interpolate(c, &o, out, &err))
        code = tool_failed("interpolate", &err);
    else
        printf("%s\n", out);
    rheo_checkpoint_close(c);
    return code;
}
