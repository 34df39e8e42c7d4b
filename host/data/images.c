/* Folders of PNG and JPEG files (score 10.5), in bytewise order of their paths; the first subfolder of a path is the class. */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/file.h"
#include "data/listing.h"
#include "data/picture.h"
#include "data/png.h"
#include "data/split.h"

enum { PNG_HEAD = 26 };

/* Keeps the test split, or the others. */
static rheo_status keep_part(rheo_listing *l, bool test, rheo_error *err)
{
    uint8_t *chosen = NULL;
    uint32_t kept = 0;
    const rheo_status st = rheo_split_test(l->count, &chosen, err);
    if (st) return st;
    for (uint32_t k = 0; k < l->count; k++) {
        if ((chosen[k] != 0) == test) l->path[kept++] = l->path[k];
        else free(l->path[k]);
    }
    l->count = kept;
    free(chosen);
    return RHEO_OK;
}

/* The files of a part, and in *root the length of the folder's name that their paths begin with. */
static rheo_status list_part(const char *folder, bool test, rheo_listing *l, size_t *root, rheo_error *err)
{
    char *part[2] = { rheo_path_join(folder, "train"), rheo_path_join(folder, "test") };
    rheo_status st = part[0] && part[1] ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", folder);
    const bool parted = !st && rheo_folder_exists(part[0]) && rheo_folder_exists(part[1]);
    const char *from = parted ? part[test] : folder;
    *root = strlen(from);
    if (!st) st = rheo_listing_make(from, l, err);
    if (!st && !parted) st = keep_part(l, test, err);
    if (!st && !l->count) st = rheo_fail(err, RHEO_EFILE, "%s: holds no PNG or JPEG images for %s", from, test ? "the test split" : "training");
    free(part[0]);
    free(part[1]);
    return st;
}

static bool probe(const char *folder)
{
    rheo_listing l = { NULL, 0, 0 };
    (void)rheo_listing_make(folder, &l, NULL);
    const bool any = l.count > 0;
    rheo_listing_free(&l);
    return any;
}

/* ---- shapes ---------------------------------------------------------------------------------------------------- */

static rheo_status png_shape(const char *path, rheo_image_shape *shape, rheo_error *err)
{
    static const uint8_t start[8] = { 0x89, 'P', 'N', 'G', 13, 10, 26, 10 };
    uint8_t b[PNG_HEAD];
    FILE *f = fopen(path, "rb");
    if (!f) return rheo_fail(err, RHEO_EFILE, "%s: cannot be opened", path);
    const size_t got = fread(b, 1, sizeof b, f);
    fclose(f);
    if (got < sizeof b) return rheo_fail(err, RHEO_EFORMAT, "%s: found %zu bytes, expected a PNG file", path, got);
    if (memcmp(b, start, sizeof start) || memcmp(b + 12, "IHDR", 4))
        return rheo_fail(err, RHEO_EFORMAT, "%s: begins with bytes %02x %02x %02x %02x, expected 89 50 4e 47 and a header (PNG)", path, b[0],
                         b[1], b[2], b[3]);
    shape->w = (uint32_t)b[16] << 24 | (uint32_t)b[17] << 16 | (uint32_t)b[18] << 8 | b[19];
    shape->h = (uint32_t)b[20] << 24 | (uint32_t)b[21] << 16 | (uint32_t)b[22] << 8 | b[23];
    shape->c = b[25] & 2 ? 3 : 1;       /* colour types 0 and 4 are grey, 2, 3 (palette) and 6 colour */
    return RHEO_OK;
}

static rheo_status file_shape(const char *path, rheo_image_shape *shape, rheo_error *err)
{
    return rheo_is_png(path) ? png_shape(path, shape, err) : rheo_jpeg_shape(path, shape, err);
}

