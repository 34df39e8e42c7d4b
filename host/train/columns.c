#include "train/columns.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All digits: cJSON leaves out the last where it hardly matters, and a resumed run would see other floats. */
static bool add_number(cJSON *o, const char *name, double x)
{
    char text[32];
    snprintf(text, sizeof text, "%.17g", x);
    return cJSON_AddRawToObject(o, name, text) != NULL;
}

bool rheo_columns_to_json(const rheo_standard *s, cJSON *data)
{
    cJSON *list = cJSON_AddArrayToObject(data, "columns");
    for (uint32_t k = 0; list && k < s->columns; k++) {
        const rheo_column *c = &s->column[k];
        cJSON *o = cJSON_CreateObject();
        const bool ok = o && cJSON_AddStringToObject(o, "name", c->name) && add_number(o, "mean", c->mean) &&
                        add_number(o, "deviation", c->deviation);
        if (!ok || !cJSON_AddItemToArray(list, o)) {
            cJSON_Delete(o);
            return false;
        }
    }
    return list != NULL;
}

static rheo_status read_column(const cJSON *json, const char *where, uint32_t k, rheo_column *out, rheo_error *err)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "name"));
    const cJSON *mean = cJSON_GetObjectItemCaseSensitive(json, "mean"), *deviation = cJSON_GetObjectItemCaseSensitive(json, "deviation");
    if (!name || !*name || strlen(name) >= RHEO_COLUMN_NAME)
        return rheo_fail(err, RHEO_EFORMAT, "%s: config: data.columns[%u].name: expected 1 to %d bytes of text", where, k, RHEO_COLUMN_NAME - 1);
    if (!cJSON_IsNumber(mean) || !(fabs(mean->valuedouble) <= RHEO_STANDARD_MOST))
        return rheo_fail(err, RHEO_EFORMAT, "%s: config: data.columns[%u].mean: expected a number from -1e30 to 1e30", where, k);
    if (!cJSON_IsNumber(deviation) || !(deviation->valuedouble >= 1 / RHEO_STANDARD_MOST && deviation->valuedouble <= RHEO_STANDARD_MOST))
        return rheo_fail(err, RHEO_EFORMAT, "%s: config: data.columns[%u].deviation: expected a number from 1e-30 to 1e30", where, k);
    *out = (rheo_column){ .mean = mean->valuedouble, .deviation = deviation->valuedouble, .least = NAN, .most = NAN };
    strcpy(out->name, name);
    return RHEO_OK;
}

rheo_status rheo_columns_from_json(const cJSON *json, const char *where, uint32_t count, rheo_standard *out, rheo_error *err)
{
    const cJSON *item = NULL;
    rheo_standard s = { .columns = count };
    rheo_status st = RHEO_OK;
    uint32_t k = 0;
    if (!cJSON_IsArray(json) || cJSON_GetArraySize(json) != (int)count)
        return rheo_fail(err, RHEO_EFORMAT, "%s: config: data.columns: expected a list of %u", where, count);
    s.column = calloc(count, sizeof *s.column);
    if (!s.column) return rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", where);
    cJSON_ArrayForEach(item, json)
    {
        if (!st) st = read_column(item, where, k, &s.column[k], err);
        k++;
    }
    if (st) rheo_standard_free(&s);
    else *out = s;
    return st;
}
