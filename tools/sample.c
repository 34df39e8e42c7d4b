/* rheo sample: pictures (or points) drawn from a model. */
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

typedef struct asked {
    const char *out;
    double temperature;
    long long columns;
    rheo_langevin_options chain;        /* n and seed are for flows too */
} asked;

/* Floats, 0 to 1 for images, and bytes of them. */
static rheo_status draw(rheo_checkpoint *c, asked *a, const rheo_checkpoint_facts *f, float *x, uint8_t *bytes, rheo_error *err)
{
    const size_t count = (size_t)a->chain.n * f->h * f->w * f->c;
    if (!f->score) {
        const rheo_status st = rheo_sample(c, a->chain.n, a->temperature, a->chain.seed, f->vectors ? (void *)x : bytes, err);
        for (size_t k = 0; k < count && !st && !f->vectors; ++k) x[k] = (float)bytes[k] / 255;
        return st;
    }
    tool_langevin_start(&a->chain);
    const rheo_status st = rheo_sample_langevin(c, &a->chain, x, err);
    tool_langevin_end();
    if (!st && !f->vectors) rheo_to_bytes(x, count, bytes);
    return st;
}

static rheo_status sample(rheo_checkpoint *c, asked *a, const rheo_checkpoint_facts *f, rheo_error *err)
{
    const uint32_t n = a->chain.n;
    const size_t count = (size_t)n * f->h * f->w * f->c;
    const unsigned long long step = f->step, seed = a->chain.seed;
    char about[160];
    float *x = malloc(count * sizeof *x);
    uint8_t *bytes = malloc(count);
    rheo_status st = x && bytes ? draw(c, a, f, x, bytes, err) : (err->status = RHEO_ENOMEM);
    if (f->score) snprintf(about, sizeof about, "%s trained on %.60s, step %llu, Langevin dynamics, seed %llu", f->model, f->data, step, seed);
    else snprintf(about, sizeof about, "%s trained on %.60s, step %llu, temperature %g, seed %llu", f->model, f->data, step, a->temperature, seed);
    if (!st && tool_ends_in(a->out, ".npy")) st = rheo_npy_write(a->out, x, n, f->h, f->w, f->c, err);
    else if (!st && f->vectors) st = tool_write_samples(a->out, x, n, f, 0, NULL, err);
    else if (!st) st = rheo_grid_write(a->out, bytes, n, f->h, f->w, f->c, (uint32_t)a->columns, about, err);
    free(x);
    free(bytes);
    return st;
}

static const char *const of_flows[] = { "temperature", NULL };
static const char *const of_chains[] = { "steps", "epsilon", "step-convention", "denoise", "data-init", "method", "snapshots", NULL };

int tool_sample(int argc, char **argv)
{
    asked a = { .temperature = 0.8 };
    const char *device = NULL, *weights = "ema";
    long long n = 64, seed = 0, steps = 0;
    bool data_init = false;
    uint64_t given = 0;
    rheo_langevin_defaults(&a.chain);
    const tool_option options[] = {
        { "out", TOOL_TEXT, &a.out, "FILE", "the picture, PNG, or floats from 0 to 1, .npy; for vectors a table, CSV", 0, 0 },
        { "n", TOOL_INT, &n, "N", "so many samples; 64", 1, 1e6 },
        { "temperature", TOOL_NUMBER, &a.temperature, "T", "scale of a flow's latents; 0.8", 0, 100 },
        { "seed", TOOL_INT, &seed, "S", "0", 0, 9e18 },
        { "columns", TOOL_INT, &a.columns, "N", "images a row; the nearest to a square", 1, 1e6 },
        TOOL_LANGEVIN_OPTIONS(a.chain, steps),
        { "data-init", TOOL_FLAG, &data_init, NULL, "chains begin at training images blurred by the first level's noise", 0, 0 },
        { "method", TOOL_TEXT, &a.chain.method, "M", "annealed, or langevin: the last noise level only", 0, 0 },
        { "snapshots", TOOL_TEXT, &a.chain.snapshots, "FILE", "a picture of chains on their way, PNG", 0, 0 },
        { "weights", TOOL_TEXT, &weights, "W", "ema (averaged, the default) or raw", 0, 0 },
        { "device", TOOL_TEXT, &device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "sample", .operands = "RUN|CHECKPOINT", .min_operands = 1, .max_operands = 1, .options = options, .given = &given,
        .summary = "Draws samples from a model and writes them as one picture. Those of a score model take --steps, --epsilon and what "
                   "follows; Ctrl-C ends them.\v"
                   "Example: rheo sample runs/demo --out samples.png --n 16",
    };
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = NULL;
    rheo_checkpoint_facts f;
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if (!tool_can_write("sample", a.out, &code)) return code;
    if (a.chain.snapshots && !tool_can_write("sample", a.chain.snapshots, &code)) return code;
    if (rheo_checkpoint_open(argv[0], device, weights, &c, &err)) return tool_failed("sample", &err);
    rheo_checkpoint_facts_of(c, &f);
    a.chain.n = (uint32_t)n;
    a.chain.seed = (uint64_t)seed;
    a.chain.steps = steps;
    a.chain.data_init = data_init;
    const char *wrong = f.score && a.temperature == 1 ? NULL : tool_given(&usage, f.score ? of_flows : of_chains, true);
    if (wrong)
        code = tool_misused("sample", "%.200s is a %s model, which has no --%s", argv[0], f.score ? "score" : f.model, wrong);
    else if (sample(c, &a, &f, &err)) code = tool_failed("sample", &err);
    else printf("%s\n", a.out);
    rheo_checkpoint_close(c);
    return code;
}
