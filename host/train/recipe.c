#include "train/recipe.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "op/product.h"
#include "train/columns.h"

static const char *const winograd_names[] = { "f23", "f43", NULL };
static const char *const memory_names[RHEO_MEMORIES + 1] = { "auto", "store", "invert", NULL };
static const char *const schedule_names[RHEO_SCHEDULES + 1] = { "constant", "linear", NULL };
static const char *const optimizer_names[] = { "adam", "adamax", "adamw", NULL };
enum { OPTIMIZERS = sizeof optimizer_names / sizeof *optimizer_names - 1 };

static int find_name(const char *name, const char *const *names, int n)
{
    for (int k = 0; k < n; k++)
        if (!strcmp(name, names[k])) return k;
    return -1;
}

static rheo_status copy_text(char *to, size_t bytes, const char *from, const char *what, rheo_error *err)
{
    if (!from || !*from) return rheo_fail(err, RHEO_EINVAL, "%s: nothing given", what);
    if (strlen(from) >= bytes)
        return rheo_fail(err, RHEO_EINVAL, "%s: found %zu characters, expected fewer than %zu", what, strlen(from), bytes);
    strcpy(to, from);
    return RHEO_OK;
}

static rheo_status check_range(const char *what, double value, double least, double most, rheo_error *err)
{
    if (value >= least && value <= most) return RHEO_OK;
    return rheo_fail(err, RHEO_EINVAL, "%s: found %g, expected %g to %g", what, value, least, most);
}

/* The same of a number that may be left to the model. */
static rheo_status check_open(const char *what, double value, double least, double most, rheo_error *err)
{
    return isnan(value) ? RHEO_OK : check_range(what, value, least, most, err);
}

/* The bounds every recipe keeps, wherever it comes from. */
static rheo_status check(const rheo_recipe *r, rheo_error *err)
{
    rheo_status st = check_range("batch", (double)r->batch, 0, 65536, err);
    if (!st) st = check_range("accumulate", (double)r->accumulate, 1, 65536, err);
    if (!st) st = check_open("lr", r->lr, 1e-12, 1e3, err);
    if (!st) st = check_open("warmup", r->warmup, 0, 1e9, err);
    if (!st) st = check_open("ema", r->ema, 0, 1, err);
    if (!st) st = check_open("clip", r->clip, 0, 1e30, err);
    if (!st) st = check_range("beta1", r->optimizer.beta1, 0, 1, err);
    if (!st) st = check_range("beta2", r->optimizer.beta2, 0, 1, err);
    if (!st) st = check_range("epsilon", r->optimizer.epsilon, 0, 1, err);
    if (!st) st = check_range("weight_decay", r->optimizer.weight_decay, 0, 1, err);
    if (!st) st = check_range("iters", (double)r->iterations, 0, 4e9, err);
    if (!st) st = check_range("size", r->size, 0, 8192, err);
    if (!st) st = check_range("shift", r->shift, 0, 8192, err);
    if (!st) st = check_range("minutes", r->minutes, 0, 1e7, err);
    return st;
}

/* ---- from the caller ------------------------------------------------------------------------------- */

static rheo_status take_config(const char *text, rheo_recipe *r, rheo_error *err)
{
    r->config = text && *text ? cJSON_Parse(text) : cJSON_CreateObject();
    if (cJSON_IsObject(r->config)) return RHEO_OK;
    return rheo_fail(err, RHEO_EINVAL, "%s: its options are not a JSON object: %.80s", r->model, text ? text : "");
}

