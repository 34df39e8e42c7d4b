/* Pictures: 8-bit grey or RGB PNG files. Grids of samples, which is most of them: rheo_grid_write (grid.c). */
#ifndef RHEO_DATA_PNG_H
#define RHEO_DATA_PNG_H

#include <stdbool.h>

#include "base/error.h"

struct cJSON;

/* A text chunk: what made the picture. Keys are 1 to 79 printable ASCII characters; values UTF-8. */
typedef struct rheo_png_text {
    const char *key, *value;
} rheo_png_text;

/* Writes pixels [h, w, c], c = 1 or 3, whole or not at all (base/file.h). */
rheo_status rheo_png_write(const char *path, const uint8_t *pixels, uint32_t h, uint32_t w, uint32_t c,
                           const rheo_png_text *text, size_t n_text, rheo_error *err);

/* Reads a file of at most 64 Mi pixels: grey or RGB; palettes become RGB, alpha is dropped, 16 bits become 8 and fewer 8, interlaced
 * ones are fine. *pixels [h, w, c], c = 1 or 3; the caller frees it. (png_read.c) */
rheo_status rheo_png_read(const char *path, uint8_t **pixels, uint32_t *h, uint32_t *w, uint32_t *c, rheo_error *err);

/* Adds to an object: picture {height, width, channels}, text {keyword: value, ...}, after reading all of the file. (png_read.c) */
rheo_status rheo_png_describe(const char *path, struct cJSON *to, rheo_error *err);
bool rheo_png_is(const char *path);     /* a file that begins as PNG files do */

/* floor(255 x + 1/2) clamped to 0 .. 255 (score 10.7); not a number becomes 0. */
void rheo_quantise(const float *x, size_t count, uint8_t *out);
/* x / 255, which it undoes. */
void rheo_from_bytes(const uint8_t *x, size_t count, float *out);

#endif
