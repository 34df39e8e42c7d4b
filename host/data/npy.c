#include "data/npy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/file.h"

#define MOST_BYTES ((size_t)4 << 30)
enum { PREFIX = 8, LONGEST_HEADER = 4096 };

static const struct {
    const char *name;
    size_t size;
} types[RHEO_NPY_TYPES] = { { "'|u1'", 1 }, { "'<f4'", sizeof(float) }, { "'<f8'", sizeof(double) } };

/* What stands behind 'key': in the header, a Python dictionary of three entries that numpy writes in one form only. */
static const char *find(const char *header, const char *key)
{
    const char *at = strstr(header, key);
    if (!at) return NULL;
    at += strlen(key);
    while (*at == ' ' || *at == ':') at++;
    return at;
}

static rheo_status read_shape(const char *path, const char *at, rheo_npy *npy, rheo_error *err)
{
    if (*at++ != '(') return rheo_fail(err, RHEO_EFORMAT, "%s: header: shape: expected a tuple", path);
    for (npy->rank = 0; *at != ')';) {
        char *end = NULL;
        if (npy->rank == RHEO_NPY_RANK)
            return rheo_fail(err, RHEO_EFORMAT, "%s: header: shape: more than %d dimensions", path, RHEO_NPY_RANK);
        if (*at < '0' || *at > '9') return rheo_fail(err, RHEO_EFORMAT, "%s: header: shape: expected a number at '%.12s'", path, at);
        npy->dim[npy->rank] = strtoull(at, &end, 10);
        if (!npy->dim[npy->rank]) return rheo_fail(err, RHEO_EFORMAT, "%s: header: shape: dimension %d is 0", path, npy->rank);
        npy->rank++;
        for (at = end; *at == ',' || *at == ' ';) at++;
    }
    return RHEO_OK;
}

static rheo_status read_header(const char *path, const char *header, rheo_npy *npy, bool *fortran, rheo_error *err)
{
    const char *type = find(header, "'descr'"), *order = find(header, "'fortran_order'"), *shape = find(header, "'shape'");
    int k = 0;
    if (!type || !order || !shape) return rheo_fail(err, RHEO_EFORMAT, "%s: header: expected descr, fortran_order and shape", path);
    while (k < RHEO_NPY_TYPES && strncmp(type, types[k].name, 5)) k++;
    if (k == RHEO_NPY_TYPES)
        return rheo_fail(err, RHEO_EFORMAT, "%s: header: found elements %.*s, expected '<f4', '<f8' or '|u1'", path, (int)strcspn(type, ",}") % 40, type);
    npy->type = (rheo_npy_type)k;
    *fortran = !strncmp(order, "True", 4);
    if (!*fortran && strncmp(order, "False", 5))
        return rheo_fail(err, RHEO_EFORMAT, "%s: header: fortran_order: found '%.5s', expected True or False", path, order);
    return read_shape(path, shape, npy, err);
}

/* Dimensions and type, from the first n of a file's bytes; *start: where the elements begin. */
static rheo_status read_start(const char *path, const uint8_t *file, size_t n, rheo_npy *npy, bool *fortran, size_t *start, rheo_error *err)
{
    char header[LONGEST_HEADER + 1];
    if (n < PREFIX + 4 || memcmp(file, "\x93NUMPY", 6)) return rheo_fail(err, RHEO_EFORMAT, "%s: byte 0: expected the magic of an .npy file", path);
    if (file[6] < 1 || file[6] > 3) return rheo_fail(err, RHEO_EFORMAT, "%s: byte 6: found version %d, expected 1 to 3", path, file[6]);
    size_t length = (size_t)file[8] | (size_t)file[9] << 8;
    *start = file[6] == 1 ? 10 : 12;
    if (file[6] > 1) length |= (size_t)file[10] << 16 | (size_t)file[11] << 24;
    if (length > LONGEST_HEADER || length > n - *start)
        return rheo_fail(err, RHEO_EFORMAT, "%s: byte 8: found a header of %zu bytes, expected at most %d and not beyond the file", path,
                         length, LONGEST_HEADER);
    memcpy(header, file + *start, length);
    header[length] = '\0';
    *start += length;
    *npy = (rheo_npy){ .dim = { 1, 1, 1, 1 }, .count = 1 };
    const rheo_status st = read_header(path, header, npy, fortran, err);
    for (int k = 0; k < npy->rank && !st; k++)
        if (!rheo_checked_mul(npy->count, npy->dim[k], &npy->count) || npy->count > UINT64_MAX / sizeof(double))
            return rheo_fail(err, RHEO_EFORMAT, "%s: header: shape: its dimensions are too large to multiply", path);
    return st;
}

