/* Images of a folder on their way to a data set: decoded, or mapped as they were kept, by a thread. */
#include "data/loading.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "data/kept.h"
#include "data/split.h"

void rheo_rows_free(rheo_rows *rows)
{
    if (!rows->mapping.base) {
        free(rows->images);
        free(rows->labels);
    }
    free(rows->vectors);
    rheo_cache_unmap(&rows->mapping);
    *rows = (rheo_rows){ .count = 0 };
}

/* ---- decoding ------------------------------------------------------------------------------------------------------ */

/* Moves the validation rows from `train` to `valid`. */
static rheo_status split_off(rheo_rows *train, rheo_rows *valid, size_t row_bytes, rheo_error *err)
{
    const uint32_t n = train->count;
    uint32_t held = 0, kept = 0;
    uint8_t *chosen = NULL;
    rheo_status st = rheo_split_valid(n, &chosen, &held, err);
    if (st) return st;
    *valid = (rheo_rows){ .images = malloc(held * row_bytes), .labels = train->labels ? malloc(held) : NULL };
    if (!valid->images || (train->labels && !valid->labels)) st = rheo_fail(err, RHEO_ENOMEM, "no memory for %u validation images", held);
    for (uint32_t i = 0; i < n && !st; i++) {
        rheo_rows *to = chosen[i] ? valid : train;
        const uint32_t place = chosen[i] ? valid->count++ : kept++;
        memmove(to->images + place * row_bytes, train->images + i * row_bytes, row_bytes);
        if (train->labels) to->labels[place] = train->labels[i];
    }
    if (!st) train->count = kept;
    free(chosen);
    return st;
}

static uint32_t fingerprint_images(const rheo_rows *rows, size_t row_bytes)
{
    uLong crc = crc32_z(0, rows->images, rows->count * row_bytes);
    if (rows->labels) crc = crc32_z(crc, rows->labels, rows->count);
    return (uint32_t)crc;
}

/* Of the part that is read first. */
static rheo_status read_shape(rheo_dataset *data, const rheo_format *format, const rheo_source *from, unsigned splits, rheo_error *err)
{
    rheo_image_shape shape = { 0, 0, 0 };
    const rheo_status st = format->shape(from, splits == 1u << RHEO_SPLIT_TEST, &shape, err);
    data->h = shape.h, data->w = shape.w, data->c = shape.c;
    return st;
}

static rheo_status load_folder(rheo_dataset *data, const rheo_format *format, const rheo_source *from, unsigned splits, rheo_error *err)
{
    rheo_rows *train = &data->split[RHEO_SPLIT_TRAIN], *valid = &data->split[RHEO_SPLIT_VALID], *test = &data->split[RHEO_SPLIT_TEST];
    rheo_status st = RHEO_OK;
    rheo_image_shape s = { data->h, data->w, data->c };
    const size_t row_bytes = (size_t)s.h * s.w * s.c;
    if (splits & (1u << RHEO_SPLIT_TRAIN | 1u << RHEO_SPLIT_VALID)) {
        st = format->read(from, false, train, &s, err);
        if (!st && train->count < 2) st = rheo_fail(err, RHEO_EFORMAT, "%s: found 1 training image, expected at least 2", from->folder);
        if (!st) st = split_off(train, valid, row_bytes, err);
    }
    if (!st && splits & 1u << RHEO_SPLIT_TEST) st = format->read(from, true, test, &s, err);
    if (!st && (s.h != data->h || s.w != data->w || s.c != data->c))
        st = rheo_fail(err, RHEO_EFORMAT, "%s: found test images of %u x %u, expected %u x %u as in training", from->folder, s.h, s.w, data->h,
                       data->w);
    for (int k = 0; k < RHEO_SPLITS && !st; k++) {
        if (splits >> k & 1) data->split[k].fingerprint = fingerprint_images(&data->split[k], row_bytes);
        else rheo_rows_free(&data->split[k]);
    }
    return st;
}

/* ---- the thread ------------------------------------------------------------------------------------------------ */

struct rheo_loading {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ready;              /* under the lock: the rows are there, or err says why not */
    bool threaded;
    rheo_dataset *data;
    const rheo_format *format;
    rheo_source from;        /* its folder lives as long as the data set */
    unsigned splits;
    rheo_cache_key key;
    bool keeps, kept;        /* rows are to be kept under key; they are, and mapped */
    rheo_error err;
};

