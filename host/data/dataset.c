#include "data/dataset.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/text.h"
#include "data/kept.h"
#include "data/split.h"
#include "data/table.h"
#include "data/toy.h"

/* Toys are part of what a data set is, so their seed is a constant and not the run's. */
#define TOY_SEED 0x7268656F746F7973u

/* Places with a name of their own. */
static const struct { const char *name, *folder, *package; } known_folder[] = {
    { "fashion-mnist", "/usr/share/datasets/fashion-mnist", "dataset-fashion-mnist" },
};
enum { KNOWN_FOLDERS = sizeof known_folder / sizeof *known_folder };

/* Tried in this order: add a format here. */
static const rheo_format *const formats[] = { &rheo_format_idx, &rheo_format_cifar, &rheo_format_images };
enum { FORMATS = sizeof formats / sizeof *formats };

/* Points of each split of a toy, and the index of its first. */
static const struct { uint32_t first, count; } toy_part[RHEO_SPLITS] = { { 0, 200000 }, { 1u << 30, 5000 }, { 1u << 31, 50000 } };

static const char *const split_names[RHEO_SPLITS + 1] = { "train", "valid", "test", NULL };

const char *rheo_split_name(rheo_split split)
{
    return split_names[split];
}

rheo_status rheo_split_find(const char *name, rheo_split *out, rheo_error *err)
{
    int k = 0;
    const rheo_status st = rheo_choose("split", name, split_names, &k, err);
    if (!st) *out = (rheo_split)k;
    return st;
}

static void free_rows(rheo_rows *rows)
{
    if (!rows->mapping.base) {
        free(rows->images);
        free(rows->labels);
    }
    free(rows->vectors);
    rheo_cache_unmap(&rows->mapping);
    *rows = (rheo_rows){ .count = 0 };
}

static void end_loading(rheo_dataset *data);

void rheo_dataset_close(rheo_dataset *data)
{
    if (!data) return;
    end_loading(data);
    for (int k = 0; k < RHEO_SPLITS; k++) free_rows(&data->split[k]);
    rheo_standard_free(&data->standard);
    free(data->name);
    free(data);
}

/* ---- images ------------------------------------------------------------------------------------------------ */

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

uint32_t rheo_constant_channel(const rheo_dataset *data, uint32_t first, uint8_t *value)
{
    const rheo_rows *rows = &data->split[RHEO_SPLIT_TRAIN];
    const size_t pixels = (size_t)rows->count * data->h * data->w;
    for (uint32_t k = rows->images && pixels ? first : data->c; k < data->c; k++) {
        size_t p = 1;
        *value = rows->images[k];
        while (p < pixels && rows->images[p * data->c + k] == *value) p++;
        if (p == pixels) return k;
    }
    return data->c;
}

static const rheo_format *find_format(const char *folder, rheo_error *err)
{
    for (int k = 0; k < FORMATS; k++)
        if (formats[k]->probe(folder)) return formats[k];
    rheo_fail(err, RHEO_EFILE, "%s: holds no train-images-idx3-ubyte[.gz] (IDX), no data_batch_1.bin (CIFAR-10) and no PNG or JPEG images", folder);
    return NULL;
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
        else free_rows(&data->split[k]);
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
    for (int k = 0; k < RHEO_SPLITS; k++) free_rows(&data->split[k]);
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

static rheo_status begin_loading(rheo_dataset *data, const rheo_format *format, const rheo_source *from, unsigned splits,
                                 rheo_error *err)
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

static void end_loading(rheo_dataset *data)
{
    struct rheo_loading *l = data->loading;
    if (!l) return;
    if (l->threaded) pthread_join(l->thread, NULL);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l);
    data->loading = NULL;
}

/* ---- toys ----------------------------------------------------------------------------------------------------- */

static rheo_status load_toy(rheo_dataset *data, const rheo_toy *toy, unsigned splits, rheo_error *err)
{
    data->kind = RHEO_DATA_VECTORS;
    data->format = "generated points";
    data->h = data->w = 1;
    data->c = 2;
    data->entropy = toy->entropy;
    for (int k = 0; k < RHEO_SPLITS; k++) {
        rheo_rows *rows = &data->split[k];
        const uint32_t count = toy_part[k].count;
        if (!(splits >> k & 1)) continue;
        rows->vectors = malloc(2 * sizeof(float) * count);
        if (!rows->vectors) return rheo_fail(err, RHEO_ENOMEM, "%s: no memory for %u points", data->name, count);
        rheo_toy_points(toy, TOY_SEED, toy_part[k].first, count, rows->vectors);
        rows->count = count;
        /* Of the name and split: the last bits of the points are those of the machine's sine and logarithm. */
        rows->fingerprint = (uint32_t)crc32_z(crc32_z(0, (const Bytef *)toy->name, strlen(toy->name)), (const Bytef *)&"012"[k], 1);
    }
    return RHEO_OK;
}

