#include "data/table.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "data/npy.h"
#include "data/split.h"

#define MOST_BYTES ((size_t)4 << 30)
enum { LEAST_ROWS = 4 };     /* two to learn from, one in each other split */

void rheo_table_free(rheo_table *t)
{
    free(t->value);
    free(t->name);
    *t = (rheo_table){ .value = NULL };
}

/* ---- columns ------------------------------------------------------------------------------------------------------- */

/* By name, or else by number from 1; n: there is none. */
static uint32_t find(char (*name)[RHEO_COLUMN_NAME], uint32_t n, const char *wanted)
{
    char *end = NULL;
    for (uint32_t k = 0; k < n; k++)
        if (!strcmp(name[k], wanted)) return k;
    if (*wanted < '0' || *wanted > '9') return n;
    const unsigned long k = strtoul(wanted, &end, 10);
    return *end || k < 1 || k > n ? n : (uint32_t)k - 1;
}

static rheo_status choose_listed(const char *path, char (*name)[RHEO_COLUMN_NAME], uint32_t n, const char *list, uint32_t *out, uint32_t *count,
                                 rheo_error *err)
{
    char wanted[RHEO_COLUMN_NAME];
    for (const char *at = list;; at++) {
        const size_t length = strcspn(at, ",");
        snprintf(wanted, sizeof wanted, "%.*s", (int)(length < sizeof wanted ? length : sizeof wanted), at);
        const uint32_t k = find(name, n, wanted);
        if (k == n)
            return rheo_fail(err, RHEO_EINVAL, "columns: %s has no '%.60s', expected names or numbers from 1 to %u (%.40s to %.40s)", path, wanted,
                             n, name[0], name[n - 1]);
        if (*count == n) return rheo_fail(err, RHEO_EINVAL, "columns: more than the %u of %s", n, path);
        out[(*count)++] = k;
        at += length;
        if (!*at) return RHEO_OK;
    }
}

static rheo_status choose_standard(const char *path, char (*name)[RHEO_COLUMN_NAME], uint32_t n, bool named, const rheo_standard *s,
                                   uint32_t *out, uint32_t *count, rheo_error *err)
{
    for (uint32_t k = 0; k < s->columns; k++) {
        const uint32_t found = find(name, n, s->column[k].name);
        if (found < n) {
            if (*count < n) out[(*count)++] = found;
            continue;
        }
        if (named || n != s->columns)
            return rheo_fail(err, RHEO_EFORMAT, "%s: found no column '%.80s' among %u, which the model was trained on", path, s->column[k].name, n);
        for (*count = 0; *count < n; ++*count) out[*count] = *count;
        return RHEO_OK;
    }
    if (*count == s->columns) return RHEO_OK;
    return rheo_fail(err, RHEO_EFORMAT, "%s: found %u columns, expected %u as the model was trained on", path, n, s->columns);
}

static rheo_status check_once(const char *path, char (*name)[RHEO_COLUMN_NAME], uint32_t n, const uint32_t *chosen, uint32_t count,
                              rheo_error *err)
{
    uint8_t *seen = calloc((size_t)n + 1, 1);
    rheo_status st = seen ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
    for (uint32_t k = 0; k < count && !st; k++)
        if (seen[chosen[k]]++) st = rheo_fail(err, RHEO_EINVAL, "columns: '%.60s' of %s is named twice", name[chosen[k]], path);
    free(seen);
    return st;
}

rheo_status rheo_table_choose(const char *path, char (*name)[RHEO_COLUMN_NAME], uint32_t n, bool named, const rheo_reading *how, uint32_t **out,
                              uint32_t *count, rheo_error *err)
{
    uint32_t *chosen = malloc(((size_t)n + 1) * sizeof *chosen);
    rheo_status st = chosen ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
    *count = 0;
    if (!st && how->standard && how->standard->columns) st = choose_standard(path, name, n, named, how->standard, chosen, count, err);
    else if (!st && how->columns) st = choose_listed(path, name, n, how->columns, chosen, count, err);
    else
        for (; !st && *count < n; ++*count) chosen[*count] = *count;
    if (!st) st = check_once(path, name, n, chosen, *count, err);
    if (st) free(chosen);
    else *out = chosen;
    return st;
}

