#include "data/npy.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/file.h"

#define MOST_BYTES ((size_t)4 << 30)
enum { PREFIX = 8, LONGEST_HEADER = 4096 };

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

static rheo_status read_header(const char *path, const char *header, rheo_npy *npy, rheo_error *err)
{
    const char *type = find(header, "'descr'"), *order = find(header, "'fortran_order'"), *shape = find(header, "'shape'");
    if (!type || !order || !shape) return rheo_fail(err, RHEO_EFORMAT, "%s: header: expected descr, fortran_order and shape", path);
    npy->bytes = !strncmp(type, "'|u1'", 5);
    if (!npy->bytes && strncmp(type, "'<f4'", 5))
        return rheo_fail(err, RHEO_EFORMAT, "%s: header: found elements %.5s, expected '<f4' or '|u1'", path, type);
    if (strncmp(order, "False", 5)) return rheo_fail(err, RHEO_EFORMAT, "%s: header: found Fortran order, expected C order", path);
    return read_shape(path, shape, npy, err);
}

/* Takes the elements out of the file's bytes. */
static rheo_status take(const char *path, const unsigned char *file, size_t bytes, rheo_npy *npy, rheo_error *err)
{
    char header[LONGEST_HEADER + 1];
    if (bytes < PREFIX + 4 || memcmp(file, "\x93NUMPY", 6))
        return rheo_fail(err, RHEO_EFORMAT, "%s: byte 0: expected the magic of an .npy file", path);
    if (file[6] != 1 && file[6] != 2) return rheo_fail(err, RHEO_EFORMAT, "%s: byte 6: found version %d, expected 1 or 2", path, file[6]);
    size_t length = (size_t)file[8] | (size_t)file[9] << 8, start = 10;
    if (file[6] == 2) {
        length |= (size_t)file[10] << 16 | (size_t)file[11] << 24;
        start = 12;
    }
    if (length > LONGEST_HEADER || length > bytes - start)
        return rheo_fail(err, RHEO_EFORMAT, "%s: byte 8: found a header of %zu bytes, expected at most %d and not beyond the file", path,
                         length, LONGEST_HEADER);
    memcpy(header, file + start, length);
    header[length] = '\0';
    const rheo_status st = read_header(path, header, npy, err);
    uint64_t size = npy->bytes ? 1 : 4;
    for (int k = 0; k < npy->rank && !st; k++)
        if (!rheo_checked_mul(size, npy->dim[k], &size)) size = UINT64_MAX;
    if (st) return st;
    if (size != bytes - start - length)
        return rheo_fail(err, RHEO_EFORMAT, "%s: found %zu bytes of elements, expected %" PRIu64, path, bytes - start - length, size);
    npy->data = malloc((size_t)size + 1);
    if (!npy->data) return rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
    memcpy(npy->data, file + start + length, (size_t)size);
    return RHEO_OK;
}

rheo_status rheo_npy_load(const char *path, rheo_npy *out, rheo_error *err)
{
    rheo_npy npy = { .dim = { 1, 1, 1, 1 } };
    void *file = NULL;
    size_t bytes = 0;
    rheo_status st = rheo_file_read(path, MOST_BYTES, &file, &bytes, err);
    if (!st) st = take(path, file, bytes, &npy, err);
    free(file);
    if (!st) *out = npy;
    return st;
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
