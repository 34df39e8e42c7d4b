/* rheo-bench compare A.json B.json: two reports of `model` or `ops`, number by number. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "tool.h"

enum { MOST_BYTES = 16 << 20 };

static rheo_status load(const char *path, cJSON **out, rheo_error *err)
{
    char *text = malloc(MOST_BYTES + 1);
    FILE *f = fopen(path, "rb");
    const size_t n = text && f ? fread(text, 1, MOST_BYTES, f) : 0;
    if (f) fclose(f);
    if (n) {
        text[n] = '\0';
        *out = cJSON_Parse(text);
    }
    free(text);
    return *out ? RHEO_OK : rheo_fail(err, RHEO_EFORMAT, "%s: cannot be read as a JSON report", path);
}

static const cJSON *find_row(const cJSON *list, const char *key)
{
    const cJSON *r;
    cJSON_ArrayForEach(r, list)
    {
        const char *k = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(r, "key"));
        if (k && !strcmp(k, key)) return r;
    }
    return NULL;
}

typedef struct comparison {
    double noise;
    int both, changed;      /* numbers that stand in both reports, and those of them beyond noise */
} comparison;

static void line(comparison *c, const char *name, const cJSON *a, const cJSON *b)
{
    if (!cJSON_IsNumber(a) || !cJSON_IsNumber(b)) return;
    const double ratio = a->valuedouble != 0 ? b->valuedouble / a->valuedouble : NAN;
    c->both++;
    if (a->valuedouble == b->valuedouble || fabs(ratio - 1) <= c->noise) return;
    c->changed++;
    printf("%-72s %12.6g -> %12.6g   x %.3f\n", name, a->valuedouble, b->valuedouble, ratio);
}

/* Objects within objects; rows of `ops` by their key. */
static void walk(comparison *c, const char *prefix, const cJSON *a, const cJSON *b)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, a)
    {
        char name[512];
        const char *key = item->string ? item->string : cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "key"));
        if (!key) continue;
        const cJSON *other = cJSON_IsArray(b) ? find_row(b, key) : cJSON_GetObjectItemCaseSensitive(b, key);
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? " " : "", key);
        if (!other) continue;
        if (cJSON_IsArray(b)) line(c, name, cJSON_GetObjectItemCaseSensitive(item, "seconds"), cJSON_GetObjectItemCaseSensitive(other, "seconds"));
        else if (cJSON_IsObject(item) || cJSON_IsArray(item)) walk(c, item->string, item, other);
        else line(c, name, item, other);
    }
}

static rheo_status compare(const char *a_path, const char *b_path, double noise, rheo_error *err)
{
    comparison c = { .noise = noise };
    cJSON *a = NULL, *b = NULL;
    rheo_status st = load(a_path, &a, err);
    if (!st) st = load(b_path, &b, err);
    if (!st) walk(&c, "", a, b);
    if (!st && !c.both) st = rheo_fail(err, RHEO_EFORMAT, "%s and %s: no number stands in both", a_path, b_path);
    if (!st && !c.changed) printf("of %d numbers none changed by more than %g %%\n", c.both, 100 * noise);
    cJSON_Delete(a);
    cJSON_Delete(b);
    return st;
}

int bench_run_compare(int argc, char **argv)
{
    double noise = 0.05;
    const tool_option options[] = {
        { "noise", TOOL_NUMBER, &noise, "F", "changes up to this part are not shown; 0.05", 0, 10 },
        { 0 },
    };
    const tool_usage usage = { .command = "compare", .operands = "A.json B.json", .min_operands = 2, .max_operands = 2, .options = options,
                               .summary = "Shows the numbers of two JSON reports that differ by more than noise, and by how much." };
    rheo_error err = RHEO_ERROR_INIT;
    int code = BENCH_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    return compare(argv[0], argv[1], noise, &err) ? bench_failed("compare", &err) : BENCH_OK;
}
