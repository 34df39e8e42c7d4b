/* Quality of samples, for callers outside. */
#include <stdlib.h>

#include "data/npy.h"
#include "data/png.h"
#include "quality/quality.h"

enum { SHOWN = 16, NEAREST = 9 };

static rheo_status write_neighbours(const rheo_dataset *data, rheo_points samples, const char *path, rheo_error *err)
{
    const rheo_points shown = { samples.n < SHOWN ? samples.n : SHOWN, samples.d, samples.x };
    const uint32_t tiles = (uint32_t)shown.n * (1 + NEAREST);
    const rheo_grid_text text = { .about = "left: samples; right of each: its nearest training images, nearest first" };
    uint8_t *pictures = malloc(tiles * (size_t)samples.d);
    if (!pictures) return rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
    rheo_status st = rheo_nearest_pictures(data, shown, NEAREST, pictures, err);
    if (!st) st = rheo_grid_write(path, pictures, tiles, data->h, data->w, data->c, 1 + NEAREST, &text, err);
    free(pictures);
    return st;
}

rheo_status rheo_quality_measure(const float *x, uint32_t n, uint32_t h, uint32_t w, uint32_t c, const char *name, uint64_t seed,
                                 const char *neighbours, rheo_quality *out, rheo_error *err)
{
    rheo_dataset *data = NULL;
    const rheo_points samples = { n, (int64_t)h * w * c, x };
    rheo_status st = rheo_dataset_open(name, h == w ? h : 0, 1u << RHEO_SPLIT_TRAIN | 1u << RHEO_SPLIT_TEST, &data, err);
    if (st) return st;
    if (data->kind != RHEO_DATA_IMAGES)
        st = rheo_fail(err, RHEO_EINVAL, "%s: found vectors, expected images", name);
    else if (data->h != h || data->w != w || data->c != c)
        st = rheo_fail(err, RHEO_EFORMAT, "%s: found images of %u x %u x %u, the samples are %u x %u x %u", name, data->h, data->w, data->c,
                       h, w, c);
    if (!st) st = rheo_quality_of(data, samples, seed, out, err);
    if (!st && neighbours) st = write_neighbours(data, samples, neighbours, err);
    rheo_dataset_close(data);
    return st;
}

rheo_status rheo_npy_read(const char *path, float **x, uint32_t *n, uint32_t *h, uint32_t *w, uint32_t *c, rheo_error *err)
{
    rheo_npy npy;
    rheo_status st = rheo_npy_load(path, &npy, err);
    if (st) return st;
    float *out = malloc((size_t)npy.count * sizeof *out);
    if (npy.rank < 3)
        st = rheo_fail(err, RHEO_EFORMAT, "%s: found %d dimensions, expected images [n, h, w, c] or [n, h, w]", path, npy.rank);
    else if (!out)
        st = rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
    for (uint64_t i = 0; i < npy.count && !st; i++) {
        const float v = (float)(rheo_npy_at(&npy, i) / (npy.type == RHEO_NPY_BYTES ? 255 : 1));
        if (!(v >= -1e30f && v <= 1e30f))
            st = rheo_fail(err, RHEO_EFORMAT, "%s: element %llu is not finite", path, (unsigned long long)i);
        else
            out[i] = v < 0 ? 0 : v > 1 ? 1 : v;
    }
    for (int k = 0; k < RHEO_NPY_RANK && !st; k++)
        if (npy.dim[k] > UINT32_MAX) st = rheo_fail(err, RHEO_EFORMAT, "%s: dimension %d is too large", path, k);
    free(npy.data);
    if (st) {
        free(out);
        return st;
    }
    *x = out;
    *n = (uint32_t)npy.dim[0], *h = (uint32_t)npy.dim[1], *w = (uint32_t)npy.dim[2], *c = (uint32_t)npy.dim[3];
    return RHEO_OK;
}

rheo_status rheo_npy_write(const char *path, const float *x, uint32_t n, uint32_t h, uint32_t w, uint32_t c, rheo_error *err)
{
    return rheo_npy_save(path, 4, (const uint64_t[]){ n, h, w, c }, x, err);
}