/* ---- standardisation ----------------------------------------------------------------------------------------------- */

/* What a row is for. */
static rheo_status assign_splits(const rheo_table *t, uint8_t *use, rheo_error *err)
{
    uint8_t *test = NULL, *valid = NULL;
    uint32_t others = 0;
    rheo_status st = rheo_split_test(t->rows, &test, err);
    for (uint32_t k = 0; k < t->rows && !st; k++) others += !test[k];
    if (!st) st = rheo_split_valid(others, &valid, NULL, err);
    for (uint32_t k = 0, other = 0; k < t->rows && !st; k++)
        use[k] = test[k] ? RHEO_SPLIT_TEST : valid[other++] ? RHEO_SPLIT_VALID : RHEO_SPLIT_TRAIN;
    free(test);
    free(valid);
    return st;
}

/* An element that is the same in all training rows, which of arrays may be one place of a channel that is not constant. */
static rheo_status check_constant(const char *path, const rheo_table *t, const uint8_t *use, rheo_error *err)
{
    const uint64_t dims = (uint64_t)t->h * t->w * t->columns;
    for (uint64_t e = 0; e < dims; e++) {
        const double *first = NULL;
        uint32_t n = 0;
        bool constant = true;
        for (uint32_t k = 0; k < t->rows && constant; k++) {
            const double *x = t->value + k * dims + e;
            if (use[k] != RHEO_SPLIT_TRAIN) continue;
            if (!first) first = x;
            constant = !(*x < *first || *x > *first);
            n++;
        }
        if (!constant || !first) continue;
        const uint64_t place = e / t->columns;
        if (dims == t->columns)
            return rheo_fail(err, RHEO_EFORMAT, "%s: column %s is %g in all %u training rows: its density has no bound; leave it out", path,
                             t->name[e], *first, n);
        return rheo_fail(err, RHEO_EFORMAT, "%s: element [%" PRIu64 ", %" PRIu64 ", %" PRIu64 "] is %g in all %u training rows: its density has "
                         "no bound", path, place / t->w, place % t->w, e % t->columns, *first, n);
    }
    return RHEO_OK;
}

/* Mean and deviation of a column over the training rows, all places together; in two passes, which large means need. */
static void measure(const rheo_table *t, const uint8_t *use, uint32_t column, rheo_column *out)
{
    const uint64_t places = (uint64_t)t->h * t->w;
    double sum = 0, squares = 0, off = 0;
    uint64_t n = 0;
    strcpy(out->name, t->name[column]);
    out->least = INFINITY;
    out->most = -INFINITY;
    for (int pass = 0; pass < 2; pass++) {
        for (uint64_t p = 0; p < t->rows * places; p++) {
            const double x = t->value[p * t->columns + column];
            if (use[p / places] != RHEO_SPLIT_TRAIN) continue;
            if (pass) {
                off += x - out->mean;
                squares += (x - out->mean) * (x - out->mean);
                continue;
            }
            sum += x;
            out->least = fmin(out->least, x);
            out->most = fmax(out->most, x);
            n++;
        }
        if (!pass) out->mean = sum / (double)n;
    }
    out->deviation = sqrt(fmax(squares - off * off / (double)n, 0) / (double)n);
}

