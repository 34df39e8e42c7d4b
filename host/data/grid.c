/* Grids of images as PNG files, with labels and with what made them (score 13). */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "data/label.h"
#include "data/png.h"

#define MAX_PIXELS (64u << 20)
#define GAP 2u

typedef struct grid {
    uint64_t across, rows, high, left;  /* images a row; rows; pixels a row, and left of its first image */
    uint64_t width, height;
} grid;

static grid measure(uint32_t n, uint32_t h, uint32_t w, uint32_t columns, const char *const *labels)
{
    grid g = { .across = columns, .high = h, .left = GAP };
    uint32_t widest = 0;
    if (!columns)
        while (g.across * g.across < n) g.across++;
    g.rows = n ? (n + g.across - 1) / g.across : 0;
    for (uint64_t k = 0; labels && k < g.rows; k++) {
        const uint32_t width = rheo_label_width(labels[k]);
        if (width > widest) widest = width;
    }
    if (labels) g.left += widest + GAP;
    if (labels && h < RHEO_LABEL_HEIGHT) g.high = RHEO_LABEL_HEIGHT;
    g.width = g.left + g.across * ((uint64_t)w + GAP);
    g.height = g.rows * (g.high + GAP) + GAP;
    return g;
}

static void draw(const grid *g, const uint8_t *images, uint32_t n, uint32_t h, uint32_t w, uint32_t c, const char *const *labels,
                 uint8_t *picture)
{
    const size_t row_bytes = (size_t)w * c, picture_bytes = (size_t)g->width * c;
    for (size_t k = 0; k < n; k++) {
        const size_t top = k / g->across * (g->high + GAP) + GAP, left = k % g->across * (w + GAP) + g->left;
        for (size_t y = 0; y < h; y++) memcpy(picture + (top + y) * picture_bytes + left * c, images + (k * h + y) * row_bytes, row_bytes);
    }
    for (size_t k = 0; labels && k < g->rows; k++) {
        const size_t top = k * (g->high + GAP) + GAP + (g->high - RHEO_LABEL_CAPITAL) / 2;
        rheo_label_draw(labels[k], picture + top * picture_bytes + GAP * c, picture_bytes, c);
    }
}

rheo_status rheo_grid_write(const char *path, const uint8_t *images, uint32_t n, uint32_t h, uint32_t w, uint32_t c, uint32_t columns,
                            const rheo_grid_text *text, rheo_error *err)
{
    const char *const *labels = text ? text->labels : NULL;
    uint64_t pixels = 0;
    if (!n || !h || !w || w > MAX_PIXELS || (c != 1 && c != 3))
        return rheo_fail(err, RHEO_EINVAL, "%s: a grid of %u images of %u x %u in %u channels cannot be written", path, n, h, w, c);
    const grid g = measure(n, h, w, columns, labels);
    if (!rheo_checked_mul(g.width, g.height, &pixels) || pixels > MAX_PIXELS)
        return rheo_fail(err, RHEO_EINVAL, "%s: a grid of %u images of %u x %u in %u channels cannot be written", path, n, h, w, c);
    uint8_t *picture = calloc((size_t)pixels, c);
    if (!picture) return rheo_fail(err, RHEO_ENOMEM, "%s: no memory for %ju pixels", path, (uintmax_t)pixels);
    draw(&g, images, n, h, w, c, labels, picture);
    rheo_png_text chunks[3] = { { "Software", "rheo " RHEO_VERSION } };
    size_t n_chunks = 1;
    if (text && text->about) chunks[n_chunks++] = (rheo_png_text){ "Description", text->about };
    if (text && text->made_by) chunks[n_chunks++] = (rheo_png_text){ "rheo", text->made_by };
    const rheo_status st = rheo_png_write(path, picture, (uint32_t)g.height, (uint32_t)g.width, c, chunks, n_chunks, err);
    free(picture);
    return st;
}
