/* rheo sample: pictures (or points) drawn from a model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

enum { MOST = 100 };

typedef struct asked {
    const char *out, *class;
    double temperature[MOST];           /* of flows; a row each where there are several */
    int temperatures;
    bool listed;                        /* by --temperatures, one or more */
    long long columns, steps;
    rheo_langevin_options chain;        /* n and seed are for flows too */
} asked;

static rheo_status of_score(rheo_checkpoint *c, asked *a, tool_origin *origin, rheo_error *err)
{
    const rheo_checkpoint_facts *f = origin->facts;
    const uint32_t n = a->chain.n;
    const size_t count = (size_t)n * f->h * f->w * f->c;
    char *made_by = NULL;
    float *x = malloc(count * sizeof *x);
    uint8_t *bytes = malloc(count);
    rheo_status st = x && bytes ? RHEO_OK : (err->status = RHEO_ENOMEM);
    if (!st) st = rheo_langevin_complete(c, &a->chain, err);
    a->steps = a->chain.steps;
    if (!st && !(made_by = tool_origin_json(origin))) st = err->status = RHEO_ENOMEM;
    a->chain.snapshots_made_by = made_by;
    tool_langevin_start(&a->chain);
    if (!st) st = rheo_sample_langevin(c, &a->chain, x, err);
    tool_langevin_end();
    tool_origin_tell(origin, ", Langevin dynamics, seed %llu", (unsigned long long)a->chain.seed);
    if (!st && f->vectors) {
        st = tool_write_samples(a->out, x, n, 0, origin, err);
    } else if (!st && tool_ends_in(a->out, ".npy")) {
        st = rheo_npy_write(a->out, x, n, f->h, f->w, f->c, err);
    } else if (!st) {
        rheo_to_bytes(x, count, bytes);
        st = tool_write_grid(a->out, bytes, n, (uint32_t)a->columns, origin, err);
    }
    rheo_free(made_by);
    free(x);
    free(bytes);
    return st;
}

enum { LABEL = 24 };

/* Of rows: a class's name where it can be written, else its number. */
static void label_class(const rheo_checkpoint *c, uint32_t k, char to[LABEL + 1])
{
    const char *name = rheo_checkpoint_class_name(c, k);
    bool fits = name && strlen(name) <= LABEL;
    for (size_t i = 0; fits && name[i]; ++i) fits = name[i] >= ' ' && name[i] <= '~';
    if (fits) strcpy(to, name);
    else snprintf(to, LABEL + 1, "%u", k);
}

/* The class of each sample: the one asked for; or a row of each, `columns` a row. NULL: the model's own choice. */
static rheo_status choose_classes(const rheo_checkpoint *c, const asked *a, uint32_t n, uint32_t columns, unsigned char **out, rheo_error *err)
{
    uint32_t one = 0;
    if (!a->class && !columns) return RHEO_OK;
    const rheo_status st = a->class ? rheo_checkpoint_class_number(c, a->class, &one, err) : RHEO_OK;
    if (st) return st;
    *out = malloc(n);
    for (uint32_t i = 0; i < n && *out; ++i) (*out)[i] = (unsigned char)(a->class ? one : i / columns);
    return *out ? RHEO_OK : (err->status = RHEO_ENOMEM);
}

/* The same latents at every temperature: sample i is a function of the seed, i and its class. */
static rheo_status of_flow(rheo_checkpoint *c, const asked *a, tool_origin *origin, rheo_error *err)
{
    const rheo_checkpoint_facts *f = origin->facts;
    const uint32_t temperatures = (uint32_t)a->temperatures;
    const bool each_class = f->classes && !a->class && !a->listed;
    const uint32_t n = each_class ? a->chain.n * f->classes : a->chain.n, rows = each_class ? f->classes : temperatures;
    const size_t row = (size_t)n * f->h * f->w * f->c * (f->vectors ? sizeof(float) : 1);
    char (*label)[LABEL + 1] = malloc(rows * sizeof *label), *x = malloc(temperatures * row);
    const char **labels = malloc(rows * sizeof *labels);
    unsigned char *classes = NULL;
    rheo_status st = x && label && labels ? RHEO_OK : (err->status = RHEO_ENOMEM);
    if (!st) st = choose_classes(c, a, n, each_class ? a->chain.n : 0, &classes, err);
    for (uint32_t k = 0; k < rows && !st; ++k) {
        labels[k] = label[k];
        if (each_class) label_class(c, k, label[k]);
        else snprintf(label[k], sizeof label[k], "%g", a->temperature[k]);
    }
    tool_origin_tell(origin, temperatures > 1 ? ", rows of temperature" : ", temperature");
    for (uint32_t k = 0; k < temperatures && !st; ++k) {
        const double t = a->temperature[k];
        st = classes ? rheo_sample_classes(c, classes, n, t, a->chain.seed, x + k * row, err) : rheo_sample(c, n, t, a->chain.seed, x + k * row, err);
        tool_origin_tell(origin, "%s %g", k ? "," : "", t);
    }
    tool_origin_tell(origin, ", seed %llu", (unsigned long long)a->chain.seed);
    if (a->class) tool_origin_tell(origin, ", class %.60s", a->class);
    if (each_class) tool_origin_tell(origin, ", a class a row");
    if (rows > 1) origin->labels = labels;
    if (!st) st = tool_write_samples(a->out, x, n * temperatures, rows > 1 ? a->chain.n : (uint32_t)a->columns, origin, err);
    free(classes);
    free(labels);
    free(label);
    free(x);
    return st;
}