rheo_status rheo_recipe_from_options(const rheo_train_options *o, rheo_recipe *out, rheo_error *err)
{
    rheo_recipe r = {
        .seed = o->seed, .batch = o->batch, .accumulate = o->accumulate, .lr = o->lr, .warmup = o->warmup, .ema = o->ema,
        .clip = o->clip, .size = o->size, .flip = o->flip != 0, .shift = o->shift, .iterations = o->iterations, .minutes = o->minutes,
    };
    int kind = 0, memory = 0, schedule = RHEO_SCHEDULES, winograd = 0;
    rheo_status st = copy_text(r.model, sizeof r.model, o->model, "model", err);
    if (!st) st = copy_text(r.data, sizeof r.data, o->data, "data", err);
    if (!st && o->device && *o->device) st = copy_text(r.device, sizeof r.device, o->device, "device", err);
    if (!st) st = rheo_choose("optimizer", o->optimizer, optimizer_names, &kind, err);
    if (!st) st = rheo_choose("memory", o->memory, memory_names, &memory, err);
    if (!st && o->winograd) st = rheo_choose("winograd", o->winograd, winograd_names, &winograd, err);
    if (!st && winograd && !rheo_product_prefer_f43(&r.variants)) st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st && o->schedule) st = rheo_choose("schedule", o->schedule, schedule_names, &schedule, err);
    r.memory = (rheo_memory)memory;
    r.schedule = (rheo_schedule)schedule;
    r.optimizer = (rheo_adam_attr){ kind, 0.9, 0.999, 1e-8, kind == 2 ? 0.01 : 0 };
    if (!st && o->iterations && o->minutes > 0) st = rheo_fail(err, RHEO_EINVAL, "iters and minutes: only one of them can end a run");
    if (!st && !o->iterations && o->minutes <= 0) st = rheo_fail(err, RHEO_EINVAL, "neither iters nor minutes: when should training end?");
    if (!st) st = check(&r, err);
    if (!st) st = take_config(o->model_config, &r, err);
    if (st) rheo_recipe_free(&r);
    else *out = r;
    return st;
}

rheo_reading rheo_recipe_reading(const rheo_recipe *r, const char *other)
{
    const bool fits = other && r->shape.bytes && r->shape.h == r->shape.w;
    return (rheo_reading){ .size = fits ? (uint32_t)r->shape.h : r->size, .standard = &r->standard };
}

void rheo_recipe_free(rheo_recipe *r)
{
    cJSON_Delete(r->config);
    cJSON_Delete(r->class_names);
    r->config = r->class_names = NULL;
    rheo_standard_free(&r->standard);
    rheo_choices_free(&r->variants);
}

/* ---- JSON --------------------------------------------------------------------------------------------- */

cJSON *rheo_recipe_to_json(const rheo_recipe *r)
{
    char seed[24];
    cJSON *json = cJSON_CreateObject();
    cJSON *config = cJSON_Duplicate(r->config, 1);
    snprintf(seed, sizeof seed, "%" PRIu64, r->seed);
    const int dims[3] = { (int)r->shape.h, (int)r->shape.w, (int)r->shape.c };
    bool ok = json && config && cJSON_AddStringToObject(json, "model", r->model);
    ok = ok && cJSON_AddItemToObject(json, "options", config);
    if (!ok) cJSON_Delete(config);
    cJSON *data = cJSON_AddObjectToObject(json, "data");
    ok = ok && cJSON_AddStringToObject(data, "name", r->data);
    if (r->size) ok = ok && cJSON_AddNumberToObject(data, "size", r->size);
    if (r->flip) ok = ok && cJSON_AddTrueToObject(data, "flip");
    if (r->shift) ok = ok && cJSON_AddNumberToObject(data, "shift", r->shift);
    ok = ok && cJSON_AddStringToObject(data, "kind", r->shape.bytes ? "images" : "vectors");
    ok = ok && cJSON_AddItemToObject(data, "shape", cJSON_CreateIntArray(dims, 3));
    ok = ok && cJSON_AddNumberToObject(data, "fingerprint", r->fingerprint);
    cJSON *names = r->class_names ? cJSON_Duplicate(r->class_names, 1) : NULL;
    if (r->class_names && !cJSON_AddItemToObject(data, "classes", names)) ok = false;
    if (r->standard.columns) ok = ok && rheo_columns_to_json(&r->standard, data);
    cJSON *t = cJSON_AddObjectToObject(json, "training");
    ok = ok && cJSON_AddStringToObject(t, "seed", seed);        /* 64 bits do not fit a JSON number */
    ok = ok && cJSON_AddNumberToObject(t, "batch", (double)r->batch);
    ok = ok && cJSON_AddNumberToObject(t, "accumulate", (double)r->accumulate);
    ok = ok && cJSON_AddStringToObject(t, "optimizer", optimizer_names[r->optimizer.kind]);
    ok = ok && cJSON_AddNumberToObject(t, "beta1", r->optimizer.beta1);
    ok = ok && cJSON_AddNumberToObject(t, "beta2", r->optimizer.beta2);
    ok = ok && cJSON_AddNumberToObject(t, "epsilon", r->optimizer.epsilon);
    ok = ok && cJSON_AddNumberToObject(t, "weight_decay", r->optimizer.weight_decay);
    ok = ok && cJSON_AddNumberToObject(t, "lr", r->lr);
    ok = ok && cJSON_AddNumberToObject(t, "warmup", r->warmup);
    ok = ok && cJSON_AddNumberToObject(t, "ema", r->ema);
    ok = ok && cJSON_AddNumberToObject(t, "clip", r->clip);
    ok = ok && cJSON_AddStringToObject(t, "schedule", schedule_names[r->schedule]);
    ok = ok && cJSON_AddStringToObject(t, "memory", memory_names[r->memory]);
    ok = ok && cJSON_AddStringToObject(t, "device", r->device);
    ok = ok && cJSON_AddNumberToObject(t, "iters", (double)r->iterations);
    ok = ok && cJSON_AddNumberToObject(t, "minutes", r->minutes);
    cJSON *variants = cJSON_AddObjectToObject(json, "variants");
    for (int k = 0; variants && ok && k < r->variants.count; k++) {
        const rheo_choice *it = &r->variants.list[k];
        if (it->used) ok = cJSON_AddStringToObject(variants, it->key, it->variant);
    }
    ok = ok && variants;
    if (ok) return json;
    cJSON_Delete(json);
    return NULL;
}

