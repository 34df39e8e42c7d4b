#include "check/contents.h"

#include <math.h>
#include <stdlib.h>

#include "base/philox.h"

void rheo_sample_contents(rheo_sample_fill fill, rheo_shape shape, uint64_t seed, double *out)
{
    const rheo_address at = { .seed = seed, .purpose = RHEO_FOR_SYNTHETIC_DATA };
    for (int64_t i = 0; i < rheo_count(shape); i++) {
        if (fill.permutation) {
            out[i] = (i / shape.c % shape.w + 1) % shape.c == i % shape.c;
            continue;
        }
        uint32_t words[4];
        double z[4];
        rheo_philox_block(&at, (uint32_t)i / 4, words);
        rheo_philox_normals(words, z);
        const double v = z[i % 4] * (fill.scale > 0 ? fill.scale : 1) + fill.shift;
        out[i] = fill.below ? rheo_philox_below(words[i % 4], fill.below) : (double)(float)(fabs(v) < 0.01 ? copysign(0.01, v) + v : v);
    }
}

rheo_status rheo_contents_write(rheo_state *s, int storage, const double *from, rheo_error *err)
{
    const rheo_storage *at = rheo_storage_at(s, storage);
    rheo_status st = RHEO_OK;
    if (!rheo_state_device(s)) {
        double *values = NULL;
        st = rheo_state_values(s, storage, &values, err);
        for (int64_t i = 0; i < at->count && !st; i++) values[i] = from[i];
        return st;
    }
    uint32_t *words = malloc((size_t)at->count * sizeof *words + 1);
    if (!words) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    for (int64_t i = 0; i < at->count; i++) {
        if (at->type == RHEO_F32) ((float *)words)[i] = (float)from[i];
        else words[i] = (uint32_t)from[i];
    }
    st = rheo_state_write(s, storage, 0, at->count, words, err);
    free(words);
    return st;
}

rheo_status rheo_contents_read(rheo_state *s, int storage, double *to, rheo_error *err)
{
    const rheo_storage *at = rheo_storage_at(s, storage);
    rheo_status st = RHEO_OK;
    if (!rheo_state_device(s)) {
        double *values = NULL;
        st = rheo_state_values(s, storage, &values, err);
        for (int64_t i = 0; i < at->count && !st; i++) to[i] = values[i];
        return st;
    }
    uint32_t *words = malloc((size_t)at->count * sizeof *words + 1);
    if (!words) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    st = rheo_state_read(s, storage, 0, at->count, words, err);
    for (int64_t i = 0; i < at->count && !st; i++) to[i] = at->type == RHEO_F32 ? (double)((float *)words)[i] : words[i];
    free(words);
    return st;
}

rheo_difference rheo_compare(int64_t count, const double *got, const double *expected, double tolerance)
{
    double scale = 0;
    for (int64_t i = 0; i < count; i++) scale = fmax(scale, fabs(expected[i]));
    rheo_difference d = { .part = -1, .bound = tolerance * scale };
    for (int64_t i = 0; i < count; i++) {
        const double off = fabs(got[i] - expected[i]);
        const double part = !isfinite(got[i]) || !isfinite(expected[i]) ? INFINITY : off == 0 ? 0 : off / d.bound;
        if (part <= d.part) continue;
        d.part = part;
        d.at = i;
        d.got = got[i];
        d.expected = expected[i];
    }
    return d;
}
