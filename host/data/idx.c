#include "data/idx.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/checked.h"
#include "base/file.h"
#include "data/format.h"

#define MAX_PIXELS (64u << 20)      /* an image */
#define DEFLATE_RATIO 1032          /* the most that deflate can expand: what a header promises beyond it is a lie */

/* Reads n bytes, through inflation where the file is gzipped. *got < n at the end of the file. */
static rheo_status read_bytes(gzFile f, const char *path, void *to, size_t n, size_t *got, rheo_error *err)
{
    *got = 0;
    while (*got < n) {
        const size_t left = n - *got;
        const int k = gzread(f, (char *)to + *got, left < (1u << 30) ? (unsigned)left : 1u << 30);
        int code = Z_OK;
        const char *text = gzerror(f, &code);
        if (k < 0 || code == Z_BUF_ERROR)       /* Z_BUF_ERROR: a gzip stream that stops in the middle */
            return rheo_fail(err, RHEO_EFORMAT, "%s: cannot be read beyond byte %lld: %s", path, (long long)gzoffset(f),
                             code == Z_BUF_ERROR ? "the compressed file is truncated" : text);
        if (k == 0) break;
        *got += (size_t)k;
    }
    return RHEO_OK;
}

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static rheo_status read_header(gzFile f, const char *path, int rank, rheo_idx *idx, rheo_error *err)
{
    uint8_t head[16];
    const size_t size = 4 + 4 * (size_t)rank;
    size_t got;
    const rheo_status st = read_bytes(f, path, head, size, &got, err);
    if (st) return st;
    if (got != size) return rheo_fail(err, RHEO_EFORMAT, "%s: found %zu bytes, expected an IDX header of %zu", path, got, size);
    const uint32_t magic = big_endian(head), expected = 0x0800u | (uint32_t)rank;
    if (magic != expected)
        return rheo_fail(err, RHEO_EFORMAT, "%s: magic at byte 0: found 0x%08x, expected 0x%08x (IDX, unsigned bytes, %d dimension%s)",
                         path, magic, expected, rank, rank == 1 ? "" : "s");
    uint64_t bytes = 1;
    for (int k = 0; k < 3; k++) {
        idx->dim[k] = k < rank ? big_endian(head + 4 + 4 * k) : 1;
        if (!idx->dim[k]) return rheo_fail(err, RHEO_EFORMAT, "%s: dimension %d at byte %d is 0", path, k, 4 + 4 * k);
        if (!rheo_checked_mul(bytes, idx->dim[k], &bytes) || bytes > SIZE_MAX / 2)
            return rheo_fail(err, RHEO_EFORMAT, "%s: the header's dimensions are too large to multiply", path);
    }
    const uint64_t pixels = (uint64_t)idx->dim[1] * idx->dim[2];
    if (pixels > MAX_PIXELS)
        return rheo_fail(err, RHEO_EFORMAT, "%s: found images of %u x %u, expected at most %u pixels",
                         path, idx->dim[1], idx->dim[2], MAX_PIXELS);
    idx->bytes = (size_t)bytes;
    return RHEO_OK;
}

rheo_status rheo_idx_read(const char *path, int rank, rheo_idx *out, rheo_error *err)
{
    rheo_idx idx = { .data = NULL };
    uint64_t stored;
    uint8_t beyond;
    size_t got, more;
    gzFile f = NULL;
    rheo_status st = rheo_file_size(path, &stored, err);
    if (st) goto done;
    f = gzopen(path, "rb");
    if (!f) {
        st = rheo_fail(err, RHEO_EFILE, "%s: cannot be opened", path);
        goto done;
    }
    gzbuffer(f, 1u << 18);
    st = read_header(f, path, rank, &idx, err);
    if (st) goto done;
    if (idx.bytes / DEFLATE_RATIO > stored) {
        st = rheo_fail(err, RHEO_EFORMAT, "%s: the header promises %zu bytes, the file of %ju cannot hold them",
                       path, idx.bytes, (uintmax_t)stored);
        goto done;
    }
    idx.data = malloc(idx.bytes);
    if (!idx.data) {
        st = rheo_fail(err, RHEO_ENOMEM, "%s: no memory for %zu bytes", path, idx.bytes);
        goto done;
    }
    st = read_bytes(f, path, idx.data, idx.bytes, &got, err);
    if (!st && got == idx.bytes) st = read_bytes(f, path, &beyond, 1, &more, err);
    if (st) goto done;
    if (got != idx.bytes || more)
        st = rheo_fail(err, RHEO_EFORMAT, "%s: found %s%zu data bytes, expected %u x %u x %u = %zu",
                       path, got == idx.bytes ? "more than " : "", got, idx.dim[0], idx.dim[1], idx.dim[2], idx.bytes);
done:
    if (f && gzclose(f) != Z_OK && !st) st = rheo_fail(err, RHEO_EFORMAT, "%s: the compressed data are damaged", path);
    if (st) {
        free(idx.data);
        return st;
    }
    *out = idx;
    return RHEO_OK;
}