/* Reads members of one object, keeping the first complaint. */
typedef struct reader {
    const cJSON *object;
    const char *where, *path;
    rheo_error *err;
    rheo_status status;
} reader;

static double number(reader *in, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(in->object, name);
    if (!in->status && (!cJSON_IsNumber(item) || !isfinite(item->valuedouble)))
        in->status = rheo_fail(in->err, RHEO_EFORMAT, "%s: config: %s.%s: expected a number", in->where, in->path, name);
    return in->status ? 0 : item->valuedouble;
}

static int64_t whole(reader *in, const char *name, double most)
{
    const double value = number(in, name);
    if (!in->status && (value < 0 || value > most || value != floor(value)))
        in->status = rheo_fail(in->err, RHEO_EFORMAT, "%s: config: %s.%s: found %g, expected a whole number up to %g", in->where, in->path,
                               name, value, most);
    return in->status ? 0 : (int64_t)value;
}

static void text(reader *in, const char *name, char *to, size_t bytes)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(in->object, name));
    if (!in->status && (!value || strlen(value) >= bytes))
        in->status = rheo_fail(in->err, RHEO_EFORMAT, "%s: config: %s%s%s: expected a text of fewer than %zu characters", in->where,
                               in->path, *in->path ? "." : "", name, bytes);
    if (!in->status) strcpy(to, value);
}

static int choice(reader *in, const char *name, const char *const *names, int n)
{
    char value[32] = "";
    text(in, name, value, sizeof value);
    const int k = find_name(value, names, n);
    if (!in->status && k < 0)
        in->status = rheo_fail(in->err, RHEO_EFORMAT, "%s: config: %s.%s: found '%s'", in->where, in->path, name, value);
    return in->status ? 0 : k;
}

static void enter(reader *in, const cJSON *parent, const char *name)
{
    in->object = cJSON_GetObjectItemCaseSensitive(parent, name);
    in->path = name;
    if (!in->status && !cJSON_IsObject(in->object))
        in->status = rheo_fail(in->err, RHEO_EFORMAT, "%s: config: %s: expected an object", in->where, name);
}

static void read_data(reader *in, rheo_recipe *r)
{
    static const char *const kinds[] = { "images", "vectors" };
    int64_t *const dims[3] = { &r->shape.h, &r->shape.w, &r->shape.c };
    text(in, "name", r->data, sizeof r->data);
    if (cJSON_GetObjectItemCaseSensitive(in->object, "size")) r->size = (uint32_t)whole(in, "size", 8192);
    r->flip = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(in->object, "flip"));
    if (cJSON_GetObjectItemCaseSensitive(in->object, "shift")) r->shift = (uint32_t)whole(in, "shift", 8192);
    r->shape.bytes = choice(in, "kind", kinds, 2) == 0;
    r->fingerprint = (uint32_t)whole(in, "fingerprint", UINT32_MAX);
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(in->object, "shape");
    for (int k = 0; k < 3 && !in->status; k++) {
        const cJSON *item = cJSON_GetArrayItem(shape, k);
        const double value = cJSON_IsNumber(item) ? item->valuedouble : 0;
        if (!(value >= 1 && value <= 8192) || value != floor(value))
            in->status = rheo_fail(in->err, RHEO_EFORMAT, "%s: config: data.shape: expected three sizes from 1 to 8192", in->where);
        else *dims[k] = (int64_t)value;
    }
    const cJSON *columns = cJSON_GetObjectItemCaseSensitive(in->object, "columns");
    if (columns && !in->status) in->status = rheo_columns_from_json(columns, in->where, (uint32_t)r->shape.c, &r->standard, in->err);
}

