#include "data/dataset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/text.h"
#include "data/loading.h"
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

void rheo_dataset_close(rheo_dataset *data)
{
    if (!data) return;
    rheo_loading_end(data);
    for (int k = 0; k < RHEO_SPLITS; k++) rheo_rows_free(&data->split[k]);
    rheo_standard_free(&data->standard);
    free(data->name);
    free(data);
}

/* ---- images ------------------------------------------------------------------------------------------------ */

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
    st = format ? rheo_loading_begin(data, format, &from, splits, err) : RHEO_EFILE;
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
