/* rheo score: the likelihood of each image under a flow, and how well it tells other images apart. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "score_plot.h"
#include "tool.h"

static rheo_status score(rheo_checkpoint *c, const rheo_data *data, uint64_t seed, scores *s, rheo_error *err)
{
    double squares = 0;
    s->n = data->n;
    s->nats = malloc(data->n * sizeof *s->nats);
    rheo_status st = s->nats ? rheo_log_prob(c, data->x, data->n, seed, s->nats, err) : (err->status = RHEO_ENOMEM);
    for (uint32_t i = 0; i < s->n && !st; ++i) s->mean += (s->nats[i] = -s->nats[i]) / s->n;
    for (uint32_t i = 0; i < s->n && !st; ++i) squares += (s->nats[i] - s->mean) * (s->nats[i] - s->mean);
    s->error = s->n > 1 ? sqrt(squares / (s->n - 1) / s->n) : NAN;
    return st;
}

/* Bits a dimension of so many nats; 0 for vectors, which have none. */
static double bits(const rheo_checkpoint_facts *f) { return f->vectors ? 0 : 1 / ((double)f->h * f->w * f->c * log(2)); }

static rheo_status write_table(const char *path, const scores *sets, int count, const rheo_checkpoint_facts *f, rheo_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    if (to) fprintf(to, "set,index,log_p%s\n", f->vectors ? "" : ",bits_per_dim");
    for (int k = 0; k < count && to; ++k)
        for (uint32_t i = 0; i < sets[k].n; ++i) {
            fprintf(to, "%s,%u,%.9g", k ? "against" : "data", i, -sets[k].nats[i]);
            if (!f->vectors) fprintf(to, ",%.9g", sets[k].nats[i] * bits(f));
            fputc('\n', to);
        }
    return tool_write_text(path, to, &text, &bytes, err);
}

static rheo_status draw(const char *path, const scores *sets, int count, const rheo_checkpoint_facts *f, rheo_error *err)
{
    bool drawn = false;
    const rheo_status st = score_plot(path, sets, count, f->vectors ? 1 : bits(f), f->vectors ? "-log p(x), nats" : "bits/dim", &drawn, err);
    if (!st && !drawn)
        fprintf(stderr, "rheo score: no picture, since gnuplot failed or is not installed; its script is %.*s.gp\n", (int)strlen(path) - 4, path);
    return st;
}

/* ---- what is printed ---------------------------------------------------------------------------------------------- */

static bool add_set(cJSON *o, const scores *s, const char *split, const rheo_checkpoint_facts *f)
{
    return cJSON_AddStringToObject(o, "data", s->data) && cJSON_AddStringToObject(o, "split", split) &&
           cJSON_AddNumberToObject(o, "images", s->n) && cJSON_AddNumberToObject(o, "nats", s->mean) &&
           cJSON_AddNumberToObject(o, "nats_standard_error", s->error) &&
           cJSON_AddNumberToObject(o, "bits_per_dim", f->vectors ? NAN : s->mean * bits(f)) &&
           cJSON_AddNumberToObject(o, "standard_error", f->vectors ? NAN : s->error * bits(f));
}

static int print_json(const scores *sets, int count, const char *split, const rheo_checkpoint_facts *f, double auroc)
{
    cJSON *o = cJSON_CreateObject();
    bool ok = o && add_set(o, &sets[0], split, f);
    if (count > 1) {
        cJSON *against = cJSON_AddObjectToObject(o, "against");
        ok = ok && against && add_set(against, &sets[1], split, f) && cJSON_AddNumberToObject(o, "auroc", auroc);
    }
    return tool_print_json("score", o, ok);
}

/* With its standard error, which one image has not. */
static void print_value(double value, double error, int digits, const char *unit)
{
    if (isnan(error)) printf("%.*f%s\n", digits, value, unit);
    else printf("%.*f +- %.*f%s\n", digits, value, digits, error, unit);
}

