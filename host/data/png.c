#include "data/png.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/file.h"

#define MAX_PIXELS (64u << 20)

static void keep_error(png_structp png, png_const_charp message)
{
    rheo_fail(png_get_error_ptr(png), RHEO_EFILE, "%s", message);
    png_longjmp(png, 1);
}

static void ignore_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static bool is_ascii(const char *s)
{
    while (*s && !(*s & 0x80)) s++;
    return !*s;
}

/* All that libpng may leave by longjmp; nothing of it is changed or owned here. */
static bool encode(png_structp png, png_infop info, FILE *to, const uint8_t *pixels, uint32_t h, uint32_t w, uint32_t c,
                   png_textp chunks, int n_chunks)
{
    if (setjmp(png_jmpbuf(png))) return false;
    png_init_io(png, to);
    png_set_IHDR(png, info, w, h, 8, c == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_text(png, info, chunks, n_chunks);
    png_write_info(png, info);
    for (size_t y = 0; y < h; y++) png_write_row(png, pixels + y * w * c);
    png_write_end(png, NULL);
    return true;
}

rheo_status rheo_png_write(const char *path, const uint8_t *pixels, uint32_t h, uint32_t w, uint32_t c,
                           const rheo_png_text *text, size_t n_text, rheo_error *err)
{
    rheo_status st = RHEO_ENOMEM;
    rheo_error why = RHEO_ERROR_INIT;
    rheo_file_output out = { NULL, NULL, NULL };
    png_structp png = NULL;
    png_infop info = NULL;
    png_textp chunks = NULL;
    if (!h || !w || (uint64_t)h * w > MAX_PIXELS || (c != 1 && c != 3))
        return rheo_fail(err, RHEO_EINVAL, "%s: a picture of %u x %u pixels in %u channels cannot be written", path, h, w, c);
    chunks = calloc(n_text + 1, sizeof *chunks);
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &why, keep_error, ignore_warning);
    info = png ? png_create_info_struct(png) : NULL;
    if (!chunks || !info) {
        rheo_fail(err, st, "%s: no memory to write it", path);
        goto done;
    }
    for (size_t k = 0; k < n_text; k++) {
        /* tEXt is Latin-1 and read by everything, iTXt is UTF-8. libpng copies both strings. */
        chunks[k].compression = is_ascii(text[k].value) ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
        chunks[k].key = (char *)(uintptr_t)text[k].key;
        chunks[k].text = (char *)(uintptr_t)text[k].value;
    }
    st = rheo_file_output_open(&out, path, err);
    if (st) goto done;
    if (encode(png, info, out.stream, pixels, h, w, c, chunks, (int)n_text)) st = rheo_file_output_commit(&out, err);
    else st = rheo_fail(err, RHEO_EFILE, "%s: cannot be written: %s", path, why.text);
done:
    png_destroy_write_struct(&png, &info);
    rheo_file_output_discard(&out);
    free(chunks);
    return st;
}

void rheo_quantise(const float *x, size_t count, uint8_t *out)
{
    for (size_t k = 0; k < count; k++) {
        const float v = 255.0f * x[k] + 0.5f;
        out[k] = !(v > 0.0f) ? 0 : v >= 255.0f ? 255 : (uint8_t)v;
    }
}

void rheo_from_bytes(const uint8_t *x, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) out[i] = (float)x[i] / 255;
}
