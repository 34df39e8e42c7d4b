#include "train/feed.h"

#include <stdlib.h>
#include <string.h>

#include "base/philox.h"

static void copy_row(const rheo_rows *rows, int64_t dims, uint32_t row, float *out)
{
    if (rows->vectors) {
        memcpy(out, rows->vectors + row * dims, (size_t)dims * sizeof *out);
        return;
    }
    const uint8_t *from = rows->images + row * dims;
    for (int64_t i = 0; i < dims; i++) out[i] = from[i];
}

static void shuffle(rheo_feed *f, uint64_t epoch)
{
    for (uint32_t i = 0; i < f->rows->count; i++) f->order[i] = i;
    rheo_shuffle(f->order, f->rows->count, f->seed, (uint32_t)epoch);
    f->epoch = epoch;
}

rheo_status rheo_feed_create(const rheo_rows *rows, int64_t dims, uint64_t seed, rheo_feed *out, rheo_error *err)
{
    rheo_feed f = { .rows = rows, .dims = dims, .seed = seed };
    if (!rows->count) return rheo_fail(err, RHEO_EINVAL, "no training data");
    f.order = malloc(rows->count * sizeof *f.order);
    if (!f.order) return rheo_fail(err, RHEO_ENOMEM, "no memory for the order of %u rows", rows->count);
    shuffle(&f, 0);
    *out = f;
    return RHEO_OK;
}

void rheo_feed_free(rheo_feed *f)
{
    free(f->order);
    f->order = NULL;
}

static uint32_t row_at(rheo_feed *f, uint64_t position)
{
    const uint64_t epoch = position / f->rows->count;
    if (epoch != f->epoch) shuffle(f, epoch);
    return f->order[position % f->rows->count];
}

void rheo_feed_fill(rheo_feed *f, uint64_t first, int64_t n, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        const uint32_t row = row_at(f, first + (uint64_t)i);
        if (!rheo_augments(&f->augment)) copy_row(f->rows, f->dims, row, out + i * f->dims);
        else rheo_augment_image(&f->augment, f->seed, row, (uint32_t)f->epoch, f->rows->images + row * f->dims, out + i * f->dims);
    }
}

static uint32_t or_last(const rheo_rows *rows, int64_t row) { return row < rows->count ? (uint32_t)row : rows->count - 1; }

void rheo_rows_fill(const rheo_rows *rows, int64_t dims, uint32_t first, int64_t n, float *out)
{
    for (int64_t i = 0; i < n; i++) copy_row(rows, dims, or_last(rows, first + i), out + i * dims);
}

static void fill_class(const rheo_rows *rows, uint32_t row, int64_t classes, float *out)
{
    for (int64_t k = 0; k < classes; k++) out[k] = rows->labels ? rows->labels[row] == k : 1 / (float)classes;
}

void rheo_feed_fill_classes(rheo_feed *f, uint64_t first, int64_t n, int64_t classes, float *out)
{
    for (int64_t i = 0; i < n; i++) fill_class(f->rows, row_at(f, first + (uint64_t)i), classes, out + i * classes);
}

void rheo_rows_fill_classes(const rheo_rows *rows, uint32_t first, int64_t n, int64_t classes, float *out)
{
    for (int64_t i = 0; i < n; i++) fill_class(rows, or_last(rows, first + i), classes, out + i * classes);
}

rheo_data_shape rheo_shape_of_data(const rheo_dataset *data)
{
    return (rheo_data_shape){ data->h, data->w, data->c, data->kind == RHEO_DATA_IMAGES };
}

rheo_status rheo_check_data(const rheo_dataset *data, rheo_data_shape e, rheo_error *err)
{
    const rheo_data_shape s = rheo_shape_of_data(data);
    if (s.h == e.h && s.w == e.w && s.c == e.c && s.bytes == e.bytes) return RHEO_OK;
    return rheo_fail(err, RHEO_EFORMAT, "%s: found %s of %lld x %lld x %lld, expected %s of %lld x %lld x %lld", data->name,
                     s.bytes ? "images" : "vectors", (long long)s.h, (long long)s.w, (long long)s.c, e.bytes ? "images" : "vectors",
                     (long long)e.h, (long long)e.w, (long long)e.c);
}
