/* CIFAR-10's binary files (score 10.2): records of a label and the planes R, G and B of 32 x 32 pixels. */
#include <stdlib.h>
#include <string.h>
#include <string.h>

#include "base/file.h"
#include "data/format.h"

enum { SIDE = 32, PLANE = SIDE * SIDE, RECORD = 1 + 3 * PLANE, CLASSES = 10, BATCHES = 5 };
#define MAX_BYTES ((size_t)1 << 30)     /* a file; the published ones have 30,730,000 */

static const char *const train_file[BATCHES] = { "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                                                 "data_batch_5.bin" };
static const char *const test_file[1] = { "test_batch.bin" };

static bool holds(const char *folder, const char *name)
{
    char *path = rheo_path_join(folder, name);
    const bool there = path && rheo_file_exists(path);
    free(path);
    return there;
}

static bool probe(const char *folder)
{
    bool any = holds(folder, test_file[0]);
    for (int k = 0; k < BATCHES; k++) any = any || holds(folder, train_file[k]);
    return any;
}

static rheo_status list_files(const char *folder, rheo_listing *l, rheo_error *err)
{
    for (int k = 0; k <= BATCHES; k++) {
        const char *name = k < BATCHES ? train_file[k] : test_file[0];
        char *path = holds(folder, name) ? rheo_path_join(folder, name) : NULL;
        if (path && !rheo_listing_add(l, path)) return rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", folder);
    }
    return RHEO_OK;
}

/* Lines of batches.meta.txt, where it is there. */
static rheo_status read_names(const char *folder, rheo_listing *names, rheo_error *err)
{
    char *path = rheo_path_join(folder, "batches.meta.txt");
    void *text = NULL;
    size_t bytes = 0;
    rheo_status st = path ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", folder);
    if (!st && rheo_file_exists(path)) st = rheo_file_read(path, 4096, &text, &bytes, err);
    for (char *at = text; at && *at && names->count < CLASSES && !st;) {
        const size_t n = strcspn(at, "\r\n");
        char *name = n ? calloc(n + 1, 1) : NULL;
        if (name) memcpy(name, at, n);
        if (n && (!name || !rheo_listing_add(names, name))) st = rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", folder);
        at += n + strspn(at + n, "\r\n");
    }
    free(text);
    free(path);
    return st;
}

static rheo_status shape(const rheo_source *from, bool test, rheo_image_shape *out, rheo_error *err)
{
    (void)from, (void)test, (void)err;
    *out = (rheo_image_shape){ SIDE, SIDE, 3 };
    return RHEO_OK;
}

static rheo_status count_records(const char *path, uint32_t *count, rheo_error *err)
{
    uint64_t bytes = 0;
    const rheo_status st = rheo_file_size(path, &bytes, err);
    if (st) return st;
    if (bytes > MAX_BYTES)
        return rheo_fail(err, RHEO_EFORMAT, "%s: found %ju bytes, expected at most %zu", path, (uintmax_t)bytes, MAX_BYTES);
    if (!bytes || bytes % RECORD)
        return rheo_fail(err, RHEO_EFORMAT, "%s: found %ju bytes, expected a multiple of %d (CIFAR-10 has 10000 x %d = 30730000)%s", path,
                         (uintmax_t)bytes, RECORD, RECORD, bytes ? "" : "; the file is empty");
    *count = (uint32_t)(bytes / RECORD);
    return RHEO_OK;
}

static rheo_status append(const char *path, uint32_t count, rheo_rows *rows, rheo_error *err)
{
    void *data = NULL;
    size_t bytes = 0;
    rheo_status st = rheo_file_read(path, MAX_BYTES, &data, &bytes, err);
    if (!st && bytes != (size_t)count * RECORD)
        st = rheo_fail(err, RHEO_EFORMAT, "%s: found %zu bytes, expected %zu: it changed while being read", path, bytes,
                       (size_t)count * RECORD);
    for (uint32_t k = 0; !st && k < count; k++) {
        const uint8_t *from = (const uint8_t *)data + (size_t)k * RECORD;
        uint8_t *to = rows->images + (size_t)rows->count * 3 * PLANE;
        if (from[0] >= CLASSES) {
            st = rheo_fail(err, RHEO_EFORMAT, "%s: label of record %u at byte %zu: found %d, expected 0 to %d", path, k, (size_t)k * RECORD,
                           from[0], CLASSES - 1);
            break;
        }
        rows->labels[rows->count++] = from[0];
        for (size_t p = 0; p < PLANE; p++)
            for (size_t c = 0; c < 3; c++) to[3 * p + c] = from[1 + c * PLANE + p];
    }
    free(data);
    return st;
}

static rheo_status read_part(const rheo_source *from, bool test, rheo_rows *rows, rheo_image_shape *out, rheo_error *err)
{
    const char *const *names = test ? test_file : train_file;
    const int files = test ? 1 : BATCHES;
    char *path[BATCHES] = { NULL };
    uint32_t count[BATCHES] = { 0 };
    size_t all = 0;
    rheo_status st = shape(from, test, out, err);
    for (int k = 0; k < files && !st; k++) {
        path[k] = rheo_path_join(from->folder, names[k]);
        st = path[k] ? count_records(path[k], &count[k], err) : RHEO_ENOMEM;
        all += count[k];
    }
    if (!st) {
        rows->images = malloc(all * 3 * PLANE);
        rows->labels = malloc(all);
        if (!rows->images || !rows->labels) st = rheo_fail(err, RHEO_ENOMEM, "%s: no memory for %zu images", from->folder, all);
    }
    for (int k = 0; k < files && !st; k++) st = append(path[k], count[k], rows, err);
    for (int k = 0; k < files; k++) free(path[k]);
    return st;
}

const rheo_format rheo_format_cifar = { .name = "CIFAR-10 binary", .probe = probe, .files = list_files, .classes = read_names, .shape = shape, .read = read_part };