/* Of all files, whichever part is asked for: grey training images and coloured test ones are 3 channels both. */
static rheo_status shape(const rheo_source *from, bool test, rheo_image_shape *out, rheo_error *err)
{
    rheo_listing l = { NULL, 0, 0 };
    rheo_image_shape first = { 0, 0, 1 }, s = { 0, 0, 1 };
    (void)test;
    rheo_status st = rheo_listing_make(from->folder, &l, err);
    for (uint32_t k = 0; k < l.count && !st; k++) {
        st = file_shape(l.path[k], &s, err);
        if (st) break;
        if (!k) first = s;
        if (s.c == 3) first.c = 3;
        if (!from->size && (s.h != first.h || s.w != first.w))
            st = rheo_fail(err, RHEO_EFORMAT, "%s: found %u x %u pixels, expected %u x %u as in %s; --size S crops and resizes all to S x S",
                           l.path[k], s.h, s.w, first.h, first.w, l.path[0]);
    }
    rheo_listing_free(&l);
    *out = from->size ? (rheo_image_shape){ from->size, from->size, first.c } : first;
    return st;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

/* One file, decoded once, into its row. */
static rheo_status read_row(const rheo_source *from, const char *path, rheo_image_shape want, uint8_t *row, rheo_error *err)
{
    rheo_image_shape s = { 0, 0, 0 };
    uint8_t *pixels = NULL;
    const size_t count = (size_t)want.h * want.w;
    rheo_status st = rheo_is_png(path) ? rheo_png_read(path, &pixels, &s.h, &s.w, &s.c, err) : rheo_jpeg_read(path, &pixels, &s, err);
    if (st) return st;
    if ((!from->size && (s.h != want.h || s.w != want.w)) || s.c > want.c)
        st = rheo_fail(err, RHEO_EFORMAT, "%s: found %u x %u x %u, expected %u x %u x %u: it changed while being read", path, s.h, s.w, s.c,
                       want.h, want.w, want.c);
    else if (from->size) st = rheo_crop_resize(pixels, s, from->size, row, err);
    else memcpy(row, pixels, count * s.c);
    for (size_t p = count; !st && s.c < want.c && p-- > 0;) row[3 * p] = row[3 * p + 1] = row[3 * p + 2] = row[p];
    free(pixels);
    return st;
}

static rheo_status read_part(const rheo_source *from, bool test, rheo_rows *rows, rheo_image_shape *want, rheo_error *err)
{
    rheo_listing l = { NULL, 0, 0 };
    size_t root = 0;
    uint64_t row = (uint64_t)want->h * want->w * want->c, bytes = 0;
    rheo_status st = list_part(from->folder, test, &l, &root, err);
    if (!st && (!rheo_checked_mul(row, l.count, &bytes) || bytes > SIZE_MAX / 2 || !(rows->images = malloc((size_t)bytes))))
        st = rheo_fail(err, RHEO_ENOMEM, "%s: no memory for %u images of %u x %u", from->folder, l.count, want->h, want->w);
    for (uint32_t k = 0; k < l.count && !st; k++) st = read_row(from, l.path[k], *want, rows->images + k * row, err);
    if (!st) rows->count = l.count;
    if (!st) st = rheo_listing_classes(from->folder, &l, root, &rows->labels, err);
    rheo_listing_free(&l);
    return st;
}

rheo_status rheo_images_check(const char *folder, void (*broken)(void *user, const char *message), void *user, rheo_error *err)
{
    rheo_listing l = { NULL, 0, 0 };
    const rheo_status st = rheo_listing_make(folder, &l, err);
    for (uint32_t k = 0; k < l.count && !st; k++) {
        rheo_error why = RHEO_ERROR_INIT;
        rheo_image_shape s;
        uint8_t *pixels = NULL;
        const char *path = l.path[k];
        if (rheo_is_png(path) ? rheo_png_read(path, &pixels, &s.h, &s.w, &s.c, &why) : rheo_jpeg_read(path, &pixels, &s, &why))
            broken(user, why.text);
        else free(pixels);
    }
    rheo_listing_free(&l);
    return st;
}

const rheo_format rheo_format_images = { .name = "PNG and JPEG images", .probe = probe, .files = rheo_listing_make, .classes = rheo_listing_class_names, .shape = shape, .read = read_part };
