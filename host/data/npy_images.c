/* Images as bytes in one .npy file, [N, H, W, C] or [N, H, W]; a tenth of them is the test split. */
#include <stdlib.h>
#include <string.h>

#include "data/format.h"
#include "data/npy.h"
#include "data/split.h"

enum { MOST_SIDE = 8192 };

static bool probe(const char *path)
{
    const size_t n = strlen(path);
    rheo_npy npy;
    return n > 4 && !strcmp(path + n - 4, ".npy") && !rheo_npy_look(path, &npy, NULL) && npy.type == RHEO_NPY_BYTES && npy.rank > 2;
}

static rheo_status shape_of(const char *path, const rheo_npy *npy, rheo_image_shape *out, rheo_error *err)
{
    if (npy->type != RHEO_NPY_BYTES || npy->rank < 3)
        return rheo_fail(err, RHEO_EFORMAT, "%s: found %d dimensions, expected bytes [N, H, W] or [N, H, W, C]", path, npy->rank);
    for (int k = 1; k < RHEO_NPY_RANK; k++)
        if (npy->dim[k] > MOST_SIDE)
            return rheo_fail(err, RHEO_EFORMAT, "%s: header: shape: found %llu in dimension %d, expected at most %d", path,
                             (unsigned long long)npy->dim[k], k, MOST_SIDE);
    if (npy->dim[0] < 4 || npy->dim[0] > UINT32_MAX)
        return rheo_fail(err, RHEO_EFORMAT, "%s: found %llu images, expected 4 to %u", path, (unsigned long long)npy->dim[0], UINT32_MAX);
    *out = (rheo_image_shape){ (uint32_t)npy->dim[1], (uint32_t)npy->dim[2], (uint32_t)npy->dim[3] };
    return RHEO_OK;
}

static rheo_status shape(const rheo_source *from, bool test, rheo_image_shape *out, rheo_error *err)
{
    rheo_npy npy;
    (void)test;
    const rheo_status st = rheo_npy_look(from->folder, &npy, err);
    return st ? st : shape_of(from->folder, &npy, out, err);
}

/* The part's images move to the front of the array, which the rows take over. */
static rheo_status read_part(const rheo_source *from, bool test, rheo_rows *rows, rheo_image_shape *out, rheo_error *err)
{
    rheo_npy npy = { .data = NULL };
    uint8_t *chosen = NULL;
    rheo_status st = rheo_npy_load(from->folder, &npy, err);
    if (!st) st = shape_of(from->folder, &npy, out, err);
    if (!st) st = rheo_split_test((uint32_t)npy.dim[0], &chosen, err);
    if (st) {
        free(npy.data);
        return st;
    }
    const size_t row = (size_t)out->h * out->w * out->c;
    uint8_t *images = npy.data;
    uint32_t kept = 0;
    for (uint32_t k = 0; k < npy.dim[0]; k++)
        if ((chosen[k] != 0) == test) memmove(images + kept++ * row, images + k * row, row);
    *rows = (rheo_rows){ .count = kept, .images = images };
    free(chosen);
    return RHEO_OK;
}

const rheo_format rheo_format_npy = { .name = "NumPy array of bytes", .probe = probe, .shape = shape, .read = read_part };