/* Elements whose first index runs fastest, to where the last one does. */
static void transpose(const rheo_npy *npy, const uint8_t *from, size_t size)
{
    uint64_t index[RHEO_NPY_RANK] = { 0 };
    for (uint64_t i = 0; i < npy->count; i++) {
        uint64_t to = 0;
        for (int k = 0; k < npy->rank; k++) to = to * npy->dim[k] + index[k];
        memcpy((uint8_t *)npy->data + to * size, from + i * size, size);
        for (int k = 0; k < npy->rank && ++index[k] == npy->dim[k]; k++) index[k] = 0;
    }
}

rheo_status rheo_npy_parse(const char *path, const uint8_t *bytes, size_t n, rheo_npy *out, rheo_error *err)
{
    rheo_npy npy;
    bool fortran = false;
    size_t start = 0;
    const rheo_status st = read_start(path, bytes, n, &npy, &fortran, &start, err);
    if (st) return st;
    const size_t size = types[npy.type].size;
    if (npy.count * size != n - start)
        return rheo_fail(err, RHEO_EFORMAT, "%s: found %zu bytes of elements, expected %" PRIu64, path, n - start, npy.count * size);
    npy.data = malloc((size_t)npy.count * size + 1);
    if (!npy.data) return rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
    if (fortran) transpose(&npy, bytes + start, size);
    else memcpy(npy.data, bytes + start, (size_t)npy.count * size);
    *out = npy;
    return RHEO_OK;
}

rheo_status rheo_npy_load(const char *path, rheo_npy *out, rheo_error *err)
{
    void *file = NULL;
    size_t bytes = 0;
    rheo_status st = rheo_file_read(path, MOST_BYTES, &file, &bytes, err);
    if (!st) st = rheo_npy_parse(path, file, bytes, out, err);
    free(file);
    return st;
}

rheo_status rheo_npy_look(const char *path, rheo_npy *out, rheo_error *err)
{
    uint8_t start[12 + LONGEST_HEADER];
    bool fortran = false;
    size_t at = 0;
    FILE *f = fopen(path, "rb");
    if (!f) return rheo_fail(err, RHEO_EFILE, "%s: cannot be opened: %s", path, strerror(errno));
    const size_t n = fread(start, 1, sizeof start, f);
    fclose(f);
    return read_start(path, start, n, out, &fortran, &at, err);
}

rheo_status rheo_npy_save(const char *path, int rank, const uint64_t *dim, const float *data, rheo_error *err)
{
    enum { HEADER = 128 - 10 }; /* the elements begin at byte 128 */
    char header[HEADER + 1];
    rheo_file_output out = { 0 };
    uint64_t count = 1;
    int n = snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (int k = 0; k < rank; k++) {
        n += snprintf(header + n, sizeof header - (size_t)n, "%" PRIu64 ",%s", dim[k], k + 1 < rank ? " " : "");
        count *= dim[k];
    }
    n += snprintf(header + n, sizeof header - (size_t)n, "), }");
    memset(header + n, ' ', (size_t)(HEADER - 1 - n));
    header[HEADER - 1] = '\n';
    rheo_status st = rheo_file_output_open(&out, path, err);
    if (st) return st;
    fwrite("\x93NUMPY\x01\x00", 1, PREFIX, out.stream);
    fputc(HEADER, out.stream);
    fputc(0, out.stream);
    fwrite(header, 1, HEADER, out.stream);
    fwrite(data, sizeof *data, (size_t)count, out.stream); /* little-endian hosts only, as everywhere here */
    return rheo_file_output_commit(&out, err);
}
