#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/picture.h"

enum { BITS = 22 };

/* Of one output element: inputs low, low + 1, .. with weights summing to about 2^22. */
typedef struct window {
    uint32_t low, count;
} window;

typedef struct taps {
    window *at;              /* [to] */
    int32_t *weight;         /* [to, most] */
    size_t most;
} taps;

static void taps_free(taps *t)
{
    free(t->at);
    free(t->weight);
}

static bool taps_make(taps *t, uint32_t from, uint32_t to)
{
    const double scale = (double)from / to, f = scale > 1 ? scale : 1;
    t->most = 2 * (size_t)ceil(f) + 2;
    t->at = malloc(to * sizeof *t->at);
    t->weight = calloc(to * t->most, sizeof *t->weight);
    double *w = malloc(t->most * sizeof *w);
    const bool ok = t->at && t->weight && w;
    for (uint32_t i = 0; ok && i < to; i++) {
        const double centre = (i + 0.5) * scale;
        const double first = floor(centre - f + 0.5), last = floor(centre + f + 0.5);
        const uint32_t low = first > 0 ? (uint32_t)first : 0, high = last < from ? (uint32_t)last : from;
        double sum = 0;
        t->at[i] = (window){ low, high - low };
        for (uint32_t j = 0; j < high - low; j++) {
            const double v = 1 - fabs(low + j - centre + 0.5) / f;
            sum += w[j] = v > 0 ? v : 0;
        }
        for (uint32_t j = 0; j < high - low; j++) t->weight[i * t->most + j] = (int32_t)floor(0.5 + w[j] / sum * (1 << BITS));
    }
    free(w);
    return ok;
}

/* One output: inputs `stride` apart. Weights and bytes keep the sum below 2^31. */
static uint8_t blend(const taps *t, uint32_t i, const uint8_t *x, size_t stride)
{
    const int32_t *w = t->weight + i * t->most;
    int64_t sum = 1 << (BITS - 1);
    x += t->at[i].low * stride;
    for (uint32_t j = 0; j < t->at[i].count; j++) sum += (int64_t)w[j] * x[j * stride];
    sum >>= BITS;
    return (uint8_t)(sum > 255 ? 255 : sum);
}

rheo_status rheo_resize_bytes(const uint8_t *x, rheo_image_shape from, uint32_t to_h, uint32_t to_w, uint8_t *out, rheo_error *err)
{
    const size_t c = from.c, row = to_w * c;
    taps across = { 0 }, down = { 0 };
    uint8_t *middle = malloc(from.h * row);
    rheo_status st = RHEO_OK;
    if (!middle || !taps_make(&across, from.w, to_w) || !taps_make(&down, from.h, to_h)) {
        st = rheo_fail(err, RHEO_ENOMEM, "no memory to resize %u x %u pixels", from.h, from.w);
        goto done;
    }
    for (size_t y = 0; y < from.h; y++)
        for (uint32_t i = 0; i < to_w; i++)
            for (size_t k = 0; k < c; k++) middle[y * row + i * c + k] = blend(&across, i, x + y * from.w * c + k, c);
    for (uint32_t i = 0; i < to_h; i++)
        for (size_t k = 0; k < row; k++) out[i * row + k] = blend(&down, i, middle + k, row);
done:
    taps_free(&across);
    taps_free(&down);
    free(middle);
    return st;
}

rheo_status rheo_crop_resize(const uint8_t *x, rheo_image_shape from, uint32_t size, uint8_t *out, rheo_error *err)
{
    const uint32_t side = from.h < from.w ? from.h : from.w;
    const size_t top = (from.h - side) / 2, left = (from.w - side) / 2, row = (size_t)side * from.c;
    uint8_t *square = malloc(side * row);
    if (!square) return rheo_fail(err, RHEO_ENOMEM, "no memory to crop %u x %u pixels", from.h, from.w);
    for (size_t y = 0; y < side; y++) memcpy(square + y * row, x + ((top + y) * from.w + left) * from.c, row);
    const rheo_status st = rheo_resize_bytes(square, (rheo_image_shape){ side, side, from.c }, size, size, out, err);
    free(square);
    return st;
}
