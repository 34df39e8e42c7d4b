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

static void line(const char *name, const cJSON *a, const cJSON *b, double noise)
{
    if (!cJSON_IsNumber(a) || !cJSON_IsNumber(b)) return;
    const double ratio = a->valuedouble != 0 ? b->valuedouble / a->valuedouble : NAN;
    if (fabs(ratio - 1) <= noise) return;
    printf("%-72s %12.6g -> %12.6g   x %.3f\n", name, a->valuedouble, b->valuedouble, ratio);
}

/* Every number that stands in both, objects within objects; rows of `ops` by their key. */
static void walk(const char *prefix, const cJSON *a, const cJSON *b, double noise)
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
        if (cJSON_IsArray(b)) line(name, cJSON_GetObjectItemCaseSensitive(item, "seconds"), cJSON_GetObjectItemCaseSensitive(other, "seconds"), noise);
        else if (cJSON_IsObject(item) || cJSON_IsArray(item)) walk(item->string, item, other, noise);
        else line(name, item, other, noise);
    }
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
    cJSON *a = NULL, *b = NULL;
    int code = BENCH_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if (load(argv[0], &a, &err) || load(argv[1], &b, &err)) code = bench_failed("compare", &err);
    else walk("", a, b, noise);
    cJSON_Delete(a);
    cJSON_Delete(b);
    return code;
}
