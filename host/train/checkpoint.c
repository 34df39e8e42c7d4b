#include "train/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/safetensors.h"

#define FORMAT "checkpoint 1"

static const char *const prefix[RHEO_FLATS] = { "", "ema.", "adam.m.", "adam.v." };

/* ---- orders and shapes ---------------------------------------------------------------------------- */

/* The file's shape: OIHW for convolutions, else ours without ones. */
static int file_shape(const rheo_param *p, uint64_t out[RHEO_TENSOR_RANK])
{
    const rheo_shape s = p->shape;
    const uint64_t ours[4] = { (uint64_t)s.n, (uint64_t)s.h, (uint64_t)s.w, (uint64_t)s.c };
    if (p->convolution) {
        out[0] = ours[3], out[1] = ours[2], out[2] = ours[0], out[3] = ours[1];
        return 4;
    }
    int rank = 0;
    for (int k = 0; k < 4; k++)
        if (ours[k] > 1 || (k == 3 && !rank)) out[rank++] = ours[k];
    return rank;
}

/* [kh kw, I, O] to [O, I, kh kw], or back. */
static void reorder(rheo_shape s, bool to_file, const float *from, float *to)
{
    const int64_t k = s.n * s.h, in = s.w, out = s.c;
    for (int64_t r = 0; r < k; r++)
        for (int64_t i = 0; i < in; i++)
            for (int64_t o = 0; o < out; o++) {
                const int64_t ours = (r * in + i) * out + o, file = (o * in + i) * k + r;
                to[to_file ? file : ours] = from[to_file ? ours : file];
            }
}

/* ---- writing ---------------------------------------------------------------------------------------- */

typedef struct place { const rheo_param *param; const float *from; } place;

static rheo_status put_tensor(void *user, size_t k, void *to, rheo_error *err)
{
    const place *it = &((const place *)user)[k];
    (void)err;
    if (it->param->convolution) reorder(it->param->shape, true, it->from, to);
    else memcpy(to, it->from, (size_t)rheo_count(it->param->shape) * sizeof(float));
    return RHEO_OK;
}

static cJSON *progress_json(const rheo_snapshot *s)
{
    cJSON *json = cJSON_CreateObject();
    bool ok = json && cJSON_AddNumberToObject(json, "step", (double)s->step);
    ok = ok && cJSON_AddNumberToObject(json, "applied", (double)s->applied);
    ok = ok && cJSON_AddNumberToObject(json, "skipped", (double)s->skipped);
    ok = ok && cJSON_AddNumberToObject(json, "skipped_in_a_row", (double)s->skipped_row);
    ok = ok && cJSON_AddNumberToObject(json, "rate", s->rate);
    ok = ok && cJSON_AddNumberToObject(json, "seconds", s->seconds);
    if (!isnan(s->best)) {
        ok = ok && cJSON_AddNumberToObject(json, "best", s->best);
        ok = ok && cJSON_AddNumberToObject(json, "best_step", (double)s->best_step);
    }
    if (ok) return json;
    cJSON_Delete(json);
    return NULL;
}

static char *print_and_delete(cJSON *json)
{
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;
    cJSON_Delete(json);
    return text;
}

static bool list_tensors(const rheo_params *params, const rheo_snapshot *s, rheo_tensor *tensors, place *items, size_t *n)
{
    for (int f = 0; f < RHEO_FLATS; f++)
        for (int k = 0; k < rheo_params_count(params); k++) {
            const rheo_param *p = rheo_params_at(params, k);
            if (p->trained ? !s->flat[f] : f != 0) continue;
            rheo_tensor *t = &tensors[*n];
            char *name = malloc(strlen(prefix[f]) + strlen(p->name) + 1);
            if (!name) return false;
            *t = (rheo_tensor){ .name = strcat(strcpy(name, prefix[f]), p->name), .dtype = RHEO_DTYPE_F32 };
            t->rank = file_shape(p, t->shape);
            items[(*n)++] = (place){ p, (p->trained ? s->flat[f] : s->fixed) + p->offset };
        }
    return true;
}

