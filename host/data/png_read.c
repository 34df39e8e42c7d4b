/* Reading PNG files of any kind as 8-bit grey or RGB. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <png.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "data/png.h"

#define MAX_PIXELS (64u << 20)
#define MAX_CHUNK (8u << 20) /* bytes of text, profiles and the like: nothing here needs them */
enum { SIGNATURE = 8, MAX_CHUNKS = 32 /* of text and unknown ones */, DEFLATE = 1032 /* a byte becomes so many at most: 258 in 2 bits */,
       OVERHEAD = 1 << 20 /* of libpng and zlib themselves */ };

static void keep_error(png_structp png, png_const_charp message)
{
    rheo_fail(png_get_error_ptr(png), RHEO_EFORMAT, "%s", message);
    png_longjmp(png, 1);
}

static void ignore_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

/* Of what is larger than the file could fill nothing is given: libpng would believe the length that a chunk says. */
static png_voidp allocate(png_structp png, png_alloc_size_t bytes)
{
    const uint64_t *most = png_get_mem_ptr(png);
    return bytes > *most ? NULL : malloc(bytes);
}

static void release(png_structp png, png_voidp p)
{
    (void)png;
    free(p);
}

/* The two calls that libpng may leave by longjmp; nothing is owned in them. *stored: bytes of the rows as the file has them. */
static bool read_header(png_structp png, png_infop info, FILE *from, uint64_t *stored, int *passes)
{
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_user_limits(png, MAX_PIXELS, MAX_PIXELS);
    png_set_chunk_malloc_max(png, MAX_CHUNK);
    png_set_chunk_cache_max(png, MAX_CHUNKS);
    png_init_io(png, from);
    png_set_sig_bytes(png, SIGNATURE);
    png_read_info(png, info);
    *stored = (uint64_t)png_get_image_height(png, info) * png_get_rowbytes(png, info);
    png_set_scale_16(png);
    png_set_expand(png); /* palettes to RGB, fewer bits to 8, a transparent colour to alpha, which */
    png_set_strip_alpha(png);
    *passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    return true;
}

static bool read_rows(png_structp png, png_infop info, int passes, uint32_t height, size_t row, uint8_t *out)
{
    if (setjmp(png_jmpbuf(png))) return false;
    for (int pass = 0; pass < passes; pass++)
        for (size_t y = 0; y < height; y++) png_read_row(png, out + y * row, NULL);
    png_read_end(png, info);
    return true;
}

static rheo_status check_signature(const char *path, FILE *f, rheo_error *err)
{
    png_byte start[SIGNATURE];
    const size_t got = fread(start, 1, sizeof start, f);
    if (got == sizeof start && !png_sig_cmp(start, 0, sizeof start)) return RHEO_OK;
    if (ferror(f)) return rheo_fail(err, RHEO_EFILE, "%s: cannot be read: %s", path, strerror(errno));
    if (got < sizeof start) return rheo_fail(err, RHEO_EFORMAT, "%s: found %zu bytes, expected a PNG file", path, got);
    return rheo_fail(err, RHEO_EFORMAT, "%s: begins with bytes %02x %02x %02x %02x, expected 89 50 4e 47 (PNG)", path, start[0], start[1],
                     start[2], start[3]);
}

static rheo_status decode(png_structp png, png_infop info, FILE *f, const char *path, uint64_t bytes, const rheo_error *why, uint8_t **pixels,
                          uint32_t *h, uint32_t *w, uint32_t *c, rheo_error *err)
{
    uint64_t stored = 0;
    int passes = 1;
    if (!read_header(png, info, f, &stored, &passes)) return rheo_fail(err, RHEO_EFORMAT, "%s: damaged in its header: %s", path, why->text);
    const uint32_t height = png_get_image_height(png, info), width = png_get_image_width(png, info), channels = png_get_channels(png, info);
    const size_t row = png_get_rowbytes(png, info);
    if ((uint64_t)height * width > MAX_PIXELS)
        return rheo_fail(err, RHEO_EFORMAT, "%s: found %u x %u pixels, expected at most %u", path, height, width, MAX_PIXELS);
    if ((channels != 1 && channels != 3) || row != (size_t)width * channels)
        return rheo_fail(err, RHEO_EFORMAT, "%s: found %u channels in %zu bytes a row, expected grey or RGB", path, channels, row);
    if (stored / DEFLATE > bytes)
        return rheo_fail(err, RHEO_EFORMAT, "%s: damaged: found %" PRIu64 " bytes, too few for %u x %u pixels", path, bytes, height, width);
    uint8_t *out = malloc(height * row);
    if (!out) return rheo_fail(err, RHEO_ENOMEM, "%s: no memory for %u x %u pixels", path, height, width);
    if (!read_rows(png, info, passes, height, row, out)) {
        free(out);
        return rheo_fail(err, RHEO_EFORMAT, "%s: damaged: %s, expected %u x %u pixels", path, why->text, height, width);
    }
    *pixels = out, *h = height, *w = width, *c = channels;
    return RHEO_OK;
}