static rheo_status make_standard(const char *path, const rheo_table *t, const uint8_t *use, rheo_standard *out, rheo_error *err)
{
    rheo_status st = check_constant(path, t, use, err);
    if (st) return st;
    out->column = calloc(t->columns, sizeof *out->column);
    if (!out->column) return rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
    out->columns = t->columns;
    for (uint32_t k = 0; k < t->columns; k++) {
        measure(t, use, k, &out->column[k]);
        if (out->column[k].deviation < 1 / RHEO_STANDARD_MOST)
            return rheo_fail(err, RHEO_EFORMAT, "%s: column %s has a deviation of %g, expected 1e-30 at least", path, t->name[k],
                             out->column[k].deviation);
    }
    return RHEO_OK;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

static rheo_status fill_split(const char *path, const rheo_table *t, const uint8_t *use, rheo_split split, const rheo_standard *s, rheo_rows *rows,
                              rheo_error *err)
{
    const uint64_t dims = (uint64_t)t->h * t->w * t->columns;
    uLong crc = 0;
    uint32_t count = 0;
    for (uint32_t k = 0; k < t->rows; k++) count += use[k] == split;
    rows->vectors = malloc((size_t)(count * dims) * sizeof *rows->vectors + 1);
    if (!rows->vectors) return rheo_fail(err, RHEO_ENOMEM, "%s: no memory for %u rows", path, count);
    float *to = rows->vectors;
    for (uint32_t k = 0; k < t->rows; k++) {
        const double *x = t->value + k * dims;
        if (use[k] != split) continue;
        crc = crc32_z(crc, (const Bytef *)x, (size_t)dims * sizeof *x);
        for (uint64_t e = 0; e < dims; e++, to++) {
            const rheo_column *c = s->columns ? &s->column[e % s->columns] : NULL;
            *to = c ? (float)((x[e] - c->mean) / c->deviation) : (float)x[e];
            if (!isfinite(*to))
                return rheo_fail(err, RHEO_EFORMAT, "%s: row %u, column %s: %g is too far from the training rows, whose mean is %g and deviation %g",
                                 path, k + 1, t->name[e % t->columns], x[e], c ? c->mean : 0, c ? c->deviation : 1);
        }
    }
    rows->count = count;
    rows->fingerprint = (uint32_t)crc;
    return RHEO_OK;
}

rheo_status rheo_table_split(const char *path, const rheo_table *t, const rheo_reading *how, unsigned splits, rheo_dataset *data,
                             rheo_error *err)
{
    if (t->rows < LEAST_ROWS) return rheo_fail(err, RHEO_EFORMAT, "%s: found %u rows, expected at least %d", path, t->rows, LEAST_ROWS);
    uint8_t *use = malloc(t->rows);
    rheo_status st = use ? assign_splits(t, use, err) : rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
    data->kind = RHEO_DATA_VECTORS;
    data->format = t->format;
    data->h = t->h, data->w = t->w, data->c = t->columns;
    if (!st) st = how->standard ? rheo_standard_copy(how->standard, &data->standard, err) : make_standard(path, t, use, &data->standard, err);
    for (int k = 0; k < RHEO_SPLITS && !st; k++)
        if (splits >> k & 1) st = fill_split(path, t, use, (rheo_split)k, &data->standard, &data->split[k], err);
    free(use);
    return st;
}

static bool ends_in(const char *path, const char *ending)
{
    const size_t n = strlen(path), m = strlen(ending);
    return n > m && !strcmp(path + n - m, ending);
}

bool rheo_table_probe(const char *path)
{
    rheo_npy npy = { .type = RHEO_NPY_BYTES };
    if (ends_in(path, ".csv") || ends_in(path, ".tsv")) return true;
    return ends_in(path, ".npy") && (rheo_npy_look(path, &npy, NULL) || npy.type != RHEO_NPY_BYTES || npy.rank < 3);
}

rheo_status rheo_table_load(const char *path, const rheo_reading *how, unsigned splits, rheo_dataset *data, rheo_error *err)
{
    void *file = NULL;
    size_t n = 0;
    rheo_table t = { .value = NULL };
    rheo_status st = rheo_file_read(path, MOST_BYTES, &file, &n, err);
    if (!st) st = ends_in(path, ".npy") ? rheo_array_parse(path, file, n, how, &t, err) : rheo_csv_parse(path, file, n, how, &t, err);
    free(file);
    if (!st) st = rheo_table_split(path, &t, how, splits, data, err);
    rheo_table_free(&t);
    return st;
}