rheo_status rheo_checkpoint_write(const char *path, const rheo_recipe *recipe, const rheo_params *params, const rheo_snapshot *s,
                                  rheo_error *err)
{
    const size_t most = (size_t)rheo_params_count(params) * RHEO_FLATS + 1;
    rheo_status st = RHEO_ENOMEM;
    size_t n = 0;
    rheo_tensor *tensors = calloc(most, sizeof *tensors);
    place *items = calloc(most, sizeof *items);
    char *config = print_and_delete(rheo_recipe_to_json(recipe)), *progress = print_and_delete(progress_json(s));
    if (tensors && items && config && progress && list_tensors(params, s, tensors, items, &n)) {
        const rheo_note notes[] = { { "rheo", FORMAT }, { "version", rheo_version() }, { "config", config }, { "progress", progress } };
        st = rheo_safetensors_write(path, tensors, n, notes, sizeof notes / sizeof *notes, put_tensor, items, err);
    }
    for (size_t k = 0; k < n; k++) free((char *)tensors[k].name);
    free(tensors);
    free(items);
    cJSON_free(config);
    cJSON_free(progress);
    return st == RHEO_ENOMEM ? rheo_fail(err, st, "%s: out of memory", path) : st;
}

/* ---- reading ---------------------------------------------------------------------------------------- */

static rheo_status parse_notes(const rheo_safetensors *file, const char *path, cJSON **config, cJSON **progress, rheo_error *err)
{
    const char *format = rheo_safetensors_note(file, "rheo");
    if (!format) return rheo_fail(err, RHEO_EFORMAT, "%s: a safetensors file, but not a checkpoint of rheo (no note 'rheo')", path);
    if (strcmp(format, FORMAT)) return rheo_fail(err, RHEO_EFORMAT, "%s: found format '%.40s', expected '%s'", path, format, FORMAT);
    const char *config_text = rheo_safetensors_note(file, "config"), *progress_text = rheo_safetensors_note(file, "progress");
    *config = config_text ? cJSON_Parse(config_text) : NULL;
    *progress = progress_text ? cJSON_Parse(progress_text) : NULL;
    if (cJSON_IsObject(*config) && cJSON_IsObject(*progress)) return RHEO_OK;
    cJSON_Delete(*config);
    cJSON_Delete(*progress);
    *config = *progress = NULL;
    return rheo_fail(err, RHEO_EFORMAT, "%s: notes 'config' and 'progress': expected JSON objects", path);
}

static rheo_status read_count(const cJSON *progress, const char *name, const char *path, uint64_t *out, rheo_error *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(progress, name);
    const double value = cJSON_IsNumber(item) ? item->valuedouble : -1;
    if (!(value >= 0 && value < 4294967295.0) || value != floor(value))
        return rheo_fail(err, RHEO_EFORMAT, "%s: progress: %s: expected a count below 2^32 - 1", path, name);
    *out = (uint64_t)value;
    return RHEO_OK;
}

static rheo_status read_progress(const cJSON *json, const char *path, rheo_snapshot *s, rheo_error *err)
{
    const cJSON *best = cJSON_GetObjectItemCaseSensitive(json, "best"), *rate = cJSON_GetObjectItemCaseSensitive(json, "rate"),
                *seconds = cJSON_GetObjectItemCaseSensitive(json, "seconds");
    rheo_status st = read_count(json, "step", path, &s->step, err);
    if (!st) st = read_count(json, "applied", path, &s->applied, err);
    if (!st) st = read_count(json, "skipped", path, &s->skipped, err);
    if (!st) st = read_count(json, "skipped_in_a_row", path, &s->skipped_row, err);
    if (!st && best) st = read_count(json, "best_step", path, &s->best_step, err);
    if (st) return st;
    if (!cJSON_IsNumber(rate) || !(rate->valuedouble > 0 && rate->valuedouble <= 1e3))
        return rheo_fail(err, RHEO_EFORMAT, "%s: progress: rate: expected a number above 0, at most 1000", path);
    if (!cJSON_IsNumber(seconds) || !(seconds->valuedouble >= 0 && seconds->valuedouble < 1e12))
        return rheo_fail(err, RHEO_EFORMAT, "%s: progress: seconds: expected a number from 0 to 1e12", path);
    s->rate = rate->valuedouble;
    s->seconds = seconds->valuedouble;
    s->best = cJSON_IsNumber(best) ? best->valuedouble : NAN;
    return RHEO_OK;
}

