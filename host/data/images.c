/* Folders of PNG and JPEG files (score 10.5), in bytewise order of their paths; the first subfolder of a path is the class. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "base/file.h"
#include "base/philox.h"
#include "data/picture.h"
#include "data/png.h"

#define TEST_SEED 0x7268656F74657374u   /* which images are the test split is part of what a data set is */
enum { DEPTH = 16, CLASSES = 256, PNG_HEAD = 26 };

typedef struct listing {
    char **path;
    uint32_t count, room;
} listing;

static void free_listing(listing *l)
{
    for (uint32_t k = 0; k < l->count; k++) free(l->path[k]);
    free(l->path);
    *l = (listing){ NULL, 0, 0 };
}

static bool ends_in(const char *name, const char *ending)
{
    const size_t n = strlen(name), e = strlen(ending);
    return n > e && !strcasecmp(name + n - e, ending);
}

static bool is_png(const char *name) { return ends_in(name, ".png"); }
static bool is_image(const char *name) { return is_png(name) || ends_in(name, ".jpg") || ends_in(name, ".jpeg"); }

/* Takes over path. */
static bool add(listing *l, char *path)
{
    if (l->count == l->room) {
        const uint32_t room = l->room ? 2 * l->room : 64;
        char **more = realloc(l->path, room * sizeof *more);
        if (!more) {
            free(path);
            return false;
        }
        l->path = more, l->room = room;
    }
    l->path[l->count++] = path;
    return true;
}

/* Hidden files and folders are passed over. */
static rheo_status walk(const char *folder, int depth, listing *l, rheo_error *err)
{
    if (depth == DEPTH) return rheo_fail(err, RHEO_EFORMAT, "%s: folders are nested deeper than %d", folder, DEPTH);
    DIR *d = opendir(folder);
    if (!d) return rheo_fail(err, RHEO_EFILE, "%s: this folder cannot be read", folder);
    rheo_status st = RHEO_OK;
    for (const struct dirent *e = readdir(d); e && !st; e = readdir(d)) {
        if (*e->d_name == '.') continue;
        char *path = rheo_path_join(folder, e->d_name);
        if (!path) st = RHEO_ENOMEM;
        else if (rheo_folder_exists(path)) st = walk(path, depth + 1, l, err);
        else if (is_image(path)) {
            if (!add(l, path)) st = RHEO_ENOMEM;
            path = NULL;
        }
        free(path);
    }
    closedir(d);
    if (st == RHEO_ENOMEM) rheo_fail(err, st, "%s: out of memory", folder);
    return st;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static rheo_status list_sorted(const char *folder, listing *l, rheo_error *err)
{
    const rheo_status st = walk(folder, 0, l, err);
    if (!st && l->count) qsort(l->path, l->count, sizeof *l->path, by_bytes);
    return st;
}

/* Keeps a tenth, the images that a fixed shuffle puts first, or the others. */
static rheo_status keep_part(listing *l, bool test, rheo_error *err)
{
    const uint32_t held = l->count < 2 ? 0 : l->count < 20 ? 1 : l->count / 10;
    uint32_t *order = malloc((l->count + 1) * sizeof *order), kept = 0;
    uint8_t *chosen = calloc(l->count + 1, 1);
    const bool ok = order && chosen;
    for (uint32_t k = 0; ok && k < l->count; k++) order[k] = k;
    if (ok) rheo_shuffle(order, l->count, TEST_SEED, 0);
    for (uint32_t k = 0; ok && k < held; k++) chosen[order[k]] = 1;
    for (uint32_t k = 0; ok && k < l->count; k++) {
        if ((chosen[k] != 0) == test) l->path[kept++] = l->path[k];
        else free(l->path[k]);
    }
    if (ok) l->count = kept;
    free(order);
    free(chosen);
    return ok ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "out of memory");
}

/* The files of a part, and in *root the length of the folder's name that their paths begin with. */
static rheo_status list_part(const char *folder, bool test, listing *l, size_t *root, rheo_error *err)
{
    char *part[2] = { rheo_path_join(folder, "train"), rheo_path_join(folder, "test") };
    rheo_status st = part[0] && part[1] ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", folder);
    const bool parted = !st && rheo_folder_exists(part[0]) && rheo_folder_exists(part[1]);
    const char *from = parted ? part[test] : folder;
    *root = strlen(from);
    if (!st) st = list_sorted(from, l, err);
    if (!st && !parted) st = keep_part(l, test, err);
    if (!st && !l->count) st = rheo_fail(err, RHEO_EFILE, "%s: holds no PNG or JPEG images for %s", from, test ? "the test split" : "training");
    free(part[0]);
    free(part[1]);
    return st;
}

