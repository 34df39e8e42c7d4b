/* Calls about files, and what every caller needs. */
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"
#include "data/png.h"
#include "train/checkpoint.h"
#include "train/run.h"

const char *rheo_version(void) { return RHEO_VERSION; }

void rheo_free(void *memory) { free(memory); }

void rheo_to_bytes(const float *x, size_t count, uint8_t *out) { rheo_quantise(x, count, out); }

rheo_status rheo_image_read(const char *path, uint8_t **image, uint32_t *h, uint32_t *w, uint32_t *c, rheo_error *err)
{
    return rheo_png_read(path, image, h, w, c, err);
}

rheo_status rheo_image_of_data(const char *name, uint32_t size, const char *split, uint32_t index, uint8_t **image, uint32_t *h, uint32_t *w,
                               uint32_t *c, rheo_error *err)
{
    rheo_dataset *data = NULL;
    rheo_split k = RHEO_SPLIT_TEST;
    rheo_status st = rheo_split_find(split, &k, err);
    if (!st) st = rheo_dataset_open(name, size, 1u << k, &data, err);
    if (st) return st;
    const size_t bytes = (size_t)data->h * data->w * data->c;
    const rheo_rows *rows = &data->split[k];
    if (data->kind != RHEO_DATA_IMAGES) st = rheo_fail(err, RHEO_EINVAL, "%s: found vectors, expected images", name);
    if (!st && index >= rows->count)
        st = rheo_fail(err, RHEO_EINVAL, "%s: index %u, expected below %u, the images of %s", name, index, rows->count, split);
    uint8_t *out = st ? NULL : malloc(bytes);
    if (!st && !out) st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st) {
        memcpy(out, rows->images + index * bytes, bytes);
        *image = out, *h = data->h, *w = data->w, *c = data->c;
    }
    rheo_dataset_close(data);
    return st;
}

/* Trained parameters of the recipe's model. */
static rheo_status count_parameters(const cJSON *config, const char *path, double *out, rheo_error *err)
{
    rheo_recipe recipe = { .config = NULL };
    rheo_model *model = NULL;
    rheo_status st = rheo_recipe_from_json(config, path, &recipe, err);
    if (!st) st = rheo_recipe_model(&recipe, &model, err);
    if (!st) *out = (double)rheo_params_numbers(model->params);
    rheo_model_destroy(model);
    rheo_recipe_free(&recipe);
    return st;
}

static rheo_status describe_picture(const char *path, char **json, rheo_error *err)
{
    cJSON *o = cJSON_CreateObject();
    rheo_status st = o && cJSON_AddStringToObject(o, "file", path) ? rheo_png_describe(path, o, err) : RHEO_ENOMEM;
    *json = st ? NULL : cJSON_Print(o);
    if (!*json && (!st || st == RHEO_ENOMEM)) st = rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
    cJSON_Delete(o);
    return st;
}

rheo_status rheo_describe(const char *path, char **json, rheo_error *err)
{
    if (rheo_png_is(path)) return describe_picture(path, json, err);
    cJSON *config = NULL, *progress = NULL;
    char *file = NULL;
    size_t tensors = 0;
    double parameters = 0;
    rheo_status st = rheo_run_checkpoint(path, true, &file, err);
    if (!st) st = rheo_checkpoint_notes(file, &config, &progress, &tensors, err);
    if (!st) st = count_parameters(config, file, &parameters, err);
    if (!st) {
        const bool ok = cJSON_AddStringToObject(config, "file", file) && cJSON_AddNumberToObject(config, "parameters", parameters) &&
                        cJSON_AddNumberToObject(config, "tensors", (double)tensors);
        if (cJSON_AddItemToObject(config, "progress", progress)) progress = NULL;
        *json = ok && !progress ? cJSON_Print(config) : NULL;
        if (!*json) st = rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
    }
    cJSON_Delete(config);
    cJSON_Delete(progress);
    free(file);
    return st;
}