static void print_text(const scores *sets, int count, const char *split, const rheo_checkpoint_facts *f, double auroc)
{
    for (int k = 0; k < count; ++k) {
        const scores *s = &sets[k];
        printf("%-18s %.100s, %s, %u %s\n", k ? "against" : "data", s->data, split, s->n, f->vectors ? "vectors" : "images");
        printf("  mean log p(x)    ");
        print_value(-s->mean, s->error, 3, " nats");
        if (!f->vectors) printf("  bits/dim         ");
        if (!f->vectors) print_value(s->mean * bits(f), s->error * bits(f), 4, "");
    }
    if (count > 1)
        printf("AUROC              %.4f\n"
               "                   the chance that one of the other data is less likely than one of these; 1/2: no telling\n",
               auroc);
}

int tool_score(int argc, char **argv)
{
    const char *device = NULL, *weights = "ema", *name = NULL, *split = "test", *against = NULL, *out = NULL, *picture = NULL;
    long long limit = 0, seed = 0;
    bool json = false;
    const tool_option options[] = {
        { "data", TOOL_TEXT, &name, "D", "the images; what the model was trained on unless given", 0, 0 },
        { "split", TOOL_TEXT, &split, "S", "train, valid or test (the default)", 0, 0 },
        { "limit", TOOL_INT, &limit, "N", "at most so many images", 1, 4e9 },
        { "against", TOOL_TEXT, &against, "D2", "other images, same split and limit: how well likelihood tells them apart (AUROC)", 0, 0 },
        { "out", TOOL_TEXT, &out, "FILE", "the scores, CSV: set, index, log p(x) in nats, bits/dim", 0, 0 },
        { "picture", TOOL_TEXT, &picture, "FILE", "a histogram of them, PNG, drawn by gnuplot; its script stays beside it (.gp)", 0, 0 },
        { "json", TOOL_FLAG, &json, NULL, "print a JSON object", 0, 0 },
        { "seed", TOOL_INT, &seed, "S", "of the dequantisation; 0", 0, 9e18 },
        { "weights", TOOL_TEXT, &weights, "W", "ema (averaged, the default) or raw", 0, 0 },
        { "device", TOOL_TEXT, &device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "score", .operands = "RUN|CHECKPOINT", .min_operands = 1, .max_operands = 1, .options = options,
        .summary = "The log-likelihood of each image under a flow, the dequantisation's constant included; of a model conditional on classes "
                   "the mean of p(x|class), whatever labels the data have. Likelihood alone is a poor sign of "
                   "what a model was not trained on: flows give simpler images of other kinds more of it than their own (Nalisnick et al. "
                   "2019), which shows as an AUROC below 1/2.\v"
                   "Example: rheo score runs/demo --limit 1000 --against other-images --out scores.csv",
    };
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = NULL;
    rheo_checkpoint_facts f = { .model = NULL };
    scores sets[2] = { { .nats = NULL }, { .nats = NULL } };
    double auroc = NAN;
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if (out && !tool_can_write("score", out, &code)) return code;
    if (picture && !tool_can_write("score", picture, &code)) return code;
    if (picture && !tool_ends_in(picture, ".png")) return tool_misused("score", "--picture: found \"%.200s\", expected a name in .png", picture);
    const int count = against ? 2 : 1;
    rheo_data data[2] = { { .x = NULL }, { .x = NULL } };
    rheo_status st = tool_open_checkpoint(argv[0], device, weights, &c, &err);
    if (!st) rheo_checkpoint_facts_of(c, &f);
    if (!st) tool_watch_start(c);
    sets[0].data = name ? name : f.data;
    sets[1].data = against;
    for (int k = 0; k < count && !st; ++k) st = rheo_checkpoint_data(c, k ? against : name, split, 0, (uint32_t)limit, &data[k], &err);
    for (int k = 0; k < count && !st; ++k) st = score(c, &data[k], (uint64_t)seed, &sets[k], &err);
    tool_watch_end();
    if (!st && against) st = rheo_auroc(sets[0].nats, sets[0].n, sets[1].nats, sets[1].n, &auroc, &err);
    if (!st && out) st = write_table(out, sets, count, &f, &err);
    if (!st && picture) st = draw(picture, sets, count, &f, &err);
    if (st) code = tool_failed("score", &err);
    else if (json) code = print_json(sets, count, split, &f, auroc);
    else print_text(sets, count, split, &f, auroc);
    for (int k = 0; k < count; ++k) rheo_data_free(&data[k]), free(sets[k].nats);
    rheo_checkpoint_close(c);
    return code;
}