/* By what a model was trained with. */
static rheo_status standardise(rheo_dataset *data, const rheo_standard *s, rheo_error *err)
{
    if (s->columns && s->columns != data->c)
        return rheo_fail(err, RHEO_EFORMAT, "%s: found %u columns, expected %u as the model was trained on", data->name, data->c, s->columns);
    for (int k = 0; k < RHEO_SPLITS; k++) {
        const rheo_rows *rows = &data->split[k];
        rheo_standard_apply(s, rows->vectors, (size_t)rows->count * data->c, rows->vectors);
    }
    return rheo_standard_copy(s, &data->standard, err);
}

/* ---- names ---------------------------------------------------------------------------------------------------- */

/* Unknown names are answered with the nearest known one, if it is near, and all of them. */
static rheo_status fail_unknown(const char *spec, rheo_error *err)
{
    char list[320] = "", near[80] = "", name[48];
    unsigned best = 4;
    size_t n = 0;
    for (int k = 0; k < KNOWN_FOLDERS + rheo_toy_count; k++) {
        const bool toy = k >= KNOWN_FOLDERS;
        snprintf(name, sizeof name, "%s%s", toy ? "toy:" : "", toy ? rheo_toys[k - KNOWN_FOLDERS].name : known_folder[k].name);
        const unsigned d = rheo_text_distance(spec, name), bare = toy ? rheo_text_distance(spec, name + 4) : d;
        if (d < best || bare < best) {
            best = d < bare ? d : bare;
            snprintf(near, sizeof near, "; did you mean %s?", name);
        }
        if (n < sizeof list) n += (size_t)snprintf(list + n, sizeof list - n, "%s, ", name);
    }
    return rheo_fail(err, RHEO_EINVAL, "no data set or folder '%.60s'%s Known: %sor a folder of images, IDX or CIFAR-10 files, or a .csv or .npy file", spec, *near ? near : ".", list);
}

rheo_status rheo_dataset_begin_read(const char *spec, const rheo_reading *how, unsigned splits, rheo_dataset **out, rheo_error *err)
{
    rheo_status st = RHEO_ENOMEM;
    rheo_dataset *data = calloc(1, sizeof *data);
    if (!data) goto done;
    data->entropy = NAN;
    data->name = rheo_path_join("", spec);
    if (!data->name) goto done;
    if (rheo_table_probe(spec)) {
        st = rheo_table_load(spec, how, splits, data, err);
        goto done;
    }
    if (how->columns) {
        st = rheo_fail(err, RHEO_EINVAL, "columns: %s is no table (.csv, .tsv, or .npy of floats)", spec);
        goto done;
    }
    if (!strncmp(spec, "toy:", 4)) {
        const rheo_toy *toy = rheo_toy_find(spec + 4);
        st = toy ? load_toy(data, toy, splits, err) : fail_unknown(spec, err);
        if (!st && how->standard) st = standardise(data, how->standard, err);
        goto done;
    }
    const char *folder = data->name;
    for (int k = 0; k < KNOWN_FOLDERS; k++) {
        if (strcmp(spec, known_folder[k].name)) continue;
        folder = known_folder[k].folder;
        if (rheo_folder_exists(folder)) continue;
        st = rheo_fail(err, RHEO_EFILE, "%s: not in %s; install Debian's package %s, or give a folder that holds its IDX files",
                       spec, folder, known_folder[k].package);
        goto done;
    }
    const bool array = rheo_format_npy.probe(folder);
    if (!array && !rheo_folder_exists(folder)) {
        st = fail_unknown(spec, err);
        goto done;
    }
    const rheo_source from = { folder, how->size };
    const rheo_format *format = array ? &rheo_format_npy : find_format(folder, err);
    st = format ? begin_loading(data, format, &from, splits, err) : RHEO_EFILE;
done:
    if (st) {
        rheo_fail(err, st, "%s: out of memory", spec);
        rheo_dataset_close(data);
        return st;
    }
    *out = data;
    return RHEO_OK;
}

rheo_status rheo_dataset_begin(const char *spec, uint32_t size, unsigned splits, rheo_dataset **out, rheo_error *err)
{
    return rheo_dataset_begin_read(spec, &(rheo_reading){ .size = size }, splits, out, err);
}

rheo_status rheo_dataset_read(const char *spec, const rheo_reading *how, unsigned splits, rheo_dataset **out, rheo_error *err)
{
    rheo_dataset *data = NULL;
    rheo_status st = rheo_dataset_begin_read(spec, how, splits, &data, err);
    if (!st) st = rheo_dataset_wait(data, err);
    if (st) rheo_dataset_close(data);
    else *out = data;
    return st;
}

rheo_status rheo_dataset_open(const char *spec, uint32_t size, unsigned splits, rheo_dataset **out, rheo_error *err)
{
    return rheo_dataset_read(spec, &(rheo_reading){ .size = size }, splits, out, err);
}