/* ---- texts --------------------------------------------------------------------------------------------------------- */

/* Latin-1 as UTF-8, for the caller to free. */
static char *from_latin1(const char *text)
{
    char *out = malloc(2 * strlen(text) + 1), *to = out;
    if (!out) return NULL;
    for (; *text; text++) {
        const unsigned char byte = (unsigned char)*text;
        if (byte >= 0x80) *to++ = (char)(0xc0 | byte >> 6);
        *to++ = (char)(byte < 0x80 ? byte : 0x80 | (byte & 0x3f));
    }
    *to = '\0';
    return out;
}

/* What is no UTF-8 where it should be is taken for Latin-1, as all else is. */
static bool add_texts(png_structp png, png_infop info, cJSON *texts)
{
    png_textp text = NULL;
    int n = 0;
    bool ok = true;
    png_get_text(png, info, &text, &n);
    for (int k = 0; k < n && ok; k++) {
        const bool utf8 = text[k].compression >= PNG_ITXT_COMPRESSION_NONE && rheo_utf8_check(text[k].text, strlen(text[k].text)) ==
                                                                                  strlen(text[k].text);
        char *key = from_latin1(text[k].key), *value = utf8 ? strdup(text[k].text) : from_latin1(text[k].text);
        cJSON *object = key && value && !strcmp(key, "rheo") ? cJSON_Parse(value) : NULL;
        if (cJSON_IsObject(object)) ok = cJSON_AddItemToObject(texts, key, object);
        else cJSON_Delete(object), ok = key && value && cJSON_AddStringToObject(texts, key, value);
        free(key);
        free(value);
    }
    return ok;
}

/* With texts, those of the file are added to it. */
static rheo_status read_file(const char *path, uint8_t **pixels, uint32_t *h, uint32_t *w, uint32_t *c, cJSON *texts, rheo_error *err)
{
    rheo_error why = RHEO_ERROR_INIT;
    uint64_t bytes = 0;
    FILE *f = fopen(path, "rb");
    if (!f) return rheo_fail(err, RHEO_EFILE, "%s: cannot be opened: %s", path, strerror(errno));
    if (rheo_file_size(path, &bytes, NULL)) bytes = UINT32_MAX; /* a pipe's is not known */
    uint64_t most = bytes * DEFLATE + OVERHEAD;
    rheo_status st = check_signature(path, f, err);
    png_structp png =
        st ? NULL : png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &why, keep_error, ignore_warning, &most, allocate, release);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!st) st = info ? decode(png, info, f, path, bytes, &why, pixels, h, w, c, err) : rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
    if (!st && texts && !add_texts(png, info, texts)) st = rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
    png_destroy_read_struct(&png, &info, NULL);
    fclose(f);
    return st;
}

rheo_status rheo_png_read(const char *path, uint8_t **pixels, uint32_t *h, uint32_t *w, uint32_t *c, rheo_error *err)
{
    return read_file(path, pixels, h, w, c, NULL, err);
}

rheo_status rheo_png_describe(const char *path, cJSON *to, rheo_error *err)
{
    uint8_t *pixels = NULL;
    uint32_t h = 0, w = 0, c = 0;
    cJSON *picture = cJSON_AddObjectToObject(to, "picture"), *texts = cJSON_AddObjectToObject(to, "text");
    if (!picture || !texts) return rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
    const rheo_status st = read_file(path, &pixels, &h, &w, &c, texts, err);
    free(pixels);
    if (st) return st;
    const bool ok = cJSON_AddNumberToObject(picture, "height", h) && cJSON_AddNumberToObject(picture, "width", w) &&
                    cJSON_AddNumberToObject(picture, "channels", c);
    return ok ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
}

bool rheo_png_is(const char *path)
{
    png_byte start[SIGNATURE];
    FILE *f = fopen(path, "rb");
    const bool is = f && fread(start, 1, sizeof start, f) == sizeof start && !png_sig_cmp(start, 0, sizeof start);
    if (f) fclose(f);
    return is;
}