static rheo_status read_sizes(const char *path, rheo_idx *idx, rheo_error *err)
{
    gzFile f = gzopen(path, "rb");
    if (!f) return rheo_fail(err, RHEO_EFILE, "%s: cannot be opened", path);
    const rheo_status st = read_header(f, path, 3, idx, err);
    gzclose(f);
    return st;
}

/* folder/part-suffix or the same with .gz, whichever is there (raw first); NULL in *path for neither. */
static rheo_status find_file(const char *folder, const char *part, const char *suffix, char **path, rheo_error *err)
{
    static const char *const ending[] = { "", ".gz" };
    char name[64];
    *path = NULL;
    for (int k = 0; k < 2; k++) {
        snprintf(name, sizeof name, "%s-%s%s", part, suffix, ending[k]);
        *path = rheo_path_join(folder, name);
        if (!*path) return rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", folder);
        if (rheo_file_exists(*path)) return RHEO_OK;
        free(*path);
        *path = NULL;
    }
    return RHEO_OK;
}

static rheo_status find_images(const char *folder, const char *part, char **path, rheo_error *err)
{
    const rheo_status st = find_file(folder, part, "images-idx3-ubyte", path, err);
    if (st || *path) return st;
    return rheo_fail(err, RHEO_EFILE, "%s: holds no %s-images-idx3-ubyte[.gz]%s", folder, part,
                     rheo_folder_exists(folder) ? "" : " (there is no such folder)");
}

rheo_status rheo_idx_part_sizes(const char *folder, const char *part, uint32_t *h, uint32_t *w, rheo_error *err)
{
    char *path = NULL;
    rheo_idx idx = { .data = NULL };
    rheo_status st = find_images(folder, part, &path, err);
    if (!st) st = read_sizes(path, &idx, err);
    *h = idx.dim[1];
    *w = idx.dim[2];
    free(path);
    return st;
}

rheo_status rheo_idx_read_part(const char *folder, const char *part, rheo_rows *rows, uint32_t *h, uint32_t *w, rheo_error *err)
{
    char *images_path = NULL, *labels_path = NULL;
    rheo_idx images = { .data = NULL }, labels = { .data = NULL };
    rheo_status st = find_images(folder, part, &images_path, err);
    if (!st) st = find_file(folder, part, "labels-idx1-ubyte", &labels_path, err);
    if (!st) st = rheo_idx_read(images_path, 3, &images, err);
    if (!st && labels_path) st = rheo_idx_read(labels_path, 1, &labels, err);
    if (st) goto done;
    if (labels.data && labels.dim[0] != images.dim[0]) {
        st = rheo_fail(err, RHEO_EFORMAT, "%s: found %u labels, expected %u, one for each image of %s",
                       labels_path, labels.dim[0], images.dim[0], images_path);
        goto done;
    }
    *rows = (rheo_rows){ .count = images.dim[0], .images = images.data, .labels = labels.data };
    *h = images.dim[1];
    *w = images.dim[2];
    images.data = labels.data = NULL;       /* the rows own them now */
done:
    free(images.data);
    free(labels.data);
    free(images_path);
    free(labels_path);
    return st;
}

/* ---- as a format ------------------------------------------------------------------------------------------------ */

static const char *part_name(bool test)
{
    return test ? "t10k" : "train";
}

static bool probe(const char *folder)
{
    bool any = false;
    for (int k = 0; k < 2; k++) {
        char *path = NULL;
        (void)find_file(folder, part_name(k), "images-idx3-ubyte", &path, NULL);
        any = any || path;
        free(path);
    }
    return any;
}

static rheo_status list_files(const char *folder, rheo_listing *l, rheo_error *err)
{
    static const char *const suffix[] = { "images-idx3-ubyte", "labels-idx1-ubyte" };
    bool compressed = false;
    for (int k = 0; k < 4; k++) {
        char *path = NULL;
        const rheo_status st = find_file(folder, part_name(k / 2), suffix[k % 2], &path, err);
        if (st) return st;
        if (!path) continue;
        compressed = compressed || !strcmp(path + strlen(path) - 3, ".gz");
        if (!rheo_listing_add(l, path)) return rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", folder);
    }
    if (!compressed) rheo_listing_free(l);
    return RHEO_OK;
}

static rheo_status format_shape(const rheo_source *from, bool test, rheo_image_shape *shape, rheo_error *err)
{
    shape->c = 1;
    return rheo_idx_part_sizes(from->folder, part_name(test), &shape->h, &shape->w, err);
}

static rheo_status format_read(const rheo_source *from, bool test, rheo_rows *rows, rheo_image_shape *shape, rheo_error *err)
{
    shape->c = 1;
    return rheo_idx_read_part(from->folder, part_name(test), rows, &shape->h, &shape->w, err);
}

const rheo_format rheo_format_idx = { .name = "IDX", .probe = probe, .files = list_files, .shape = format_shape, .read = format_read };