/* The temperatures asked for into a; false: they were not understood, and *code is set. */
static bool read_temperatures(const char *list, bool one, asked *a, int *code)
{
    if (!list) return true;
    a->temperatures = tool_numbers(list, a->temperature, MOST);
    for (int k = 0; k < a->temperatures; ++k)
        if (!(a->temperature[k] >= 0 && a->temperature[k] <= 100)) a->temperatures = 0;
    if (one)
        *code = tool_misused("sample", "--temperature is one, --temperatures a list: expected one of them");
    else if (a->columns)
        *code = tool_misused("sample", "--temperatures makes a row of each: no --columns");
    else if (!a->temperatures)
        *code = tool_misused("sample", "--temperatures: found \"%.100s\", expected numbers from 0 to 100 with commas between, or first:last:count, "
                             "%d at most", list, MOST);
    return *code == TOOL_OK;
}

static const char *const of_flows[] = { "temperature", "temperatures", "class", NULL }, *const temperature[] = { "temperature", NULL };
#define OF_CHAINS "steps", "epsilon", "step-convention", "denoise", "data-init", "method", "snapshots"
static const char *const of_chains[] = { OF_CHAINS, NULL }, *const of_chains_and_one[] = { OF_CHAINS, "temperature", NULL };

int tool_sample(int argc, char **argv)
{
    asked a = { .temperature = { 0.8 }, .temperatures = 1 };
    const char *device = NULL, *weights = "ema", *list = NULL;
    long long n = 0, seed = 0;
    bool data_init = false;
    uint64_t given = 0;
    rheo_langevin_defaults(&a.chain);
    const tool_option options[] = {
        { "out", TOOL_TEXT, &a.out, "FILE", "the picture, PNG, or floats from 0 to 1, .npy; for vectors a table, CSV", 0, 0 },
        { "n", TOOL_INT, &n, "N", "so many samples; 64, of --temperatures 8 each, of a model of classes 8 of each", 1, 1e6 },
        { "class", TOOL_TEXT, &a.class, "K|NAME", "of a model conditional on classes: all of this one; else a row of each", 0, 0 },
        { "temperature", TOOL_NUMBER, &a.temperature[0], "T", "scale of a flow's latents; 0.8", 0, 100 },
        { "temperatures", TOOL_TEXT, &list, "LIST", "several, 0,.25,.5,.7,.8,.9,1 or 0:1:5: a labelled row each, of the same latents", 0, 0 },
        { "seed", TOOL_INT, &seed, "S", "0", 0, 9e18 },
        { "columns", TOOL_INT, &a.columns, "N", "images a row; the nearest to a square", 1, 1e6 },
        TOOL_LANGEVIN_OPTIONS(a.chain, a.steps),
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
    if (!read_temperatures(list, tool_given(&usage, temperature, true) != NULL, &a, &code)) return code;
    if (a.chain.snapshots && !tool_can_write("sample", a.chain.snapshots, &code)) return code;
    if (tool_open_checkpoint(argv[0], device, weights, &c, &err)) return tool_failed("sample", &err);
    rheo_checkpoint_facts_of(c, &f);
    if (!n) n = list || (f.classes && !a.class) ? 8 : 64;
    a.chain.n = (uint32_t)n;
    a.listed = list != NULL;
    tool_origin origin = tool_origin_of(&usage, f.score ? of_flows : list ? of_chains_and_one : of_chains, argv[0], &f);
    a.chain.seed = (uint64_t)seed;
    a.chain.steps = a.steps;
    a.chain.data_init = data_init;
    const char *wrong = f.score && !list && a.temperature[0] == 1 ? NULL : tool_given(&usage, f.score ? of_flows : of_chains, true);
    if (wrong)
        code = tool_misused("sample", "%.200s is a %s model, which has no --%s", argv[0], f.score ? "score" : f.model, wrong);
    else if (f.classes && !a.class && !list && a.columns)
        code = tool_misused("sample", "a row of each class has --n columns: no --columns without --class");
    else if (f.classes && !a.class && !list && (double)n * f.classes > 1e6)
        code = tool_misused("sample", "--n: found %lld of each of %u classes, expected a million samples at most", n, f.classes);
    else if (f.score ? of_score(c, &a, &origin, &err) : of_flow(c, &a, &origin, &err)) code = tool_failed("sample", &err);
    else printf("%s\n", a.out);
    rheo_checkpoint_close(c);
    return code;
}
