/* rheo interpolate: what lies between two images under a flow, or chains of a score model between two. */
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

typedef struct asked {
    const char *out, *data, *split;
    long long index, pairs, steps;      /* of a flow */
    rheo_langevin_options chain;        /* the seed is for flows too */
} asked;

/* ---- score models ------------------------------------------------------------------------------------------------ */

static rheo_status of_score(rheo_checkpoint *c, asked *a, tool_origin *origin, rheo_error *err)
{
    const rheo_checkpoint_facts *f = origin->facts;
    const uint32_t n = a->chain.n;
    const size_t count = (size_t)n * f->h * f->w * f->c;
    float *x = malloc(count * sizeof *x);
    unsigned char *bytes = malloc(count);
    rheo_status st = x && bytes ? RHEO_OK : (err->status = RHEO_ENOMEM);
    if (!st && f->vectors) {
        st = err->status = RHEO_EINVAL;
        snprintf(err->text, sizeof err->text, "found a model of vectors, expected one of images");
    }
    if (!st) st = rheo_langevin_complete(c, &a->chain, err);
    a->steps = a->chain.steps;
    tool_langevin_start(&a->chain);
    if (!st) st = rheo_interpolate(c, &a->chain, x, err);
    tool_langevin_end();
    tool_origin_tell(origin, ", interpolation, seed %llu", (unsigned long long)a->chain.seed);
    if (!st && tool_ends_in(a->out, ".npy")) {
        st = rheo_npy_write(a->out, x, n, f->h, f->w, f->c, err);
    } else if (!st) {
        rheo_to_bytes(x, count, bytes);
        st = tool_write_grid(a->out, bytes, n, n, origin, err);
    }
    free(x);
    free(bytes);
    return st;
}

/* ---- flows -------------------------------------------------------------------------------------------------------- */

/* Rows of `steps` codes from the first of a pair to the second, decoded into x. */
static rheo_status between(rheo_checkpoint *c, const asked *a, const rheo_data *data, uint32_t dims, void *x, rheo_error *err)
{
    const uint32_t pairs = data->n / 2, steps = (uint32_t)a->steps;
    float *ends = malloc((size_t)data->n * dims * sizeof *ends), *codes = malloc((size_t)pairs * steps * dims * sizeof *codes);
    rheo_status st = ends && codes ? rheo_encode(c, data->x, data->n, a->chain.seed, ends, err) : (err->status = RHEO_ENOMEM);
    for (size_t k = 0; k < pairs && !st; ++k)
        rheo_codes_between(ends + 2 * k * dims, ends + (2 * k + 1) * dims, dims, steps, codes + k * steps * dims);
    if (!st) st = rheo_decode(c, codes, pairs * steps, x, err);
    free(ends);
    free(codes);
    return st;
}

static rheo_status of_flow(rheo_checkpoint *c, const asked *a, tool_origin *origin, rheo_error *err)
{
    const rheo_checkpoint_facts *f = origin->facts;
    const uint32_t dims = f->h * f->w * f->c, first = (uint32_t)a->index, wanted = 2 * (uint32_t)a->pairs;
    rheo_data data = { .x = NULL };
    void *x = NULL;
    rheo_status st = rheo_checkpoint_data(c, a->data, a->split, first, wanted, &data, err);
    if (!st && data.n < wanted) {
        snprintf(err->text, sizeof err->text, "%.200s: %u images of %.40s from index %u, expected %u for %lld pairs",
                 a->data ? a->data : f->data, data.n, a->split, first, wanted, a->pairs);
        st = err->status = RHEO_EINVAL;
    }
    const uint32_t n = (uint32_t)(a->pairs * a->steps);
    if (!st && !(x = malloc((size_t)n * dims * (f->vectors ? sizeof(float) : 1)))) st = err->status = RHEO_ENOMEM;
    if (!st) st = between(c, a, &data, dims, x, err);
    tool_origin_tell(origin, ", interpolation between codes of %.20s images %u to %u, seed %llu", a->split, first, first + wanted - 1,
                     (unsigned long long)a->chain.seed);
    if (!st) st = tool_write_samples(a->out, x, n, (uint32_t)a->steps, origin, err);
    rheo_data_free(&data);
    free(x);
    return st;
}

static const char *const of_flows[] = { "data", "split", "index", "pairs", NULL };
static const char *const of_chains[] = { "n", "epsilon", "step-convention", "denoise", NULL };

int tool_interpolate(int argc, char **argv)
{
    asked a = { .split = "test", .pairs = 4 };
    const char *device = NULL, *weights = "ema";
    long long n = 10, seed = 0;
    uint64_t given = 0;
    rheo_langevin_defaults(&a.chain);
    const tool_option options[] = {
        { "out", TOOL_TEXT, &a.out, "FILE", "the picture, PNG, or floats from 0 to 1, .npy; for vectors a table, CSV", 0, 0 },
        { "data", TOOL_TEXT, &a.data, "D", "flows: the images; what the model was trained on unless given", 0, 0 },
        { "split", TOOL_TEXT, &a.split, "S", "flows: train, valid or test (the default)", 0, 0 },
        { "index", TOOL_INT, &a.index, "I", "flows: the first image; 0", 0, 4e9 },
        { "pairs", TOOL_INT, &a.pairs, "N", "flows: a row for each two images; 4", 1, 1e4 },
        { "steps", TOOL_INT, &a.steps, "T", "flows: images a row, both ends among them; 9. Chains: steps a noise level", 1, 1e6 },
        { "n", TOOL_INT, &n, "K", "so many chains; 10", 2, 256 },
        { "seed", TOOL_INT, &seed, "S", "0; of the chains, or of a flow's dequantisation", 0, 9e18 },
        TOOL_STEP_OPTIONS(a.chain),
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
        .given = &given,
        .summary = "Of a flow: mixes the codes (whitened latents) of two images, a row a pair, ends as they were. Of a score model: draws "
                   "samples that begin alike and whose noise turns from one draw to another, in one row.\v"
                   "Example: rheo interpolate runs/demo --pairs 4 --steps 9 --out between.png",
    };
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = NULL;
    rheo_checkpoint_facts f;
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if (!tool_can_write("interpolate", a.out, &code)) return code;
    if (tool_open_checkpoint(argv[0], device, weights, &c, &err)) return tool_failed("interpolate", &err);
    rheo_checkpoint_facts_of(c, &f);
    tool_origin origin = tool_origin_of(&usage, f.score ? of_flows : of_chains, argv[0], &f);
    a.chain.n = (uint32_t)n;
    a.chain.seed = (uint64_t)seed;
    a.chain.steps = a.steps;
    if (!f.score && !a.steps) a.steps = 9;
    const char *wrong = tool_given(&usage, f.score ? of_flows : of_chains, true);
    if (wrong)
        code = tool_misused("interpolate", "%.200s is a %s model, which has no --%s", argv[0], f.score ? "score" : f.model, wrong);
    else if (!f.score && (a.steps < 2 || a.steps > 1000))
        code = tool_misused("interpolate", "--steps: found %lld, expected 2 to 1000 images a row", a.steps);
    else if (f.score ? of_score(c, &a, &origin, &err) : of_flow(c, &a, &origin, &err))
        code = tool_failed("interpolate", &err);
    else
        printf("%s\n", a.out);
    rheo_checkpoint_close(c);
    return code;
}
