/* A flow's whitened latents: encoding, decoding, and what is done with codes (flows 2.5). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/checkpoint.h"
#include "data/npy.h"
#include "train/feed.h"

static rheo_status need_latents(const rheo_checkpoint *c, const char *call, uint32_t n, rheo_error *err)
{
    if (!c->in.model->type->encode)
        return rheo_fail(err, RHEO_EINVAL, "%s: found a model of kind %s, expected a flow (glow), which has latents", c->path,
                         c->recipe.model);
    return n ? RHEO_OK : rheo_fail(err, RHEO_EINVAL, "%s: nothing asked for", call);
}

rheo_status rheo_encode(rheo_checkpoint *c, const void *x, uint32_t n, uint64_t seed, float *codes, rheo_error *err)
{
    rheo_rows rows;
    float *own = NULL;
    rheo_status st = need_latents(c, "encode", n, err);
    if (!st) st = rheo_rows_of(c, x, n, &rows, &own, err);
    if (!st && !c->encoder.plan) st = rheo_encoder_create(&c->in, c->in.theta, RHEO_EVALUATION_BATCH, &c->encoder, err);
    rheo_watch_begin(&c->watch);
    if (!st) st = rheo_encoder_encode(&c->encoder, &rows, seed, codes, &c->watch, err);
    free(own);
    return st;
}

rheo_status rheo_decode(rheo_checkpoint *c, const float *codes, uint32_t n, void *out, rheo_error *err)
{
    rheo_status st = need_latents(c, "decode", n, err);
    if (!st && !c->decoder.plan)
        st = rheo_drawer_create_given(&c->in, c->in.theta, c->recipe.config, RHEO_EVALUATION_BATCH, &c->decoder, err);
    rheo_watch_begin(&c->watch);
    if (!st) st = rheo_drawer_decode(&c->decoder, n, NULL, codes, out, &c->watch, err);
    if (!st) rheo_in_units(c, n, out);
    return st;
}

void rheo_codes_between(const float *from, const float *to, uint32_t dims, uint32_t count, float *out)
{
    for (uint32_t k = 0; k < count; k++) {
        const float a = count > 1 ? (float)k / (float)(count - 1) : 0;
        for (uint32_t i = 0; i < dims; i++) out[(size_t)k * dims + i] = (1 - a) * from[i] + a * to[i];
    }
}

rheo_status rheo_codes_direction(const float *codes, uint32_t n, uint32_t dims, const unsigned char *has, float *out, rheo_error *err)
{
    uint32_t have = 0;
    for (uint32_t k = 0; k < n; k++) have += has[k] != 0;
    if (!have || have == n)
        return rheo_fail(err, RHEO_EINVAL, "direction: %u of %u have the attribute, expected some that have it and some that have not", have, n);
    double *sum = calloc(dims, sizeof *sum);
    if (!sum) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    for (size_t k = 0; k < n; k++)
        for (uint32_t i = 0; i < dims; i++) sum[i] += (double)codes[k * dims + i] / (has[k] ? (double)have : -(double)(n - have));
    for (uint32_t i = 0; i < dims; i++) out[i] = (float)(1.6 * sum[i]);
    free(sum);
    return RHEO_OK;
}

void rheo_codes_edit(const float *code, const float *direction, uint32_t dims, uint32_t count, const double *strength, float *out)
{
    for (uint32_t k = 0; k < count; k++)
        for (uint32_t i = 0; i < dims; i++) out[(size_t)k * dims + i] = (float)(code[i] + strength[k] * direction[i]);
}

/* ---- data and files ---------------------------------------------------------------------------------------------- */

/* The rows taken out of the split: a copy each. */
static rheo_status take(const rheo_dataset *data, const rheo_rows *rows, uint32_t first, uint32_t n, rheo_data *out, rheo_error *err)
{
    const size_t row = (size_t)data->h * data->w * data->c * (rows->images ? 1 : sizeof(float));
    const char *from = rows->images ? (const char *)rows->images : (const char *)rows->vectors;
    out->x = malloc(n * row);
    out->labels = rows->labels ? malloc(n) : NULL;
    if (!out->x || (rows->labels && !out->labels)) return rheo_fail(err, RHEO_ENOMEM, "%s: no memory for %u rows", data->name, n);
    memcpy(out->x, from + first * row, n * row);
    if (rows->labels) memcpy(out->labels, rows->labels + first, n);
    out->n = n;
    return RHEO_OK;
}