static bool probe(const char *folder)
{
    listing l = { NULL, 0, 0 };
    (void)walk(folder, 0, &l, NULL);
    const bool any = l.count > 0;
    free_listing(&l);
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
    return is_png(path) ? png_shape(path, shape, err) : rheo_jpeg_shape(path, shape, err);
}

/* Of all files, whichever part is asked for: grey training images and coloured test ones are 3 channels both. */
static rheo_status shape(const rheo_source *from, bool test, rheo_image_shape *out, rheo_error *err)
{
    listing l = { NULL, 0, 0 };
    rheo_image_shape first = { 0, 0, 1 }, s = { 0, 0, 1 };
    (void)test;
    rheo_status st = list_sorted(from->folder, &l, err);
    for (uint32_t k = 0; k < l.count && !st; k++) {
        st = file_shape(l.path[k], &s, err);
        if (st) break;
        if (!k) first = s;
        if (s.c == 3) first.c = 3;
        if (!from->size && (s.h != first.h || s.w != first.w))
            st = rheo_fail(err, RHEO_EFORMAT, "%s: found %u x %u pixels, expected %u x %u as the first; --size S crops and resizes all to S x S",
                           l.path[k], s.h, s.w, first.h, first.w);
    }
    free_listing(&l);
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
    rheo_status st = is_png(path) ? rheo_png_read(path, &pixels, &s.h, &s.w, &s.c, err) : rheo_jpeg_read(path, &pixels, &s, err);
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

/* The class of a path below root, as length; 0: none. */
static size_t class_of(const char *path, size_t root, const char **name)
{
    *name = path + root;
    while (**name == '/') ++*name;
    const char *end = strchr(*name, '/');
    return end ? (size_t)(end - *name) : 0;
}

/* Numbers in the order of the classes' first images; NULL where some image has no class or there are too many for a byte. */
static uint8_t *label(const listing *l, size_t root)
{
    const char *seen[CLASSES], *name;
    size_t length[CLASSES];
    int classes = 0;
    uint8_t *out = malloc(l->count);
    for (uint32_t k = 0; out && k < l->count; k++) {
        const size_t n = class_of(l->path[k], root, &name);
        int c = 0;
        while (c < classes && (length[c] != n || memcmp(seen[c], name, n))) c++;
        if (!n || c == CLASSES) {
            free(out);
            return NULL;
        }
        if (c == classes) seen[c] = name, length[classes++] = n;
        out[k] = (uint8_t)c;
    }
    return out;
}

static rheo_status read_part(const rheo_source *from, bool test, rheo_rows *rows, rheo_image_shape *want, rheo_error *err)
{
    listing l = { NULL, 0, 0 };
    size_t root = 0;
    uint64_t row = (uint64_t)want->h * want->w * want->c, bytes = 0;
    rheo_status st = list_part(from->folder, test, &l, &root, err);
    if (!st && (!rheo_checked_mul(row, l.count, &bytes) || bytes > SIZE_MAX / 2 || !(rows->images = malloc((size_t)bytes))))
        st = rheo_fail(err, RHEO_ENOMEM, "%s: no memory for %u images of %u x %u", from->folder, l.count, want->h, want->w);
    for (uint32_t k = 0; k < l.count && !st; k++) st = read_row(from, l.path[k], *want, rows->images + k * row, err);
    if (!st) rows->count = l.count;
    if (!st) rows->labels = label(&l, root);
    free_listing(&l);
    return st;
}

rheo_status rheo_images_check(const char *folder, void (*broken)(void *user, const char *message), void *user, rheo_error *err)
{
    listing l = { NULL, 0, 0 };
    const rheo_status st = list_sorted(folder, &l, err);
    for (uint32_t k = 0; k < l.count && !st; k++) {
        rheo_error why = RHEO_ERROR_INIT;
        rheo_image_shape s;
        uint8_t *pixels = NULL;
        const char *path = l.path[k];
        if (is_png(path) ? rheo_png_read(path, &pixels, &s.h, &s.w, &s.c, &why) : rheo_jpeg_read(path, &pixels, &s, &why))
            broken(user, why.text);
        else free(pixels);
    }
    free_listing(&l);
    return st;
}

const rheo_format rheo_format_images = { .name = "PNG and JPEG images", .probe = probe, .shape = shape, .read = read_part };