static rheo_image_shape shape_of(const rheo_dataset *data) { return (rheo_image_shape){ data->h, data->w, data->c }; }

static void forget(rheo_dataset *data)
{
    for (int k = 0; k < RHEO_SPLITS; k++) rheo_rows_free(&data->split[k]);
}

/* All splits as decoded an earlier time, or none of them; what they are made of is still to be read and checked. */
static bool map_kept(rheo_dataset *data, rheo_cache_key key, unsigned splits)
{
    rheo_image_shape shape = { 0, 0, 0 }, s = shape;
    bool ok = splits != 0;
    for (int k = 0; k < RHEO_SPLITS && ok; k++) {
        if (!(splits >> k & 1)) continue;
        ok = rheo_kept_map(key, (rheo_split)k, &data->split[k], &s) && (!shape.h || !memcmp(&shape, &s, sizeof s));
        shape = s;
    }
    if (!ok) forget(data);
    data->h = shape.h, data->w = shape.w, data->c = shape.c;
    return ok;
}

/* Damage is no error: the files are decoded once more. */
static bool check_kept(rheo_dataset *data)
{
    const size_t row_bytes = (size_t)data->h * data->w * data->c;
    bool ok = true;
    for (int k = 0; k < RHEO_SPLITS && ok; k++)
        ok = !data->split[k].count || fingerprint_images(&data->split[k], row_bytes) == data->split[k].fingerprint;
    if (!ok) forget(data);
    return ok;
}

/* Unless a file changed in the meantime. */
static void keep(const struct rheo_loading *l)
{
    rheo_cache_key now;
    if (!l->keeps || !rheo_kept_key(l->format, &l->from, &now) || memcmp(&now, &l->key, sizeof now)) return;
    for (int k = 0; k < RHEO_SPLITS; k++)
        if (l->splits >> k & 1) rheo_kept_save(l->key, (rheo_split)k, &l->data->split[k], shape_of(l->data));
}

static void *load(void *user)
{
    struct rheo_loading *l = user;
    const bool kept = l->kept && check_kept(l->data);
    const rheo_status st = kept ? RHEO_OK : load_folder(l->data, l->format, &l->from, l->splits, &l->err);
    if (st) rheo_fail(&l->err, st, "%s", rheo_status_text(st));
    pthread_mutex_lock(&l->lock);
    l->ready = true;
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
    if (!kept && !st) keep(l);
    return NULL;
}

rheo_status rheo_loading_begin(rheo_dataset *data, const rheo_format *format, const rheo_source *from, unsigned splits, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    struct rheo_loading *l = calloc(1, sizeof *l);
    if (!l) return RHEO_ENOMEM;
    *l = (struct rheo_loading){ .data = data, .format = format, .from = *from, .splits = splits, .err = RHEO_ERROR_INIT };
    data->kind = RHEO_DATA_IMAGES;
    data->format = format->name;
    l->keeps = rheo_kept_key(format, from, &l->key);
    l->kept = l->keeps && map_kept(data, l->key, splits);
    if (!l->kept) st = read_shape(data, format, from, splits, err);
    if (st) {
        free(l);
        return st;
    }
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->changed, NULL);
    data->loading = l;
    l->threaded = !pthread_create(&l->thread, NULL, load, l);
    if (!l->threaded) load(l);
    return RHEO_OK;
}

rheo_status rheo_dataset_wait(rheo_dataset *data, rheo_error *err)
{
    struct rheo_loading *l = data->loading;
    if (!l) return RHEO_OK;
    pthread_mutex_lock(&l->lock);
    while (!l->ready) pthread_cond_wait(&l->changed, &l->lock);
    pthread_mutex_unlock(&l->lock);
    return l->err.status ? rheo_fail(err, l->err.status, "%s", l->err.text) : RHEO_OK;
}

rheo_status rheo_dataset_classes(const rheo_dataset *data, rheo_listing *names, rheo_error *err)
{
    const struct rheo_loading *l = data->loading;
    *names = (rheo_listing){ NULL, 0, 0 };
    return l && l->format->classes ? l->format->classes(l->from.folder, names, err) : RHEO_OK;
}

void rheo_loading_end(rheo_dataset *data)
{
    struct rheo_loading *l = data->loading;
    if (!l) return;
    if (l->threaded) pthread_join(l->thread, NULL);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l);
    data->loading = NULL;
}