rheo_status rheo_checkpoint_data(const rheo_checkpoint *c, const char *name, const char *split, uint32_t first, uint32_t limit, rheo_data *out,
                                 rheo_error *err)
{
    rheo_dataset *data = NULL;
    rheo_data taken = { .x = NULL };
    rheo_split k = RHEO_SPLIT_TEST;
    rheo_status st = rheo_split_find(split, &k, err);
    const rheo_reading how = rheo_recipe_reading(&c->recipe, name);
    if (!st) st = rheo_dataset_read(name ? name : c->recipe.data, &how, 1u << k, &data, err);
    if (!st) st = rheo_check_data(data, c->recipe.shape, err);
    const uint32_t held = st ? 0 : data->split[k].count;
    if (!st && first >= held)
        st = rheo_fail(err, RHEO_EINVAL, "%s: row %u, expected below %u, as many as %s has", data->name, first, held, split);
    if (!st) st = take(data, &data->split[k], first, limit && limit < held - first ? limit : held - first, &taken, err);
    if (!st) rheo_in_units(c, taken.n, taken.x);
    if (st) rheo_data_free(&taken);
    else *out = taken;
    rheo_dataset_close(data);
    return st;
}

static rheo_status fail_class(const char *data, const char *class_name, const rheo_listing *names, rheo_error *err)
{
    char list[240] = "";
    size_t used = 0;
    for (uint32_t k = 0; k < names->count && used < sizeof list; k++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", k ? ", " : "", names->path[k]);
    return rheo_fail(err, RHEO_EINVAL, "class: found '%.40s', expected %s%s%s", class_name, *list ? "one of " : "a number from 0 to 255, since ",
                     *list ? list : data, *list ? "" : " has no names of classes");
}

rheo_status rheo_checkpoint_class(const rheo_checkpoint *c, const char *data, const char *class_name, uint32_t *number, rheo_error *err)
{
    const char *name = data ? data : c->recipe.data;
    rheo_dataset *d = NULL;
    rheo_listing names = { NULL, 0, 0 };
    uint32_t k = 0;
    char *end = NULL;
    rheo_status st = rheo_dataset_begin(name, rheo_recipe_reading(&c->recipe, data).size, 0, &d, err);
    if (!st) st = rheo_dataset_classes(d, &names, err);
    while (k < names.count && strcmp(names.path[k], class_name)) k++;
    if (!st && k == names.count) {
        const unsigned long given = strtoul(class_name, &end, 10);
        if (*class_name >= '0' && *class_name <= '9' && !*end && given < (names.count ? names.count : 256)) k = (uint32_t)given;
        else st = fail_class(name, class_name, &names, err);
    }
    if (!st) *number = k;
    rheo_listing_free(&names);
    rheo_dataset_close(d);
    return st;
}

void rheo_data_free(rheo_data *data)
{
    free(data->x);
    free(data->labels);
    *data = (rheo_data){ .x = NULL };
}

rheo_status rheo_codes_write(const char *path, const float *codes, uint32_t n, uint32_t dims, rheo_error *err)
{
    return rheo_npy_save(path, 2, (const uint64_t[]){ n, dims }, codes, err);
}

rheo_status rheo_codes_read(const char *path, uint32_t dims, float **codes, uint32_t *n, rheo_error *err)
{
    rheo_npy npy = { .data = NULL };
    rheo_status st = rheo_npy_load(path, &npy, err);
    const bool bytes = npy.type == RHEO_NPY_BYTES;
    if (st) return st;
    if (npy.rank != 2 || bytes || npy.dim[1] != dims || npy.dim[0] > UINT32_MAX)
        st = rheo_fail(err, RHEO_EFORMAT, "%s: found %d dimensions of %s, the second %llu; expected floats [n, %u], codes of the model", path,
                       npy.rank, bytes ? "bytes" : "floats", (unsigned long long)npy.dim[1], dims);
    float *x = st ? NULL : malloc((size_t)npy.count * sizeof *x);
    if (!st && !x) st = rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
    for (uint64_t i = 0; !st && i < npy.count; i++) {
        x[i] = (float)rheo_npy_at(&npy, i);
        if (!(x[i] >= -1e30f && x[i] <= 1e30f)) st = rheo_fail(err, RHEO_EFORMAT, "%s: element %llu is not finite", path, (unsigned long long)i);
    }
    free(npy.data);
    if (st) {
        free(x);
        return st;
    }
    *codes = x;
    *n = (uint32_t)npy.dim[0];
    return RHEO_OK;
}
