/* Arrays of floats in .npy files: rows of numbers, or of places with channels. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/npy.h"
#include "data/table.h"

/* NaN, infinities and what is too large for floats, by row and column. */
static rheo_status check_values(const char *path, const rheo_npy *npy, uint64_t dims, rheo_error *err)
{
    for (uint64_t i = 0; i < npy->count; i++) {
        const double x = rheo_npy_at(npy, i);
        if (!(fabs(x) <= RHEO_STANDARD_MOST))
            return rheo_fail(err, RHEO_EFORMAT, "%s: row %llu, column %llu (both from 1): found %g, expected a number from -1e30 to 1e30", path,
                             (unsigned long long)(i / dims + 1), (unsigned long long)(i % dims + 1), x);
    }
    return RHEO_OK;
}

static rheo_status take(const char *path, const rheo_npy *npy, const rheo_reading *how, rheo_table *t, rheo_error *err)
{
    const uint64_t dims = npy->count / npy->dim[0], places = (uint64_t)t->h * t->w;
    const uint32_t channels = (uint32_t)(dims / places);
    uint32_t *chosen = NULL;
    char(*name)[RHEO_COLUMN_NAME] = calloc(channels, sizeof *name);
    rheo_status st = name ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
    for (uint32_t k = 0; k < channels && !st; k++) snprintf(name[k], sizeof name[k], "%u", k + 1);
    if (!st) st = rheo_table_choose(path, name, channels, false, how, &chosen, &t->columns, err);
    if (!st) {
        t->value = malloc((size_t)(t->rows * places * t->columns) * sizeof *t->value);
        t->name = calloc(t->columns, sizeof *t->name);
        if (!t->value || !t->name) st = rheo_fail(err, RHEO_ENOMEM, "%s: no memory for %u rows", path, t->rows);
    }
    for (uint32_t k = 0; k < t->columns && !st; k++) {
        strcpy(t->name[k], name[chosen[k]]);
        for (uint64_t p = 0; p < t->rows * places; p++) t->value[p * t->columns + k] = rheo_npy_at(npy, p * channels + chosen[k]);
    }
    free(chosen);
    free(name);
    return st;
}

rheo_status rheo_array_parse(const char *path, const uint8_t *bytes, size_t n, const rheo_reading *how, rheo_table *out, rheo_error *err)
{
    rheo_npy npy = { .data = NULL };
    rheo_table t = { .format = "NumPy array of floats" };
    rheo_status st = rheo_npy_parse(path, bytes, n, &npy, err);
    if (st) return st;
    const uint64_t dims = npy.count / npy.dim[0];
    if (npy.type == RHEO_NPY_BYTES || npy.rank < 2)
        st = rheo_fail(err, RHEO_EFORMAT, "%s: found %d dimension%s of %s, expected floats [N, D], [N, H, W] or [N, H, W, C], or bytes of images", path,
                       npy.rank, npy.rank == 1 ? "" : "s", npy.type == RHEO_NPY_BYTES ? "bytes" : "floats");
    else if (npy.dim[0] > UINT32_MAX || dims > RHEO_TABLE_COLUMNS * (npy.rank == 2 ? 1 : UINT64_C(8192)) || npy.dim[npy.rank - 1] > RHEO_TABLE_COLUMNS
             || npy.dim[1] > RHEO_TABLE_COLUMNS || npy.dim[2] > RHEO_TABLE_COLUMNS)
        st = rheo_fail(err, RHEO_EFORMAT, "%s: a size of its shape is too large, expected at most %u rows and %d columns", path, UINT32_MAX,
                       RHEO_TABLE_COLUMNS);
    t.rows = (uint32_t)npy.dim[0];
    t.h = npy.rank > 2 ? (uint32_t)npy.dim[1] : 1;
    t.w = npy.rank > 2 ? (uint32_t)npy.dim[2] : 1;
    if (!st) st = check_values(path, &npy, dims, err);
    if (!st) st = take(path, &npy, how, &t, err);
    free(npy.data);
    if (st) rheo_table_free(&t);
    else *out = t;
    return st;
}
