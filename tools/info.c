/* rheo info: what a file is. */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "tool.h"

static const char *text_of(const cJSON *o, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));
    return text ? text : "?";
}

static double number_of(const cJSON *o, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* In so many columns at least. Other programs' texts may hold anything: what a terminal would obey is not printed. */
static void print_padded(const char *text, int width)
{
    int n = 0;
    for (const char *c = text; *c; c++, n++) putchar(*c == '\n' ? ' ' : (unsigned char)*c < 32 || *c == 127 ? '?' : *c);
    printf("%*s", n < width ? width - n : 0, "");
}

static void print_text_of(const char *name, const char *value)
{
    printf("  ");
    print_padded(name, 14);
    putchar(' ');
    print_padded(value, 0);
    putchar('\n');
}

static void print_members(const cJSON *o)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, o) {
        if (cJSON_IsString(item)) print_text_of(item->string, item->valuestring);
        else if (cJSON_IsBool(item)) print_text_of(item->string, cJSON_IsTrue(item) ? "yes" : "no");
        else if (cJSON_IsNumber(item)) printf("  %-14s %.10g\n", item->string, item->valuedouble);
    }
}

/* A picture's own text, and what rheo noted in it. */
static void print_picture(const cJSON *o, const cJSON *picture)
{
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(o, "text"), *made_by = cJSON_GetObjectItemCaseSensitive(text, "rheo");
    printf("%s\npicture of %.0f x %.0f pixels in %s\n", text_of(o, "file"), number_of(picture, "height"), number_of(picture, "width"),
           number_of(picture, "channels") > 1 ? "colour" : "grey");
    print_members(text);
    if (!cJSON_IsObject(made_by)) return;
    printf("made by\n");
    print_members(made_by);
    printf("with options\n");
    print_members(cJSON_GetObjectItemCaseSensitive(made_by, "options"));
}

/* Of a table: what a number of the model is times the deviation, plus the mean. */
static void print_columns(const cJSON *columns)
{
    const cJSON *column = NULL;
    if (columns) puts("column           mean         deviation");
    cJSON_ArrayForEach(column, columns)
    {
        printf("  ");
        print_padded(text_of(column, "name"), 14);
        printf(" %-12.6g %.6g\n", number_of(column, "mean"), number_of(column, "deviation"));
    }
}

static void print_text(const cJSON *o)
{
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(o, "data"), *shape = cJSON_GetObjectItemCaseSensitive(data, "shape");
    const cJSON *progress = cJSON_GetObjectItemCaseSensitive(o, "progress");
    printf("%s\ncheckpoint of %s, %.0f parameters in %.0f tensors\n", text_of(o, "file"), text_of(o, "model"), number_of(o, "parameters"),
           number_of(o, "tensors"));
    print_members(cJSON_GetObjectItemCaseSensitive(o, "options"));
    printf("trained on %s: %s of %d x %d x %d, fingerprint %08x\n", text_of(data, "name"), text_of(data, "kind"),
           (int)cJSON_GetNumberValue(cJSON_GetArrayItem(shape, 0)), (int)cJSON_GetNumberValue(cJSON_GetArrayItem(shape, 1)),
           (int)cJSON_GetNumberValue(cJSON_GetArrayItem(shape, 2)), (unsigned)number_of(data, "fingerprint"));
    const cJSON *classes = cJSON_GetObjectItemCaseSensitive(data, "classes"), *name = NULL;
    if (classes) printf("classes by number:");
    cJSON_ArrayForEach(name, classes) printf(" %s%s", cJSON_GetStringValue(name), name->next ? "," : "\n");
    print_columns(cJSON_GetObjectItemCaseSensitive(data, "columns"));
    printf("after step %.0f, %.1f minutes\n", number_of(progress, "step"), number_of(progress, "seconds") / 60);
    if (cJSON_GetObjectItemCaseSensitive(progress, "best"))
        printf("best on the validation split: %.4f at step %.0f\n", number_of(progress, "best"), number_of(progress, "best_step"));
    printf("training\n");
    print_members(cJSON_GetObjectItemCaseSensitive(o, "training"));
}

int tool_info(int argc, char **argv)
{
    bool json = false;
    const tool_option options[] = {
        { "json", TOOL_FLAG, &json, NULL, "print a JSON object", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "info", .operands = "FILE|RUN|PICTURE.png", .min_operands = 1, .max_operands = 1, .options = options,
        .summary = "Says what a checkpoint is: its model, data, step and options. A run folder stands for its last checkpoint. "
                   "Or what a picture is, and with which command and options rheo made it.\v"
                   "Example: rheo info runs/demo",
    };
    rheo_error err = RHEO_ERROR_INIT;
    char *text = NULL;
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if (rheo_describe(argv[0], &text, &err)) return tool_failed("info", &err);
    cJSON *o = json ? NULL : cJSON_Parse(text);
    const cJSON *picture = cJSON_GetObjectItemCaseSensitive(o, "picture");
    if (picture) print_picture(o, picture);
    else if (o) print_text(o);
    else puts(text);
    cJSON_Delete(o);
    rheo_free(text);
    return code;
}
