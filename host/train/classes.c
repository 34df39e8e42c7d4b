#include "train/classes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

enum { LABELS = 256 };

bool rheo_classes_wanted(const rheo_recipe *r) { return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(r->config, "classes")); }

static rheo_status without_labels(const rheo_dataset *data, rheo_error *err)
{
    return rheo_fail(err, RHEO_EFORMAT, "%s: found no labels, expected the class of each %s%s", data->name,
                     data->kind == RHEO_DATA_IMAGES ? "image" : "vector",
                     data->kind == RHEO_DATA_IMAGES ? " (IDX labels, CIFAR-10, or a subfolder a class)" : "");
}

/* ---- for a new model ------------------------------------------------------------------------------------------- */

static int highest_label(const rheo_dataset *data)
{
    int highest = 0;
    for (int k = RHEO_SPLIT_TRAIN; k <= RHEO_SPLIT_VALID; k++)
        for (uint32_t i = 0; data->split[k].labels && i < data->split[k].count; i++)
            if (data->split[k].labels[i] > highest) highest = data->split[k].labels[i];
    return highest;
}

rheo_status rheo_classes_choose(rheo_recipe *r, const rheo_dataset *data, rheo_error *err)
{
    rheo_listing names = { .path = NULL };
    if (!rheo_classes_wanted(r)) return RHEO_OK;
    if (!data->split[RHEO_SPLIT_TRAIN].labels) return without_labels(data, err);
    const rheo_status st = rheo_dataset_classes(data, &names, err);
    if (st) {
        rheo_listing_free(&names);
        return st;
    }
    const int count = (int)names.count;
    const int classes = count ? count : highest_label(data) + 1;
    bool named = count > 0;
    for (int k = 0; k < count; k++) named = named && rheo_utf8_check(names.path[k], strlen(names.path[k])) == strlen(names.path[k]);  /* checkpoints are */
    cJSON *number = cJSON_CreateNumber(classes), *list = named ? cJSON_CreateStringArray((const char *const *)names.path, count) : NULL;
    const bool ok = number && (list || !named) && cJSON_ReplaceItemInObjectCaseSensitive(r->config, "classes", number);
    rheo_listing_free(&names);
    if (ok) {
        cJSON_Delete(r->class_names);
        r->class_names = list;
    } else {
        cJSON_Delete(number);
        cJSON_Delete(list);
        return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    }
    if (classes < 2) return rheo_fail(err, RHEO_EINVAL, "%s: all of one class, expected two classes at least", data->name);
    return RHEO_OK;
}

/* ---- data for a model ---------------------------------------------------------------------------------------------- */

const char *rheo_class_name(const rheo_recipe *r, int64_t k) { return cJSON_GetStringValue(cJSON_GetArrayItem(r->class_names, (int)k)); }

static int find_name(const rheo_recipe *r, const char *name)
{
    for (int k = 0; k < cJSON_GetArraySize(r->class_names); k++)
        if (!strcmp(rheo_class_name(r, k), name)) return k;
    return -1;
}

/* to[label]: the model's number of it, -1: it has none. */
static void make_map(const rheo_recipe *r, int64_t classes, char *const *names, int count, int to[LABELS])
{
    const bool by_name = r->class_names && count;
    for (int k = 0; k < LABELS; k++) to[k] = by_name ? (k < count ? find_name(r, names[k]) : -1) : k < classes ? k : -1;
}

static rheo_status map_labels(const rheo_dataset *data, rheo_split split, const int to[LABELS], char *const *names, int count,
                              int64_t classes, uint8_t *out, rheo_error *err)
{
    const rheo_rows *rows = &data->split[split];
    for (uint32_t i = 0; i < rows->count; i++) {
        const int label = rows->labels[i];
        if (to[label] < 0)
            return rheo_fail(err, RHEO_EFORMAT, "%s: row %u of %s: found class %d%s%.100s, expected one of the model's %lld", data->name, i,
                             rheo_split_name(split), label, label < count ? ", " : "", label < count ? names[label] : "", (long long)classes);
        out[i] = (uint8_t)to[label];
    }
    return RHEO_OK;
}

rheo_status rheo_classes_match(const rheo_recipe *r, int64_t classes, const rheo_dataset *data, rheo_split split, uint8_t **labels,
                               rheo_error *err)
{
    const rheo_rows *rows = &data->split[split];
    rheo_listing names = { .path = NULL };
    int to[LABELS];
    *labels = NULL;
    if (!classes || !rows->count) return RHEO_OK;
    if (!rows->labels) return without_labels(data, err);
    uint8_t *out = malloc(rows->count);
    rheo_status st = out ? rheo_dataset_classes(data, &names, err) : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    make_map(r, classes, names.path, (int)names.count, to);
    if (!st) st = map_labels(data, split, to, names.path, (int)names.count, classes, out, err);
    if (!st && memcmp(out, rows->labels, rows->count)) *labels = out;
    else free(out);
    rheo_listing_free(&names);
    return st;
}

rheo_status rheo_classes_check(const rheo_recipe *r, int64_t classes, const rheo_dataset *data, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    for (int k = RHEO_SPLIT_TRAIN; k <= RHEO_SPLIT_VALID && !st; k++) {
        uint8_t *labels = NULL;
        st = rheo_classes_match(r, classes, data, (rheo_split)k, &labels, err);
        if (labels) st = rheo_fail(err, RHEO_EFORMAT, "%s: its classes have other numbers than when this run began", data->name);
        free(labels);
    }
    return st;
}

rheo_status rheo_class_find(const rheo_recipe *r, int64_t classes, const char *text, uint32_t *out, rheo_error *err)
{
    char list[300] = "", *end = NULL;
    const long number = strtol(text, &end, 10);
    const int named = find_name(r, text);
    if (named >= 0 || (end > text && !*end && number >= 0 && number < classes)) {
        *out = (uint32_t)(named >= 0 ? named : number);
        return RHEO_OK;
    }
    if (!classes) return rheo_fail(err, RHEO_EINVAL, "class: found '%.40s', but the model is not conditional on classes", text);
    for (int k = 0; k < cJSON_GetArraySize(r->class_names) && strlen(list) < 200; k++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%.60s", k ? ", " : ": ", rheo_class_name(r, k));
    return rheo_fail(err, RHEO_EINVAL, "class: found '%.40s', expected 0 to %lld%s%s", text, (long long)classes - 1,
                     *list ? " or a name" : "", list);
}
