/* rheo quality: how near samples are to data, by measures that need no network. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

typedef struct images {
    float *x; /* [n, h, w, c], 0 to 1; freed by rheo_free */
    uint32_t n, h, w, c;
    char data[1024]; /* what the model was trained on, or "" */
} images;

static rheo_status draw_score(rheo_checkpoint *c, uint32_t n, uint64_t seed, float *x, rheo_error *err)
{
    rheo_langevin_options o;
    rheo_langevin_defaults(&o);
    o.n = n;
    o.seed = seed;
    tool_langevin_start(&o);
    const rheo_status st = rheo_sample_langevin(c, &o, x, err);
    tool_langevin_end();
    return st;
}

static rheo_status from_model(const char *path, const char *device, uint32_t n, double temperature, uint64_t seed, images *out,
                              rheo_error *err)
{
    rheo_checkpoint *c = NULL;
    rheo_checkpoint_facts f;
    rheo_status st = tool_open_checkpoint(path, device, "ema", &c, err);
    if (st) return st;
    rheo_checkpoint_facts_of(c, &f);
    const size_t count = (size_t)n * f.h * f.w * f.c;
    unsigned char *bytes = f.vectors ? NULL : malloc(count);
    out->x = malloc(count * sizeof *out->x);
    out->n = n, out->h = f.h, out->w = f.w, out->c = f.c;
    snprintf(out->data, sizeof out->data, "%s", f.data);
    if (f.vectors) {
        st = err->status = RHEO_EINVAL;
        snprintf(err->text, sizeof err->text, "%.400s: a model of vectors, expected one of images", path);
    } else if (!bytes || !out->x) {
        st = err->status = RHEO_ENOMEM;
    } else {
        st = f.score && temperature == 1 ? draw_score(c, n, seed, out->x, err) : rheo_sample(c, n, temperature, seed, bytes, err);
    }
    for (size_t i = 0; i < count && !st && !f.score; i++) out->x[i] = (float)bytes[i] / 255;
    free(bytes);
    rheo_checkpoint_close(c);
    return st;
}

/* The rows of both printed forms: samples beside the floor. */
typedef struct row {
    const char *key, *text;
    size_t at;
} row;
#define ROW(key, text)                                                                                                                     \
    {                                                                                                                                      \
#key, text, offsetof(rheo_quality_values, key)                                                                                     \
    }
static const row rows[] = {
    ROW(frechet, "Frechet distance"),
    ROW(precision, "precision"),
    ROW(recall, "recall"),
    ROW(density, "density"),
    ROW(coverage, "coverage"),
    ROW(sliced_wasserstein, "sliced Wasserstein"),
    ROW(mmd_polynomial, "polynomial MMD^2"),
    ROW(mmd_polynomial_error, "  its standard error"),
    ROW(mmd_gaussian[0], "Gaussian MMD^2, h/2"),
    ROW(mmd_gaussian[1], "Gaussian MMD^2, h"),
    ROW(mmd_gaussian[2], "Gaussian MMD^2, 2h"),
    ROW(nearest_ratio, "nearest-image ratio"),
    ROW(memorised, "memorised share"),
};
enum { ROWS = sizeof rows / sizeof *rows };

static double value(const rheo_quality_values *v, const row *r)
{
    return *(const double *)(const void *)((const char *)v + r->at);
}

static int print_json(const rheo_quality *q)
{
    cJSON *o = cJSON_CreateObject(), *samples = cJSON_AddObjectToObject(o, "samples"), *floor = cJSON_AddObjectToObject(o, "floor");
    bool ok = samples && floor && cJSON_AddNumberToObject(o, "images", (double)q->images)
              && cJSON_AddNumberToObject(o, "training_images", (double)q->training_images)
              && cJSON_AddStringToObject(o, "features", "pca64 of the training images");
    for (int k = 0; k < ROWS && ok; k++)
        ok = cJSON_AddNumberToObject(samples, rows[k].key, value(&q->samples, &rows[k]))
             && cJSON_AddNumberToObject(floor, rows[k].key, value(&q->floor, &rows[k]));
    return tool_print_json("quality", o, ok);
}

static void print_text(const rheo_quality *q)
{
    printf("%llu samples and, as the floor, as many test images against %llu training images; features: 64 principal components\n\n"
           "%-24s %12s %12s\n",
           (unsigned long long)q->images, (unsigned long long)q->training_images, "", "samples", "floor");
    for (int k = 0; k < ROWS; k++) printf("%-24s %12.5g %12.5g\n", rows[k].text, value(&q->samples, &rows[k]), value(&q->floor, &rows[k]));
}

int tool_quality(int argc, char **argv)
{
    const char *data = NULL, *device = NULL, *neighbours = NULL;
    long long n = 2000, seed = 0;
    double temperature = 1;
    bool json = false;
    const tool_option options[] = {
        { "data", TOOL_TEXT, &data, "D", "what to compare with; what the model was trained on unless given", 0, 0 },
        { "n", TOOL_INT, &n, "N", "so many samples of a model; 2000", 65, 1e6 },
        { "temperature", TOOL_NUMBER, &temperature, "T", "scale of a flow's latents; 1", 0, 100 },
        { "neighbours", TOOL_TEXT, &neighbours, "FILE", "a picture of samples beside their nearest training images, PNG", 0, 0 },
        { "seed", TOOL_INT, &seed, "S", "0", 0, 9e18 },
        { "device", TOOL_TEXT, &device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        { "json", TOOL_FLAG, &json, NULL, "print a JSON object", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "quality",
        .operands = "RUN|SAMPLES.npy",
        .min_operands = 1,
        .max_operands = 1,
        .options = options,
        .summary = "Distances between samples and data, each beside what held-out images reach. No network is downloaded, so none of "
                   "them is an FID.\vExample: rheo quality runs/demo --n 2000 --neighbours nearest.png",
    };
    rheo_error err = RHEO_ERROR_INIT;
    images x = { 0 };
    rheo_quality q;
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    const bool file = tool_ends_in(argv[0], ".npy");
    if (file && !data) return tool_misused("quality", "expected --data D with an .npy file");
    rheo_status st = file ? rheo_npy_read(argv[0], &x.x, &x.n, &x.h, &x.w, &x.c, &err)
                          : from_model(argv[0], device, (uint32_t)n, temperature, (uint64_t)seed, &x, &err);
    if (!st) st = rheo_quality_measure(x.x, x.n, x.h, x.w, x.c, data ? data : x.data, (uint64_t)seed, neighbours, &q, &err);
    if (st)
        code = tool_failed("quality", &err);
    else if (json)
        code = print_json(&q);
    else
        print_text(&q);
    rheo_free(x.x);
    return code;
}
