/* rheo toy: the published experiments in two dimensions, measured numbers beside expected ones, and pictures. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnuplot.h"
#include "tool.h"
#include "toy_plot.h"

typedef struct toy {
    float field[RHEO_TOY_MESH * RHEO_TOY_MESH * 6];
    float *x; /* [METHODS, n, 2] */
    uint32_t n;
    rheo_toy_number field_number[RHEO_TOY_FIELD_NUMBERS], mixing_number[RHEO_TOY_MIXING_NUMBERS];
} toy;

static bool within(const rheo_toy_number *r) { return r->value >= r->low && r->value <= r->high; }

static int count_outside(const rheo_toy_number *r, int n)
{
    int count = 0;
    for (int k = 0; k < n; k++) count += !within(&r[k]);
    return count;
}

static int all_outside(const toy *t)
{
    return count_outside(t->field_number, RHEO_TOY_FIELD_NUMBERS) + count_outside(t->mixing_number, RHEO_TOY_MIXING_NUMBERS);
}

/* ---- printing --------------------------------------------------------------------------------------------------- */

static void print_rows(const char *title, const rheo_toy_number *r, int n)
{
    printf("%-48s %10s %10s   %s\n", title, "measured", "expected", "accepted");
    for (int k = 0; k < n; k++) {
        char bounds[64];
        if (isinf(r[k].high))
            snprintf(bounds, sizeof bounds, "above %.4f", r[k].low);
        else
            snprintf(bounds, sizeof bounds, "%.4f to %.4f", r[k].low, r[k].high);
        printf("%-48s %10.4f %10.4f   %s%s\n", r[k].text, r[k].value, r[k].expected, bounds, within(&r[k]) ? "" : "  OUTSIDE");
    }
}

static bool add_rows(cJSON *parent, const char *name, const rheo_toy_number *r, int n)
{
    cJSON *o = cJSON_AddObjectToObject(parent, name);
    for (int k = 0; k < n; k++) {
        cJSON *row = cJSON_AddObjectToObject(o, r[k].key);
        if (!cJSON_AddNumberToObject(row, "value", r[k].value) || !cJSON_AddNumberToObject(row, "expected", r[k].expected)
            || !cJSON_AddNumberToObject(row, "low", r[k].low) || (isfinite(r[k].high) && !cJSON_AddNumberToObject(row, "high", r[k].high))
            || !cJSON_AddBoolToObject(row, "accepted", within(&r[k])))
            return false;
    }
    return o != NULL;
}

static int print_json(const toy *t)
{
    cJSON *o = cJSON_CreateObject();
    const bool ok = cJSON_AddNumberToObject(o, "chains", t->n) && add_rows(o, "field", t->field_number, RHEO_TOY_FIELD_NUMBERS)
                    && add_rows(o, "mixing", t->mixing_number, RHEO_TOY_MIXING_NUMBERS);
    return tool_print_json("toy", o, ok);
}

static void print_text(const toy *t)
{
    char title[64];
    print_rows("a score learned from samples", t->field_number, RHEO_TOY_FIELD_NUMBERS);
    snprintf(title, sizeof title, "mixing of two modes, %u chains", t->n);
    printf("\n");
    print_rows(title, t->mixing_number, RHEO_TOY_MIXING_NUMBERS);
}

/* ---- the command --------------------------------------------------------------------------------------------------- */

/* Data and scripts, and pictures where there is gnuplot. What was measured counts without them. */
static bool write_files(const toy *t, const char *folder, rheo_error *err)
{
    if (!toy_write_field(folder, t->field, err) || !toy_write_mixing(folder, t->x, t->n, t->mixing_number, err)) return false;
    gnuplot_drawing drawn = gnuplot_draw(folder, "field.gp");
    if (drawn == GNUPLOT_DREW) drawn = gnuplot_draw(folder, "mixing.gp");
    if (drawn == GNUPLOT_MISSING)
        fprintf(stderr, "rheo toy: no pictures, since gnuplot is not installed; its data and scripts are in %s\n", folder);
    if (drawn == GNUPLOT_FAILED) fprintf(stderr, "rheo toy: gnuplot failed; its data and scripts are in %s\n", folder);
    return true;
}

static rheo_status measure(toy *t, const char *device, uint64_t seed, rheo_error *err)
{
    char *remarks = NULL;
    rheo_status st = rheo_device_remarks(device, &remarks, err);
    if (!st && *remarks) fprintf(stderr, "%s\n", remarks);
    rheo_free(remarks);
    if (!st) st = rheo_toy_mixing(device, t->n, seed, t->x, t->mixing_number, err);
    return st ? st : rheo_toy_field(device, seed, t->field, t->field_number, err);
}

int tool_toy(int argc, char **argv)
{
    const char *out = NULL, *device = NULL;
    long long n = 20000, seed = 1;
    bool json = false;
    const tool_option options[] = {
        { "out", TOOL_TEXT, &out, "DIR", "folder for the pictures, their data and scripts", 0, 0 },
        { "n", TOOL_INT, &n, "N", "chains a method; 20000 (1280 as published, with wider bounds)", 100, 1e7 },
        { "seed", TOOL_INT, &seed, "S", "1", 0, 9e18 },
        { "device", TOOL_TEXT, &device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        { "json", TOOL_FLAG, &json, NULL, "print a JSON object", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "toy",
        .operands = "ncsn",
        .min_operands = 1,
        .max_operands = 1,
        .options = options,
        .summary = "Repeats figures 2 and 3 of Song and Ermon 2019 on a mixture of two Gaussians: a score learned from samples is wrong "
                   "where there are few, and Langevin dynamics needs annealing to find the modes' weights. Prints measured beside "
                   "expected numbers, and fails where one is outside its bounds. Pictures are drawn by gnuplot, where it is installed."
                   "\vExample: rheo toy ncsn --out toy",
    };
    rheo_error err = RHEO_ERROR_INIT;
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if (strcmp(argv[0], "ncsn")) return tool_misused("toy", "found '%.40s', expected ncsn", argv[0]);
    if (!out) return tool_misused("toy", "expected --out DIR");
    toy t = { .n = (uint32_t)n, .x = malloc((size_t)n * RHEO_TOY_METHODS * 2 * sizeof *t.x) };
    if (!t.x)
        code = tool_failed("toy", &(rheo_error){ RHEO_ENOMEM, "" });
    else if (!toy_folder(out, &err) || measure(&t, device, (uint64_t)seed, &err))
        code = tool_failed("toy", &err);
    else if (json)
        code = print_json(&t);
    else
        print_text(&t);
    if (!code && !write_files(&t, out, &err)) code = tool_failed("toy", &err);
    if (!code && all_outside(&t)) code = TOOL_FAILED;
    free(t.x);
    return code;
}