/* Whether the file has the tensor, in its shape: everything is looked for before memory is taken. */
static rheo_status check_tensor(const rheo_safetensors *file, const char *path, const char *name, const rheo_param *p, rheo_error *err)
{
    uint64_t shape[RHEO_TENSOR_RANK];
    const int rank = file_shape(p, shape);
    const rheo_tensor *t = rheo_safetensors_find(file, name);
    if (!t) return rheo_fail(err, RHEO_EFORMAT, "%s: no tensor '%s'", path, name);
    if (t->dtype == RHEO_DTYPE_F32 && t->rank == rank && !memcmp(t->shape, shape, (size_t)rank * sizeof *shape)) return RHEO_OK;
    return rheo_fail(err, RHEO_EFORMAT, "%s: tensor '%s' of %llu bytes, expected %lld float32 in %d dimensions by its config", path, name,
                     (unsigned long long)t->bytes, (long long)rheo_count(p->shape), rank);
}

static rheo_status read_tensor(rheo_safetensors *file, const char *name, const rheo_param *p, float *to, rheo_error *err)
{
    uint64_t shape[RHEO_TENSOR_RANK];
    const int rank = file_shape(p, shape);
    if (!p->convolution) return rheo_safetensors_read(file, name, RHEO_DTYPE_F32, rank, shape, to, err);
    float *turned = malloc((size_t)rheo_count(p->shape) * sizeof *turned);
    if (!turned) return rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", name);
    const rheo_status st = rheo_safetensors_read(file, name, RHEO_DTYPE_F32, rank, shape, turned, err);
    if (!st) reorder(p->shape, false, turned, to);
    free(turned);
    return st;
}

/* All tensors of the wanted arrays: checked where s is NULL, else read into it. */
static rheo_status walk(rheo_safetensors *file, const char *path, const rheo_params *params, unsigned flats, rheo_snapshot *s,
                        rheo_error *err)
{
    rheo_status st = RHEO_OK;
    char name[320];
    for (int f = 0; f < RHEO_FLATS && !st; f++)
        for (int k = 0; k < rheo_params_count(params) && !st; k++) {
            const rheo_param *p = rheo_params_at(params, k);
            if (p->trained ? !(flats >> f & 1) : f != 0) continue;
            snprintf(name, sizeof name, "%s%s", prefix[f], p->name);
            st = s ? read_tensor(file, name, p, (p->trained ? s->flat[f] : s->fixed) + p->offset, err)
                   : check_tensor(file, path, name, p, err);
        }
    return st;
}

rheo_status rheo_checkpoint_read(const char *path, unsigned flats, rheo_recipe *recipe, rheo_model **model, rheo_snapshot *s,
                                 rheo_error *err)
{
    rheo_safetensors *file = NULL;
    cJSON *config = NULL, *progress = NULL;
    rheo_recipe r = { .config = NULL };
    rheo_model *m = NULL;
    rheo_snapshot shot = { .best = NAN };
    rheo_error inner = RHEO_ERROR_INIT;
    rheo_status st = rheo_safetensors_open(path, &file, err);
    if (!st) st = parse_notes(file, path, &config, &progress, err);
    if (!st) st = rheo_recipe_from_json(config, path, &r, err);
    if (!st && rheo_recipe_model(&r, &m, &inner)) st = rheo_fail(err, RHEO_EFORMAT, "%s: config: %s", path, inner.text);
    if (!st) st = walk(file, path, m->params, flats, NULL, err);
    if (!st) st = rheo_snapshot_create(m->params, flats, &shot, err);
    if (!st) st = read_progress(progress, path, &shot, err);
    if (!st) st = walk(file, path, m->params, flats, &shot, err);
    cJSON_Delete(config);
    cJSON_Delete(progress);
    rheo_safetensors_close(file);
    if (st) {
        rheo_recipe_free(&r);
        rheo_model_destroy(m);
        rheo_snapshot_free(&shot);
        return st;
    }
    *recipe = r;
    *model = m;
    *s = shot;
    return RHEO_OK;
}

rheo_status rheo_checkpoint_notes(const char *path, cJSON **config, cJSON **progress, size_t *tensors, rheo_error *err)
{
    const rheo_tensor *list = NULL;
    rheo_safetensors *file = NULL;
    rheo_status st = rheo_safetensors_open(path, &file, err);
    if (!st) st = parse_notes(file, path, config, progress, err);
    if (!st && tensors) *tensors = rheo_safetensors_tensors(file, &list);
    rheo_safetensors_close(file);
    return st;
}
