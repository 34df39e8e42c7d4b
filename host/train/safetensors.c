#define _POSIX_C_SOURCE 200809L     /* fseeko */
#include "train/safetensors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/safetensors_header.h"

/* Tensors are copied between memory and file as they are. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors are little-endian");

struct rheo_safetensors {
    FILE *stream;
    char *path;
    uint64_t data_start;
    rheo_safetensors_header header;
};

rheo_status rheo_safetensors_open(const char *path, rheo_safetensors **out, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    rheo_safetensors *f = NULL;
    char *text = NULL;
    uint8_t length[8];
    uint64_t size, n = 0;
    st = rheo_file_size(path, &size, err);
    if (st) return st;
    f = calloc(1, sizeof *f);
    if (f) f->path = rheo_path_join("", path);
    if (!f || !f->path) {
        st = rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
        goto done;
    }
    f->stream = fopen(path, "rb");
    if (!f->stream) {
        st = rheo_fail(err, RHEO_EFILE, "%s: cannot be opened: %s", path, strerror(errno));
        goto done;
    }
    if (fread(length, 1, 8, f->stream) != 8) {
        st = rheo_fail(err, RHEO_EFORMAT, "%s: found %ju bytes, expected at least 8", path, (uintmax_t)size);
        goto done;
    }
    for (int k = 0; k < 8; k++) n |= (uint64_t)length[k] << 8 * k;
    if (n > RHEO_SAFETENSORS_HEADER_LIMIT || n > size - 8) {
        st = rheo_fail(err, RHEO_EFORMAT, "%s: found a header of %ju bytes, expected at most %ju: truncated, or not a safetensors file",
                       path, (uintmax_t)n, (uintmax_t)(n > RHEO_SAFETENSORS_HEADER_LIMIT ? RHEO_SAFETENSORS_HEADER_LIMIT : size - 8));
        goto done;
    }
    text = malloc((size_t)n + 1);
    if (!text) {
        st = rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
        goto done;
    }
    if (fread(text, 1, (size_t)n, f->stream) != n) {
        st = rheo_fail(err, RHEO_EFILE, "%s: the header cannot be read", path);
        goto done;
    }
    f->data_start = 8 + n;
    st = rheo_safetensors_header_parse(&f->header, path, text, (size_t)n, size - f->data_start, err);
done:
    free(text);
    if (st) rheo_safetensors_close(f);
    else *out = f;
    return st;
}

void rheo_safetensors_close(rheo_safetensors *f)
{
    if (!f) return;
    if (f->stream) fclose(f->stream);
    rheo_safetensors_header_free(&f->header);
    free(f->path);
    free(f);
}

size_t rheo_safetensors_tensors(const rheo_safetensors *f, const rheo_tensor **out)
{
    *out = f->header.tensors;
    return f->header.n_tensors;
}

size_t rheo_safetensors_notes(const rheo_safetensors *f, const rheo_note **out)
{
    *out = f->header.notes;
    return f->header.n_notes;
}

const rheo_tensor *rheo_safetensors_find(const rheo_safetensors *f, const char *name)
{
    return rheo_safetensors_header_find(&f->header, name);
}

const char *rheo_safetensors_note(const rheo_safetensors *f, const char *key)
{
    return rheo_safetensors_header_note(&f->header, key);
}

/* "F32 [3, 4]" into text[160]. */
static const char *describe(char *text, rheo_dtype dtype, int rank, const uint64_t *shape)
{
    int n = snprintf(text, 160, "%s [", rheo_dtype_name(dtype));
    for (int k = 0; k < rank && n < 130; k++) n += snprintf(text + n, 160 - (size_t)n, "%s%ju", k ? ", " : "", (uintmax_t)shape[k]);
    snprintf(text + n, 160 - (size_t)n, "]");
    return text;
}

static bool has_form(const rheo_tensor *t, rheo_dtype dtype, int rank, const uint64_t *shape)
{
    bool same = t->dtype == dtype && t->rank == rank;
    for (int k = 0; same && k < rank; k++) same = t->shape[k] == shape[k];
    return same;
}

rheo_status rheo_safetensors_read(rheo_safetensors *f, const char *name, rheo_dtype dtype, int rank, const uint64_t *shape,
                                  void *to, rheo_error *err)
{
    char found[160], expected[160];
    const rheo_tensor *t = rheo_safetensors_find(f, name);
    describe(expected, dtype, rank, shape);
    if (!t) return rheo_fail(err, RHEO_EFORMAT, "%s: found no tensor '%.100s', expected one of %s", f->path, name, expected);
    if (!has_form(t, dtype, rank, shape))
        return rheo_fail(err, RHEO_EFORMAT, "%s: tensor '%.100s': found %s, expected %s", f->path, name,
                         describe(found, t->dtype, t->rank, t->shape), expected);
    if (fseeko(f->stream, (off_t)(f->data_start + t->offset), SEEK_SET) || fread(to, 1, (size_t)t->bytes, f->stream) != t->bytes)
        return rheo_fail(err, RHEO_EFILE, "%s: tensor '%.100s' cannot be read: %s", f->path, name,
                         feof(f->stream) ? "the file was cut short" : strerror(errno));
    return RHEO_OK;
}

rheo_status rheo_safetensors_write(const char *path, const rheo_tensor *tensors, size_t n_tensors, const rheo_note *notes, size_t n_notes,
                                   rheo_tensor_source source, void *user, rheo_error *err)
{
    rheo_file_output out = { NULL, NULL, NULL };
    char *header = NULL;
    void *data = NULL;
    uint64_t largest;
    rheo_status st = rheo_safetensors_header_make(path, tensors, n_tensors, notes, n_notes, &header, &largest, err);
    if (st) return st;
    data = malloc((size_t)largest + 1);
    if (!data) {
        st = rheo_fail(err, RHEO_ENOMEM, "%s: no memory for a tensor of %ju bytes", path, (uintmax_t)largest);
        goto done;
    }
    st = rheo_file_output_open(&out, path, err);
    if (st) goto done;
    /* Write errors stay with the stream: commit reports them. */
    const uint64_t n = strlen(header);
    for (int k = 0; k < 8; k++) fputc((int)(n >> 8 * k & 0xFF), out.stream);
    fputs(header, out.stream);
    for (size_t k = 0; k < n_tensors && !st; k++) {
        uint64_t bytes = 0;
        rheo_tensor_bytes(&tensors[k], &bytes);
        st = source(user, k, data, err);
        if (!st) fwrite(data, 1, (size_t)bytes, out.stream);
    }
    if (!st) st = rheo_file_output_commit(&out, err);
done:
    rheo_file_output_discard(&out);
    cJSON_free(header);
    free(data);
    return st;
}
