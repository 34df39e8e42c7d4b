/* rheo decode: images of codes under a flow. */
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

static rheo_status decode(rheo_checkpoint *c, const tool_usage *usage, char **files, uint32_t columns, const char *out, rheo_error *err)
{
    rheo_checkpoint_facts f;
    rheo_checkpoint_facts_of(c, &f);
    const uint32_t dims = f.h * f.w * f.c;
    char name[100];
    float *codes = NULL;
    void *x = NULL;
    uint32_t n = 0;
    rheo_status st = rheo_codes_read(files[1], dims, &codes, &n, err);
    if (!st && !(x = malloc((size_t)n * dims * (f.vectors ? sizeof(float) : 1)))) st = err->status = RHEO_ENOMEM;
    if (!st) st = rheo_decode(c, codes, n, x, err);
    tool_origin origin = tool_origin_of(usage, NULL, files[0], &f);
    tool_origin_tell(&origin, ", codes of %s", tool_base_name(files[1], name, sizeof name));
    if (!st) st = tool_write_samples(out, x, n, columns, &origin, err);
    rheo_free(codes);
    free(x);
    return st;
}

int tool_decode(int argc, char **argv)
{
    const char *device = NULL, *weights = "ema", *out = NULL;
    long long columns = 0;
    const tool_option options[] = {
        { "out", TOOL_TEXT, &out, "FILE", "the picture, PNG, or floats from 0 to 1, .npy; for vectors a table, CSV", 0, 0 },
        { "columns", TOOL_INT, &columns, "N", "images a row; the nearest to a square", 1, 1e6 },
        { "weights", TOOL_TEXT, &weights, "W", "ema (averaged, the default) or raw", 0, 0 },
        { "device", TOOL_TEXT, &device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "decode", .operands = "RUN|CHECKPOINT CODES.npy", .min_operands = 2, .max_operands = 2, .options = options,
        .summary = "Turns codes, from rheo encode or of one's own, into images by the inverse of a flow.\v"
                   "Example: rheo decode runs/demo codes.npy --out images.png",
    };
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = NULL;
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if (!tool_can_write("decode", out, &code)) return code;
    rheo_status st = tool_open_checkpoint(argv[0], device, weights, &c, &err);
    if (!st) tool_watch_start(c);
    if (!st) st = decode(c, &usage, argv, (uint32_t)columns, out, &err);
    tool_watch_end();
    if (st) code = tool_failed("decode", &err);
    else printf("%s\n", out);
    rheo_checkpoint_close(c);
    return code;
}
