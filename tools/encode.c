/* rheo encode: codes of images under a flow. */
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

static rheo_status encode(rheo_checkpoint *c, const rheo_data *data, uint64_t seed, const char *out, rheo_error *err)
{
    rheo_checkpoint_facts f;
    rheo_checkpoint_facts_of(c, &f);
    const uint32_t dims = f.h * f.w * f.c;
    float *codes = malloc((size_t)data->n * dims * sizeof *codes);
    rheo_status st = codes ? rheo_encode(c, data->x, data->n, seed, codes, err) : (err->status = RHEO_ENOMEM);
    if (!st) st = rheo_codes_write(out, codes, data->n, dims, err);
    free(codes);
    return st;
}

int tool_encode(int argc, char **argv)
{
    const char *device = NULL, *weights = "ema", *name = NULL, *split = "test", *out = NULL;
    long long limit = 0, seed = 0;
    const tool_option options[] = {
        { "data", TOOL_TEXT, &name, "D", "the images; what the model was trained on unless given", 0, 0 },
        { "split", TOOL_TEXT, &split, "S", "train, valid or test (the default)", 0, 0 },
        { "limit", TOOL_INT, &limit, "N", "at most so many images", 1, 4e9 },
        { "out", TOOL_TEXT, &out, "FILE", "the codes, .npy: floats, a row an image; latents of all splits, then of the top", 0, 0 },
        { "seed", TOOL_INT, &seed, "S", "of the dequantisation; 0", 0, 9e18 },
        { "weights", TOOL_TEXT, &weights, "W", "ema (averaged, the default) or raw", 0, 0 },
        { "device", TOOL_TEXT, &device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "encode", .operands = "RUN|CHECKPOINT", .min_operands = 1, .max_operands = 1, .options = options,
        .summary = "Writes the codes of images under a flow: its whitened latents, which are N(0, I) under the model. rheo decode turns "
                   "them back into the images. A model conditional on classes whitens all by its classes' mean prior, without labels.\v"
                   "Example: rheo encode runs/demo --limit 100 --out codes.npy",
    };
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = NULL;
    rheo_data data = { .x = NULL };
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if (!tool_can_write("encode", out, &code)) return code;
    rheo_status st = tool_open_checkpoint(argv[0], device, weights, &c, &err);
    if (!st) st = rheo_checkpoint_data(c, name, split, 0, (uint32_t)limit, &data, &err);
    if (!st) tool_watch_start(c);
    if (!st) st = encode(c, &data, (uint64_t)seed, out, &err);
    tool_watch_end();
    if (st) code = tool_failed("encode", &err);
    else printf("%s\n", out);
    rheo_data_free(&data);
    rheo_checkpoint_close(c);
    return code;
}
