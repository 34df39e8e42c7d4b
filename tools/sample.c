/* rheo sample: pictures (or points) drawn from a model. */
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

static rheo_status write_points(const char *path, const float *x, uint32_t n, uint32_t c, rheo_error *err)
{
    FILE *f = fopen(path, "w");
    for (uint32_t i = 0; f && i < n; ++i)
        for (uint32_t k = 0; k < c; ++k) fprintf(f, "%.9g%c", (double)x[i * c + k], k + 1 == c ? '\n' : ',');
    const bool failed = !f || ferror(f);
    if ((f && fclose(f)) || failed) {
        err->status = RHEO_EFILE;
        snprintf(err->text, sizeof err->text, "%.400s: cannot be written", path);
    }
    return err->status;
}

static rheo_status sample(rheo_checkpoint *c, uint32_t n, double temperature, uint64_t seed, uint32_t columns, const char *out,
                          rheo_error *err)
{
    rheo_checkpoint_facts f;
    char about[160];
    rheo_checkpoint_facts_of(c, &f);
    const size_t one = (size_t)f.h * f.w * f.c * (f.vectors ? sizeof(float) : 1);
    void *x = calloc(n, one);
    if (!x) return err->status = RHEO_ENOMEM;
    rheo_status st = rheo_sample(c, n, temperature, seed, x, err);
    snprintf(about, sizeof about, "%s trained on %.60s, step %llu, temperature %g, seed %llu", f.model, f.data, (unsigned long long)f.step,
             temperature, (unsigned long long)seed);
    if (!st) st = f.vectors ? write_points(out, x, n, f.c, err) : rheo_grid_write(out, x, n, f.h, f.w, f.c, columns, about, err);
    free(x);
    return st;
}

int tool_sample(int argc, char **argv)
{
    const char *device = NULL, *weights = "ema", *out = NULL;
    long long n = 64, seed = 0, columns = 0;
    double temperature = 0.8;
    const tool_option options[] = {
        { "out", TOOL_TEXT, &out, "FILE", "the picture, PNG; for vectors a table, CSV", 0, 0 },
        { "n", TOOL_INT, &n, "N", "so many samples; 64", 1, 1e6 },
        { "temperature", TOOL_NUMBER, &temperature, "T", "scale of the latents; 0.8", 0, 100 },
        { "seed", TOOL_INT, &seed, "S", "0", 0, 9e18 },
        { "columns", TOOL_INT, &columns, "N", "images a row; the nearest to a square", 1, 1e6 },
        { "weights", TOOL_TEXT, &weights, "W", "ema (averaged, the default) or raw", 0, 0 },
        { "device", TOOL_TEXT, &device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "sample", .operands = "RUN|CHECKPOINT", .min_operands = 1, .max_operands = 1, .options = options,
        .summary = "Draws samples from a model and writes them as one picture.\v"
                   "Example: rheo sample runs/demo --out samples.png --n 16",
    };
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = NULL;
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if (!out) return tool_misused("sample", "expected --out FILE");
    if (rheo_checkpoint_open(argv[0], device, weights, &c, &err)) return tool_failed("sample", &err);
    if (sample(c, (uint32_t)n, temperature, (uint64_t)seed, (uint32_t)columns, out, &err)) code = tool_failed("sample", &err);
    else printf("%s\n", out);
    rheo_checkpoint_close(c);
    return code;
}
