/* rheo eval: how well a model describes data. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tool.h"

static bool add_bands(cJSON *o, const rheo_evaluation *e)
{
    cJSON *list = e->bands ? cJSON_AddArrayToObject(o, "bands") : NULL;
    bool ok = !e->bands || list;
    for (int k = 0; k < e->bands && ok; k++) {
        const rheo_band *b = &e->band[k];
        cJSON *row = cJSON_CreateObject();
        ok = cJSON_AddNumberToObject(row, "first", b->first) && cJSON_AddNumberToObject(row, "last", b->last)
          && cJSON_AddNumberToObject(row, "loss", b->loss) && cJSON_AddNumberToObject(row, "standard_error", b->standard_error)
          && cJSON_AddNumberToObject(row, "images", (double)b->images);
        if (!row || !cJSON_AddItemToArray(list, row)) ok = false;
    }
    return ok;
}

static int print_json(const rheo_evaluation *e, const char *data, const char *split, const char *weights)
{
    cJSON *o = cJSON_CreateObject();
    bool ok = o && cJSON_AddNumberToObject(o, "bits_per_dim", e->bits_per_dim);        /* NaN is written as null */
    ok = ok && cJSON_AddNumberToObject(o, "standard_error", e->standard_error) && cJSON_AddNumberToObject(o, "images", (double)e->images)
      && cJSON_AddNumberToObject(o, "round_trip_error", e->round_trip_error)
      && cJSON_AddNumberToObject(o, "images_per_second", e->images_per_second) && cJSON_AddNumberToObject(o, "nats", e->nats)
      && cJSON_AddNumberToObject(o, "entropy", e->entropy) && cJSON_AddNumberToObject(o, "dims", e->dims)
      && cJSON_AddStringToObject(o, "data", data) && cJSON_AddStringToObject(o, "split", split)
      && cJSON_AddStringToObject(o, "weights", weights) && cJSON_AddStringToObject(o, "unit", e->unit)
      && cJSON_AddNumberToObject(o, "loss", e->loss) && add_bands(o, e);
    if (!isnan(e->accuracy))
        ok = ok && cJSON_AddNumberToObject(o, "accuracy", e->accuracy) && cJSON_AddNumberToObject(o, "without_labels", e->without_labels);
    return tool_print_json("eval", o, ok);
}

static void print_text(const rheo_evaluation *e)
{
    if (isnan(e->nats)) {
        printf("loss               %.4f +- %.4f\n", e->loss, e->standard_error);
        for (int k = 0; k < e->bands; k++) {
            const rheo_band *b = &e->band[k];
            printf("  noise %-8.3g", b->first);
            if (b->last < b->first) printf(" to %-8.3g", b->last);
            printf(" %.4f +- %.4f, %llu images\n", b->loss, b->standard_error, (unsigned long long)b->images);
        }
    } else if (isnan(e->bits_per_dim)) {
        printf("nats               %.4f +- %.4f\n", e->nats, e->standard_error);
        if (!isnan(e->entropy)) printf("entropy            %.4f (no model can be below it)\n", e->entropy);
    } else {
        printf("bits/dim           %.4f +- %.4f\n", e->bits_per_dim, e->standard_error);
        printf("                   -log2 p(x) / %u, uniform dequantisation, its constant included\n", e->dims);
    }
    if (!isnan(e->accuracy)) {
        printf("                   given each image's class; without labels %.4f, of p(x) = mean of p(x|class)\n", e->without_labels);
        printf("accuracy           %.4f\n", e->accuracy);
        printf("                   of the likeliest class given the image by Bayes' rule, all classes alike beforehand\n");
    }
    const char *rows = strcmp(e->unit, "nats") ? "images" : "rows";
    printf("%-19s%llu\n", rows, (unsigned long long)e->images);
    if (!isnan(e->round_trip_error)) printf("round-trip error   %.3g\n", e->round_trip_error);
    printf("%s/s%-*s%.1f\n", rows, (int)(17 - strlen(rows)), "", e->images_per_second);
}

int tool_eval(int argc, char **argv)
{
    const char *device = NULL, *weights = "ema";
    long long limit = 0, seed = 0;
    bool json = false;
    rheo_evaluate_options o;
    rheo_evaluate_defaults(&o);
    const tool_option options[] = {
        { "data", TOOL_TEXT, &o.data, "D", "what to evaluate on; what it was trained on unless given", 0, 0 },
        { "split", TOOL_TEXT, &o.split, "S", "train, valid or test (the default)", 0, 0 },
        { "limit", TOOL_INT, &limit, "N", "at most so many images", 1, 4e9 },
        { "weights", TOOL_TEXT, &weights, "W", "ema (averaged, the default) or raw", 0, 0 },
        { "seed", TOOL_INT, &seed, "S", "of the dequantisation", 0, 9e18 },
        { "device", TOOL_TEXT, &device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        { "json", TOOL_FLAG, &json, NULL, "print a JSON object", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "eval", .operands = "RUN|CHECKPOINT", .min_operands = 1, .max_operands = 1, .options = options,
        .summary = "Mean bits a dimension of held-out images with its standard error, and the largest error of "
                   "x -> latents -> x, with x from -1/2 to 1/2. Vectors: nats beside the data's entropy. Models "
                   "conditional on classes: given each image's class, and how many classes Bayes' rule finds. Models "
                   "without likelihood: their loss, and that of each noise level.\v"
                   "Example: rheo eval runs/demo --limit 1000",
    };
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = NULL;
    rheo_checkpoint_facts facts;
    rheo_evaluation e;
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    o.limit = (uint32_t)limit;
    o.seed = (uint64_t)seed;
    if (tool_open_checkpoint(argv[0], device, weights, &c, &err)) return tool_failed("eval", &err);
    if (rheo_evaluate(c, &o, &e, &err)) {
        code = tool_failed("eval", &err);
    } else {
        rheo_checkpoint_facts_of(c, &facts);
        if (json) code = print_json(&e, o.data ? o.data : facts.data, o.split, weights);
        else print_text(&e);
    }
    rheo_checkpoint_close(c);
    return code;
}
