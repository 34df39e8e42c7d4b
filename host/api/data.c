/* What a data set is, for people. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "data/picture.h"
#include "data/png.h"

enum { SHEET = 100, CLASSES = 256 };

static void keep(void *user, const char *message)
{
    cJSON_AddItemToArray(user, cJSON_CreateString(message));
}

static void add_range(cJSON *o, const rheo_dataset *data)
{
    const rheo_rows *rows = &data->split[RHEO_SPLIT_TRAIN];
    const rheo_standard *s = &data->standard;
    const size_t numbers = (size_t)data->h * data->w * data->c * rows->count;
    double least = 0, most = 0;
    for (size_t k = 0; k < (s->columns ? s->columns : numbers); k++) {
        const double low = s->columns ? s->column[k].least : rows->images ? rows->images[k] : (double)rows->vectors[k];
        const double high = s->columns ? s->column[k].most : low;
        if (!k || low < least) least = low;
        if (!k || high > most) most = high;
    }
    cJSON_AddItemToObject(o, "range", cJSON_CreateDoubleArray((const double[]){ least, most }, 2));
}

static rheo_status add_classes(cJSON *o, const rheo_dataset *data, rheo_error *err)
{
    uint32_t count[CLASSES] = { 0 };
    char number[16];
    rheo_listing names = { NULL, 0, 0 };
    if (!data->split[RHEO_SPLIT_TRAIN].labels) return RHEO_OK;
    const rheo_status st = rheo_dataset_classes(data, &names, err);
    cJSON *classes = cJSON_AddObjectToObject(o, "classes");
    for (int k = RHEO_SPLIT_TRAIN; k <= RHEO_SPLIT_VALID; k++)
        for (uint32_t i = 0; i < data->split[k].count; i++) count[data->split[k].labels[i]]++;
    for (uint32_t c = 0; c < CLASSES; c++) {
        if (!count[c] && c >= names.count) continue;
        snprintf(number, sizeof number, "%u", c);
        cJSON_AddNumberToObject(classes, c < names.count ? names.path[c] : number, count[c]);
    }
    rheo_listing_free(&names);
    return st;
}

static void add_columns(cJSON *o, const rheo_standard *s)
{
    if (!s->columns) return;
    cJSON *list = cJSON_AddArrayToObject(o, "columns");
    for (uint32_t k = 0; k < s->columns; k++) {
        const rheo_column *c = &s->column[k];
        cJSON *row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "name", c->name);
        cJSON_AddNumberToObject(row, "min", c->least);
        cJSON_AddNumberToObject(row, "max", c->most);
        cJSON_AddNumberToObject(row, "mean", c->mean);
        cJSON_AddNumberToObject(row, "deviation", c->deviation);
        cJSON_AddItemToArray(list, row);
    }
}

static void add_constant(cJSON *o, const rheo_dataset *data)
{
    uint8_t value = 0;
    uint32_t k = rheo_constant_channel(data, 0, &value);
    if (k == data->c) return;
    cJSON *list = cJSON_AddArrayToObject(o, "constant");
    for (; k < data->c; k = rheo_constant_channel(data, k + 1, &value)) cJSON_AddItemToArray(list, cJSON_CreateNumber(k));
}

static rheo_status describe(const rheo_dataset *data, const char *sheet, cJSON *o, rheo_error *err)
{
    const rheo_rows *train = &data->split[RHEO_SPLIT_TRAIN];
    const int dims[3] = { (int)data->h, (int)data->w, (int)data->c };
    cJSON_AddStringToObject(o, "format", data->format);
    cJSON_AddStringToObject(o, "kind", data->kind == RHEO_DATA_IMAGES ? "images" : "vectors");
    cJSON_AddItemToObject(o, "shape", cJSON_CreateIntArray(dims, 3));
    cJSON *splits = cJSON_AddObjectToObject(o, "splits");
    for (int k = 0; k < RHEO_SPLITS; k++) cJSON_AddNumberToObject(splits, rheo_split_name((rheo_split)k), data->split[k].count);
    const rheo_status st = add_classes(o, data, err);
    if (st) return st;
    add_range(o, data);
    add_columns(o, &data->standard);
    add_constant(o, data);
    if (!sheet) return RHEO_OK;
    if (!train->images) return rheo_fail(err, RHEO_EINVAL, "%s: found vectors, only images have a sheet", data->name);
    return rheo_grid_write(sheet, train->images, train->count < SHEET ? train->count : SHEET, data->h, data->w, data->c, 0, NULL, err);
}

rheo_status rheo_data_describe(const char *name, uint32_t size, const char *columns, const char *sheet, char **json, rheo_error *err)
{
    rheo_dataset *data = NULL;
    rheo_error why = RHEO_ERROR_INIT;
    cJSON *o = cJSON_CreateObject();
    rheo_status st = o && cJSON_AddStringToObject(o, "data", name) ? RHEO_OK : RHEO_ENOMEM;
    if (!st) st = rheo_dataset_read(name, &(rheo_reading){ .size = size, .columns = columns }, (1u << RHEO_SPLITS) - 1, &data, &why);
    if (!st) st = describe(data, sheet, o, err);
    else {
        cJSON *broken = cJSON_CreateArray();
        if (rheo_folder_exists(name)) (void)rheo_images_check(name, keep, broken, NULL);
        if (cJSON_GetArraySize(broken) && cJSON_AddItemToObject(o, "broken", broken)) st = RHEO_OK;
        else {
            cJSON_Delete(broken);
            rheo_fail(err, st, "%s", *why.text ? why.text : rheo_status_text(st));
        }
    }
    if (!st && !(*json = cJSON_Print(o))) st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
    rheo_dataset_close(data);
    cJSON_Delete(o);
    return st;
}
