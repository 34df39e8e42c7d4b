/* Pictures: 8-bit grey or RGB PNG files, and grids of samples. */
#ifndef RHEO_DATA_PNG_H
#define RHEO_DATA_PNG_H

#include "base/error.h"

/* A text chunk: what made the picture. Keys are 1 to 79 printable ASCII characters; values UTF-8. */
typedef struct rheo_png_text {
    const char *key, *value;
} rheo_png_text;

/* Writes pixels [h, w, c], c = 1 or 3, whole or not at all (base/file.h). */
rheo_status rheo_png_write(const char *path, const uint8_t *pixels, uint32_t h, uint32_t w, uint32_t c,
                           const rheo_png_text *text, size_t n_text, rheo_error *err);

/* Writes images [n, h, w, c], c = 1 or 3, row by row in `columns` columns (0: the nearest to a square), with a
 * 2-pixel black gap around tiles: the picture is columns (w + 2) + 2 wide (score 13). */
rheo_status rheo_png_write_grid(const char *path, const uint8_t *images, uint32_t n, uint32_t h, uint32_t w, uint32_t c, uint32_t columns,
                                const rheo_png_text *text, size_t n_text, rheo_error *err);

/* Reads a file of at most 64 Mi pixels: grey or RGB; palettes become RGB, alpha is dropped, 16 bits become 8 and fewer 8, interlaced
 * ones are fine. *pixels [h, w, c], c = 1 or 3; the caller frees it. (png_read.c) */
rheo_status rheo_png_read(const char *path, uint8_t **pixels, uint32_t *h, uint32_t *w, uint32_t *c, rheo_error *err);

/* floor(255 x + 1/2) clamped to 0 .. 255 (score 10.7); not a number becomes 0. */
void rheo_quantise(const float *x, size_t count, uint8_t *out);
/* x / 255, which it undoes. */
void rheo_from_bytes(const uint8_t *x, size_t count, float *out);

#endif