/* As many as the model's options say, or none. */
static void read_class_names(reader *in, const cJSON *options, rheo_recipe *r)
{
    const cJSON *names = cJSON_GetObjectItemCaseSensitive(in->object, "classes"), *item = NULL;
    const cJSON *count = cJSON_GetObjectItemCaseSensitive(options, "classes");
    if (in->status || !names) return;
    bool ok = cJSON_IsArray(names) && cJSON_IsNumber(count) && cJSON_GetArraySize(names) == count->valueint;
    cJSON_ArrayForEach(item, names) ok = ok && cJSON_IsString(item) && *item->valuestring && strlen(item->valuestring) < 256;
    if (!ok)
        in->status = rheo_fail(in->err, RHEO_EFORMAT, "%s: config: data.classes: expected names, as many as options.classes", in->where);
    else if (!(r->class_names = cJSON_Duplicate(names, 1)))
        in->status = rheo_fail(in->err, RHEO_ENOMEM, "%s: out of memory", in->where);
}

static void read_training(reader *in, rheo_recipe *r)
{
    char seed[24] = "", *end = seed;
    text(in, "seed", seed, sizeof seed);
    r->seed = strtoull(seed, &end, 10);
    if (!in->status && (end == seed || *end))
        in->status = rheo_fail(in->err, RHEO_EFORMAT, "%s: config: training.seed: found '%s', expected a number", in->where, seed);
    r->batch = whole(in, "batch", 65536);
    if (!in->status && !r->batch) in->status = rheo_fail(in->err, RHEO_EFORMAT, "%s: config: training.batch: found 0", in->where);
    r->accumulate = whole(in, "accumulate", 65536);
    r->optimizer.kind = choice(in, "optimizer", optimizer_names, OPTIMIZERS);
    r->optimizer.beta1 = number(in, "beta1");
    r->optimizer.beta2 = number(in, "beta2");
    r->optimizer.epsilon = number(in, "epsilon");
    r->optimizer.weight_decay = number(in, "weight_decay");
    r->lr = number(in, "lr");
    r->warmup = number(in, "warmup");
    r->ema = number(in, "ema");
    r->clip = number(in, "clip");
    r->schedule = (rheo_schedule)choice(in, "schedule", schedule_names, RHEO_SCHEDULES);
    r->memory = (rheo_memory)choice(in, "memory", memory_names, RHEO_MEMORIES);
    text(in, "device", r->device, sizeof r->device);
    r->iterations = whole(in, "iters", 4e9);
    r->minutes = number(in, "minutes");
}

static void read_variants(reader *in, rheo_recipe *r)
{
    const cJSON *item = NULL;
    int count = 0;
    cJSON_ArrayForEach(item, in->object) {
        const char *name = cJSON_GetStringValue(item);
        if (in->status) return;
        if (!name || strlen(name) >= RHEO_VARIANT_NAME || strlen(item->string) >= RHEO_CHOICE_KEY || count++ == RHEO_CHOICES_MOST)
            in->status = rheo_fail(in->err, RHEO_EFORMAT, "%s: config: variants: expected at most %d names", in->where, RHEO_CHOICES_MOST);
        else if (!rheo_choices_set(&r->variants, item->string, name, true))
            in->status = rheo_fail(in->err, RHEO_ENOMEM, "%s: out of memory", in->where);
    }
}

rheo_status rheo_recipe_from_json(const cJSON *json, const char *where, rheo_recipe *out, rheo_error *err)
{
    rheo_recipe r = { .config = NULL };
    rheo_error inner = RHEO_ERROR_INIT;
    reader in = { .object = json, .where = where, .path = "", .err = err };
    if (!cJSON_IsObject(json)) return rheo_fail(err, RHEO_EFORMAT, "%s: config: expected a JSON object", where);
    text(&in, "model", r.model, sizeof r.model);
    enter(&in, json, "data");
    read_data(&in, &r);
    read_class_names(&in, cJSON_GetObjectItemCaseSensitive(json, "options"), &r);
    enter(&in, json, "training");
    read_training(&in, &r);
    enter(&in, json, "variants");
    read_variants(&in, &r);
    enter(&in, json, "options");
    if (!in.status && check(&r, &inner)) in.status = rheo_fail(err, RHEO_EFORMAT, "%s: config: training.%s", where, inner.text);
    if (!in.status && !(r.config = cJSON_Duplicate(in.object, 1))) in.status = rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", where);
    if (in.status) rheo_recipe_free(&r);
    else *out = r;
    return in.status;
}
