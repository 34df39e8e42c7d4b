/* What subcommands write samples as: pictures, arrays, tables. */
#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

rheo_status tool_write_text(const char *path, FILE *stream, char **text, const size_t *bytes, rheo_error *err)
{
    const bool failed = !stream || ferror(stream);
    rheo_status st = (stream && fclose(stream)) || failed ? (err->status = RHEO_ENOMEM) : RHEO_OK;
    if (!st) st = rheo_file_write(path, *text, *bytes, err);
    free(*text);
    return st;
}

/* A field, in quotes where it would be read as something else. */
static void write_name(FILE *f, const char *name)
{
    const bool quoted = strpbrk(name, ",;\t\"") || *name == ' ' || tool_ends_in(name, " ");
    if (quoted) fputc('"', f);
    for (const char *c = name; *c; ++c) {
        if (*c == '"') fputc('"', f);
        fputc(*c, f);
    }
    if (quoted) fputc('"', f);
}

static rheo_status write_points(const char *path, const float *x, uint32_t n, const rheo_checkpoint_facts *facts, rheo_error *err)
{
    const uint32_t c = facts->c;
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    for (uint32_t k = 0; f && facts->columns && k < c; ++k) {
        write_name(f, facts->columns[k]);
        fputc(k + 1 == c ? '\n' : ',', f);
    }
    for (uint32_t i = 0; f && i < n; ++i)
        for (uint32_t k = 0; k < c; ++k) fprintf(f, "%.9g%c", (double)x[(size_t)i * c + k], k + 1 == c ? '\n' : ',');
    return tool_write_text(path, f, &text, &bytes, err);
}

static rheo_status write_vectors(const char *path, const float *x, uint32_t n, const rheo_checkpoint_facts *f, rheo_error *err)
{
    const bool array = f->h > 1 || f->w > 1, npy = tool_ends_in(path, ".npy");
    if (npy) return array ? rheo_npy_write(path, x, n, f->h, f->w, f->c, err) : rheo_codes_write(path, x, n, f->c, err);
    if (!array && !tool_ends_in(path, ".png")) return write_points(path, x, n, f, err);
    snprintf(err->text, sizeof err->text, "%.400s: found vectors of %u x %u x %u and no images, expected a name in .npy%s", path, f->h, f->w, f->c,
             array ? "" : " or .csv");
    return err->status = RHEO_EINVAL;
}

/* ---- what made it -------------------------------------------------------------------------------------------------- */

const char *tool_base_name(const char *path, char *name, size_t bytes)
{
    size_t end = strlen(path), begin;
    while (end > 1 && path[end - 1] == '/') --end;
    for (begin = end; begin > 0 && path[begin - 1] != '/';) --begin;
    snprintf(name, bytes, "%.*s", (int)(end - begin), path + begin);
    return name;
}

tool_origin tool_origin_of(const tool_usage *usage, const char *const *without, const char *from, const rheo_checkpoint_facts *facts)
{
    tool_origin o = { .usage = usage, .without = without, .from = from, .facts = facts };
    char data[100];
    tool_origin_tell(&o, "%s trained on %s, step %llu", facts->model, tool_base_name(facts->data, data, sizeof data),
                     (unsigned long long)facts->step);
    return o;
}

void tool_origin_tell(tool_origin *o, const char *format, ...)
{
    const size_t end = strlen(o->about);
    va_list args;
    va_start(args, format);
    vsnprintf(o->about + end, sizeof o->about - end, format, args);
    va_end(args);
}

static bool is_among(const char *name, const char *const *names)
{
    for (; names && *names; ++names)
        if (!strcmp(name, *names)) return true;
    return false;
}

static bool add_option(cJSON *to, const tool_option *o)
{
    char name[256];
    switch (o->type) {
    case TOOL_FLAG:
        return cJSON_AddBoolToObject(to, o->name, *(const bool *)o->to);
    case TOOL_INT:
        return cJSON_AddNumberToObject(to, o->name, (double)*(const long long *)o->to);
    case TOOL_NUMBER:
        return cJSON_AddNumberToObject(to, o->name, *(const double *)o->to);
    case TOOL_TEXT:
        break;
    }
    const char *text = *(const char *const *)o->to;
    return !text || cJSON_AddStringToObject(to, o->name, tool_base_name(text, name, sizeof name));
}

char *tool_origin_json(const tool_origin *o)
{
    static const char *const no_part[] = { "out", "device", "columns", "snapshots", NULL };
    char name[256];
    cJSON *json = cJSON_CreateObject();
    bool ok = json && cJSON_AddStringToObject(json, "rheo", rheo_version()) && cJSON_AddStringToObject(json, "command", o->usage->command);
    ok = ok && cJSON_AddStringToObject(json, "from", tool_base_name(o->from, name, sizeof name));
    ok = ok && cJSON_AddStringToObject(json, "model", o->facts->model) && cJSON_AddNumberToObject(json, "step", (double)o->facts->step);
    ok = ok && cJSON_AddStringToObject(json, "data", tool_base_name(o->facts->data, name, sizeof name));
    cJSON *options = cJSON_AddObjectToObject(json, "options");
    ok = ok && options;
    for (const tool_option *k = o->usage->options; k->name && ok; ++k)
        if (!is_among(k->name, no_part) && !is_among(k->name, o->without)) ok = add_option(options, k);
    char *text = ok ? cJSON_PrintUnformatted(json) : NULL;
    cJSON_Delete(json);
    return text;
}

/* ---- samples -------------------------------------------------------------------------------------------------------- */

rheo_status tool_write_grid(const char *path, const unsigned char *images, uint32_t n, uint32_t columns, const tool_origin *o, rheo_error *err)
{
    const rheo_checkpoint_facts *f = o->facts;
    char *json = tool_origin_json(o);
    const rheo_grid_text text = { .about = o->about, .made_by = json, .labels = o->labels };
    const rheo_status st = json ? rheo_grid_write(path, images, n, f->h, f->w, f->c, columns, &text, err) : (err->status = RHEO_ENOMEM);
    rheo_free(json);
    return st;
}

rheo_status tool_write_samples(const char *path, const void *x, uint32_t n, uint32_t columns, const tool_origin *o, rheo_error *err)
{
    const rheo_checkpoint_facts *f = o->facts;
    const size_t count = (size_t)n * f->h * f->w * f->c;
    const unsigned char *bytes = x;
    if (f->vectors) return write_vectors(path, x, n, f, err);
    if (!tool_ends_in(path, ".npy")) return tool_write_grid(path, x, n, columns, o, err);
    float *floats = malloc(count * sizeof *floats);
    if (!floats) return err->status = RHEO_ENOMEM;
    for (size_t k = 0; k < count; ++k) floats[k] = (float)bytes[k] / 255;
    const rheo_status st = rheo_npy_write(path, floats, n, f->h, f->w, f->c, err);
    free(floats);
    return st;
}
