/* rheo edit: images moved along an attribute under a flow. */
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

enum { MOST = 100 };

typedef struct asked {
    const char *data, *split, *out, *attribute;
    uint32_t class;
    long long n, index, limit, seed;
    double strength[MOST];
    int strengths;
} asked;

/* From the labels of training images. */
static rheo_status find_direction(rheo_checkpoint *c, const asked *a, uint32_t dims, float *direction, rheo_error *err)
{
    rheo_data data = { .x = NULL };
    float *codes = NULL;
    rheo_status st = rheo_checkpoint_data(c, a->data, "train", 0, (uint32_t)a->limit, &data, err);
    if (!st && !data.labels) {
        snprintf(err->text, sizeof err->text, "the data have no labels, expected classes, of which one is the attribute");
        st = err->status = RHEO_EINVAL;
    }
    if (!st && !(codes = malloc((size_t)data.n * dims * sizeof *codes))) st = err->status = RHEO_ENOMEM;
    if (!st) st = rheo_encode(c, data.x, data.n, (uint64_t)a->seed, codes, err);
    for (uint32_t k = 0; k < data.n && !st; ++k) data.labels[k] = data.labels[k] == a->class;
    if (!st) st = rheo_codes_direction(codes, data.n, dims, data.labels, direction, err);
    rheo_data_free(&data);
    free(codes);
    return st;
}

/* A row an image, a column a strength. */
static rheo_status move(rheo_checkpoint *c, const asked *a, const rheo_data *data, uint32_t dims, const float *direction, void *x,
                        rheo_error *err)
{
    const uint32_t columns = (uint32_t)a->strengths;
    float *codes = malloc((size_t)data->n * dims * sizeof *codes), *moved = malloc((size_t)data->n * columns * dims * sizeof *moved);
    rheo_status st = codes && moved ? rheo_encode(c, data->x, data->n, (uint64_t)a->seed, codes, err) : (err->status = RHEO_ENOMEM);
    for (size_t k = 0; k < data->n && !st; ++k)
        rheo_codes_edit(codes + k * dims, direction, dims, columns, a->strength, moved + k * columns * dims);
    if (!st) st = rheo_decode(c, moved, data->n * columns, x, err);
    free(codes);
    free(moved);
    return st;
}

static rheo_status edit(rheo_checkpoint *c, const tool_usage *usage, const char *from, const asked *a, rheo_error *err)
{
    rheo_checkpoint_facts f;
    rheo_checkpoint_facts_of(c, &f);
    const uint32_t dims = f.h * f.w * f.c;
    const double *s = a->strength;
    rheo_data data = { .x = NULL };
    void *x = NULL;
    float *direction = malloc(dims * sizeof *direction);
    rheo_status st = direction ? rheo_checkpoint_data(c, a->data, a->split, (uint32_t)a->index, (uint32_t)a->n, &data, err)
                               : (err->status = RHEO_ENOMEM);
    if (!st && !(x = malloc((size_t)data.n * (size_t)a->strengths * dims * (f.vectors ? sizeof(float) : 1)))) st = err->status = RHEO_ENOMEM;
    if (!st) st = find_direction(c, a, dims, direction, err);
    if (!st) st = move(c, a, &data, dims, direction, x, err);
    tool_origin origin = tool_origin_of(usage, NULL, from, &f);
    tool_origin_tell(&origin, ", %.20s images from %lld on moved towards class %.40s by %d strengths, %g to %g", a->split, a->index, a->attribute,
                     a->strengths, s[0], s[a->strengths - 1]);
    if (!st) st = tool_write_samples(a->out, x, data.n * (uint32_t)a->strengths, (uint32_t)a->strengths, &origin, err);
    rheo_data_free(&data);
    free(direction);
    free(x);
    return st;
}

int tool_edit(int argc, char **argv)
{
    asked a = { .split = "test", .n = 4, .limit = 10000 };
    const char *device = NULL, *weights = "ema", *strength = "-1:1:7";
    const tool_option options[] = {
        { "data", TOOL_TEXT, &a.data, "D", "the images and labels; what the model was trained on unless given", 0, 0 },
        { "attribute", TOOL_TEXT, &a.attribute, "CLASS", "what the images are moved towards: a name of a class (a subfolder's), or its number", 0, 0 },
        { "strength", TOOL_TEXT, &strength, "LIST", "how far: 0,.5,1, or -1:1:7 (the default) for 7 from -1 to 1", 0, 0 },
        { "out", TOOL_TEXT, &a.out, "FILE", "the picture, PNG: a row an image, a column a strength; or floats from 0 to 1, .npy", 0, 0 },
        { "n", TOOL_INT, &a.n, "N", "so many images; 4", 1, 1e5 },
        { "index", TOOL_INT, &a.index, "I", "the first; 0", 0, 4e9 },
        { "split", TOOL_TEXT, &a.split, "S", "of train, valid or test (the default)", 0, 0 },
        { "limit", TOOL_INT, &a.limit, "N", "at most so many training images tell the direction; 10000", 2, 4e9 },
        { "seed", TOOL_INT, &a.seed, "S", "of the dequantisation; 0", 0, 9e18 },
        { "weights", TOOL_TEXT, &weights, "W", "ema (averaged, the default) or raw", 0, 0 },
        { "device", TOOL_TEXT, &device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "edit", .operands = "RUN|CHECKPOINT", .min_operands = 1, .max_operands = 1, .options = options,
        .summary = "Moves images towards a class and away from it: along 1.6 (mean code of training images of that class - mean of the "
                   "others), codes being the whitened latents of a flow. Strength 0 is the image itself.\v"
                   "Example: rheo edit runs/demo --attribute 8 --out edited.png",
    };
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = NULL;
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if (!tool_can_write("edit", a.out, &code)) return code;
    if (!a.attribute) return tool_misused("edit", "expected --attribute CLASS, a class of the data");
    a.strengths = tool_numbers(strength, a.strength, MOST);
    if (!a.strengths)
        return tool_misused("edit", "--strength: found \"%.100s\", expected numbers with commas between, or first:last:count, %d at most", strength,
                            MOST);
    if (tool_open_checkpoint(argv[0], device, weights, &c, &err)) return tool_failed("edit", &err);
    tool_watch_start(c);
    rheo_status st = rheo_checkpoint_class(c, a.data, a.attribute, &a.class, &err);
    if (!st) st = edit(c, &usage, argv[0], &a, &err);
    tool_watch_end();
    if (st) code = tool_failed("edit", &err);
    else printf("%s\n", a.out);
    rheo_checkpoint_close(c);
    return code;
}
