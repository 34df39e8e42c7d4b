/* rheo data: what a data set was understood as. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "tool.h"

static void print_member(const cJSON *item, const char *label)
{
    const cJSON *part = NULL;
    if (cJSON_IsString(item)) printf("%-10s %s\n", label, item->valuestring);
    if (cJSON_IsNumber(item)) printf("%-10s %.10g\n", label, item->valuedouble);
    if (!cJSON_IsArray(item) && !cJSON_IsObject(item)) return;
    printf("%-10s", label);
    cJSON_ArrayForEach(part, item) {
        if (cJSON_IsString(part)) printf("\n  %s", part->valuestring);
        else printf(" %s%s%.6g", part->string ? part->string : "", part->string ? " " : "", part->valuedouble);
    }
    puts("");
}

/* A line a column, of which there may be thousands. */
static void print_columns(const cJSON *list)
{
    const cJSON *row = NULL, *item = NULL;
    printf("%-26s", "columns");
    cJSON_ArrayForEach(item, cJSON_GetArrayItem(list, 0))
        if (cJSON_IsNumber(item)) printf(" %12s", item->string);
    puts("");
    cJSON_ArrayForEach(row, list) {
        printf("  %-24s", cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "name")));
        cJSON_ArrayForEach(item, row)
            if (cJSON_IsNumber(item)) printf(" %12.6g", item->valuedouble);
        puts("");
    }
}

int tool_data(int argc, char **argv)
{
    const char *out = NULL, *columns = NULL;
    long long size = 0;
    bool json = false;
    const tool_option options[] = {
        { "size", TOOL_INT, &size, "S", "images of a folder: crop the middle square, resize to S x S", 1, 8192 },
        { "columns", TOOL_TEXT, &columns, "A,B", "of a table: names, or numbers from 1; all unless given", 0, 0 },
        { "out", TOOL_TEXT, &out, "FILE.png", "a sheet of the first 100 training images", 0, 0 },
        { "json", TOOL_FLAG, &json, NULL, "print a JSON object", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "data", .operands = "D", .min_operands = 1, .max_operands = 1, .options = options,
        .summary = "Says how a data set is understood: format, images or rows in each split, shape, classes, columns and the range of values in "
                   "training; or all files that are broken, and then exits with 1.\v"
                   "Example: rheo data photos --size 32 --out sheet.png",
    };
    rheo_error err = RHEO_ERROR_INIT;
    char *text = NULL;
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if (out && !tool_can_write("data", out, &code)) return code;
    if (rheo_data_describe(argv[0], (uint32_t)size, columns, out, &text, &err)) return tool_failed("data", &err);
    cJSON *o = cJSON_Parse(text);
    const cJSON *item = NULL;
    if (json || !o) puts(text);
    else cJSON_ArrayForEach(item, o) {
        if (strcmp(item->string, "columns")) print_member(item, item->string);
        else print_columns(item);
    }
    if (cJSON_GetObjectItemCaseSensitive(o, "broken")) code = TOOL_FAILED;
    cJSON_Delete(o);
    rheo_free(text);
    return code;
}
