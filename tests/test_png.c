/* Pictures (score 13), read back through libpng. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <zlib.h>

#include "data/png.h"
#include "expect.h"
#include "scratch.h"

/* Reads an 8-bit PNG back through libpng, and the text of one key. */
static uint8_t *read_png(const char *path, uint32_t *h, uint32_t *w, uint32_t *c, const char *key, char *value, size_t size)
{
    FILE *f = fopen(path, "rb");
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_textp text;
    int n;
    cr_assert(f && !setjmp(png_jmpbuf(png)), "libpng cannot read %s", path);
    png_init_io(png, f);
    png_read_png(png, info, 0, NULL);
    *h = png_get_image_height(png, info);
    *w = png_get_image_width(png, info);
    *c = png_get_channels(png, info);
    cr_assert_eq(png_get_bit_depth(png, info), 8);
    uint8_t *pixels = malloc((size_t)*h * *w * *c);
    for (uint32_t y = 0; y < *h; y++) memcpy(pixels + (size_t)y * *w * *c, png_get_rows(png, info)[y], (size_t)*w * *c);
    *value = 0;
    png_get_text(png, info, &text, &n);
    for (int k = 0; k < n; k++)
        if (!strcmp(text[k].key, key)) snprintf(value, size, "%s", text[k].text);
    png_destroy_read_struct(&png, &info, NULL);
    fclose(f);
    return pixels;
}

Test(png, grid)
{
    enum { N = 5, H = 3, W = 4 };
    static const rheo_grid_text text = { .made_by = "{\"name\": \"Größe 2.5σ\"}" };
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    char value[80];
    for (uint32_t c = 1; c <= 3; c += 2) {
        uint8_t images[N * H * W * 3];
        uint32_t h, w, channels;
        for (size_t k = 0; k < sizeof images; k++) images[k] = (uint8_t)(k % 254 + 1);
        ASSERT_OK(rheo_grid_write(scratch_file(&s, "g.png"), images, N, H, W, c, 0, &text, &err));
        uint8_t *p = read_png(s.path, &h, &w, &channels, "rheo", value, sizeof value);
        cr_assert(w == 3 * (W + 2) + 2 && h == 2 * (H + 2) + 2 && channels == c, "5 images stand in 3 columns and 2 rows");
        cr_assert_str_eq(value, text.made_by);
        size_t lit = 0, right = 0;
        for (size_t k = 0; k < (size_t)h * w * c; k++) lit += p[k] != 0;
        cr_assert_eq(lit, N * H * W * c, "all else is black");
        for (uint32_t k = 0; k < N; k++)
            for (uint32_t y = 0; y < H; y++)
                for (uint32_t x = 0; x < W * c; x++)
                    right += p[((k / 3 * (H + 2) + 2 + y) * w + k % 3 * (W + 2) + 2) * c + x] == images[(k * H + y) * W * c + x];
        cr_assert_eq(right, lit);
        free(p);
        ASSERT_OK(rheo_grid_write(scratch_file(&s, "g.png"), images, N, H, W, c, 2, NULL, &err));
        p = read_png(s.path, &h, &w, &channels, "Software", value, sizeof value);
        cr_assert(w == 2 * (W + 2) + 2 && h == 3 * (H + 2) + 2);
        cr_assert(!strncmp(value, "rheo ", 5), "%s", value);
        free(p);
    }
    static const uint8_t dot[4] = { 0 };
    static const rheo_png_text nameless = { "", "x" };
    ASSERT_FAILS(rheo_png_write("/none/x.png", dot, 1, 1, 1, NULL, 0, &err), RHEO_EFILE, "No such file");
    ASSERT_FAILS(rheo_png_write(s.path, dot, 1, 1, 4, NULL, 0, &err), RHEO_EINVAL, "in 4 channels");
    ASSERT_FAILS(rheo_png_write(s.path, dot, 0, 1, 1, NULL, 0, &err), RHEO_EINVAL, "0 x 1");
    ASSERT_FAILS(rheo_grid_write(s.path, dot, ~0u, ~0u, ~0u, 1, 0, NULL, &err), RHEO_EINVAL, "cannot be written");
    ASSERT_FAILS(rheo_grid_write(s.path, dot, 0, 1, 1, 1, 0, NULL, &err), RHEO_EINVAL, "0 images");
    ASSERT_FAILS(rheo_png_write(s.path, dot, 1, 1, 1, &nameless, 1, &err), RHEO_EFILE, "keyword");
    cr_assert_eq(scratch_count(&s), 1, "the earlier picture stands, nothing half-written beside it");
    scratch_remove(&s);
}

/* What stands left of the images of a row is its label: white on black, one for each text. */
Test(png, rows_with_labels)
{
    enum { ROWS = 3, ACROSS = 2, W = 5 };
    static const char *const labels[ROWS] = { "0.25", "1", "0.25" };
    static const uint32_t heights[] = { 4, 28 };
    const rheo_grid_text text = { .labels = labels };
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    for (int j = 0; j < 2; j++) {
        const uint32_t high = heights[j], pitch = (high < 12 ? 12 : high) + 2;
        uint8_t images[ROWS * ACROSS * 28 * W], *p = NULL;
        uint32_t h, w, c;
        memset(images, 100, sizeof images);
        ASSERT_OK(rheo_grid_write(scratch_file(&s, "l.png"), images, ROWS * ACROSS, high, W, 1, ACROSS, &text, &err));
        ASSERT_OK(rheo_png_read(s.path, &p, &h, &w, &c, &err));
        const uint32_t left = w - ACROSS * (W + 2);
        cr_assert(h == ROWS * pitch + 2 && left > 20 && left < 40, "%u x %u", h, w);
        uint32_t white[ROWS] = { 0 }, grey = 0, other = 0;
        for (uint32_t k = 0; k < h * w; k++) {
            white[k / w / pitch % ROWS] += p[k] == 255 && k % w < left;
            grey += p[k] == 100 && k % w >= left;
            other += p[k] != 0 && p[k] != (k % w < left ? 255 : 100);
        }
        cr_assert(grey == ROWS * ACROSS * high * W && other == 0, "%u grey, %u others", grey, other);
        cr_assert(white[0] > 20 && white[0] == white[2] && white[1] > 4 && white[1] < white[0] / 2, "%u %u", white[0], white[1]);
        free(p);
    }
    scratch_remove(&s);
}

/* Of our own writing, and Latin-1 as other programs write it, before the pixels and behind them. */
Test(png, texts_are_read_back)
{
    static const rheo_grid_text text = { .about = "a σ of 2", .made_by = "{\"command\":\"sample\",\"options\":{\"seed\":7}}" };
    static const uint8_t dot[2] = { 1, 2 };
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    char *json = NULL;
    ASSERT_OK(rheo_grid_write(scratch_file(&s, "t.png"), dot, 2, 1, 1, 1, 2, &text, &err));
    ASSERT_OK(rheo_describe(s.path, &json, &err));
    cJSON *o = cJSON_Parse(json), *texts = cJSON_GetObjectItem(o, "text");
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(texts, "Description")), text.about);
    cr_assert_eq(cJSON_GetObjectItem(cJSON_GetObjectItem(cJSON_GetObjectItem(texts, "rheo"), "options"), "seed")->valueint, 7);
    cr_assert_eq(cJSON_GetObjectItem(cJSON_GetObjectItem(o, "picture"), "width")->valueint, 8);
    cJSON_Delete(o);
    rheo_free(json);

    FILE *f = fopen(scratch_file(&s, "other.png"), "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png), behind = png_create_info_struct(png);
    char key[] = "Title", value[] = "Gr\xf6\xdf" "e", late[] = "Comment", rheo[] = "rheo", half[] = "{\"seed\":";
    cr_assert(f && !setjmp(png_jmpbuf(png)));
    png_init_io(png, f);
    png_set_IHDR(png, info, 1, 1, 8, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_text(png, info, &(png_text){ .compression = PNG_TEXT_COMPRESSION_zTXt, .key = key, .text = value }, 1);
    png_set_text(png, info, &(png_text){ .compression = PNG_TEXT_COMPRESSION_NONE, .key = rheo, .text = half }, 1);
    png_write_info(png, info);
    png_write_row(png, dot);
    png_set_text(png, behind, &(png_text){ .compression = PNG_TEXT_COMPRESSION_NONE, .key = late, .text = key }, 1);
    png_write_end(png, behind);
    png_destroy_info_struct(png, &behind);
    png_destroy_write_struct(&png, &info);
    fclose(f);
    ASSERT_OK(rheo_describe(s.path, &json, &err));
    o = cJSON_Parse(json), texts = cJSON_GetObjectItem(o, "text");
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(texts, "Title")), "Größe");
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(texts, "Comment")), "Title");
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(texts, "rheo")), half, "what is no object stays as it is");
    cJSON_Delete(o);
    rheo_free(json);
    scratch_put(&s, "other.png", "\x89PNG\r\n\x1a\n", 8);
    ASSERT_FAILS(rheo_describe(s.path, &json, &err), RHEO_EFORMAT, "other.png: damaged");
    scratch_remove(&s);
}

Test(png, quantise)
{
    uint8_t out[256];
    float x[256];
    for (int v = 0; v < 256; v++) x[v] = (float)v / 255.0f;
    rheo_quantise(x, 256, out);
    for (int v = 0; v < 256; v++) cr_assert_eq(out[v], v);
    const float odd[5] = { -1, 2, NAN, INFINITY, -INFINITY };
    rheo_quantise(odd, 5, out);
    cr_assert(out[0] == 0 && out[1] == 255 && out[2] == 0 && out[3] == 255 && out[4] == 0);
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

typedef struct kind {
    int type, bits, interlace;
    uint32_t channels;       /* as read */
} kind;

enum { HIGH = 5, WIDE = 7 };

/* What pixel k's channel c is, as 8 bits: of few bits, so that every kind can hold it. */
static uint8_t value_of(const kind *it, uint32_t k, uint32_t c)
{
    const unsigned levels = it->bits < 8 ? 1u << it->bits : 256;
    return (uint8_t)((it->type == PNG_COLOR_TYPE_PALETTE ? k % (levels < 6 ? levels : 6) * 40 + c * 3 : (k * 37 + c * 11) % levels * (255 / (levels - 1))));
}

/* Writes HIGH x WIDE pixels, with something in the alpha channel. */
static void write_kind(const char *path, const kind *it)
{
    FILE *f = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_color palette[6];
    uint8_t row[HIGH][WIDE * 8];
    png_bytep rows[HIGH];
    cr_assert(f && !setjmp(png_jmpbuf(png)));
    const uint32_t stored = it->type == PNG_COLOR_TYPE_PALETTE ? 1 : it->channels + !!(it->type & PNG_COLOR_MASK_ALPHA);
    png_init_io(png, f);
    png_set_IHDR(png, info, WIDE, HIGH, it->bits, it->type, it->interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    const int colours = it->bits < 3 ? 1 << it->bits : 6;
    for (uint32_t k = 0; k < 6; k++) palette[k] = (png_color){ value_of(it, k, 0), value_of(it, k, 1), value_of(it, k, 2) };
    if (it->type == PNG_COLOR_TYPE_PALETTE) {
        png_set_PLTE(png, info, palette, colours);
        png_set_tRNS(png, info, (png_byte[]){ 0, 9 }, 2, NULL);
    }
    memset(row, 0, sizeof row);
    for (uint32_t y = 0; y < HIGH; y++) {
        rows[y] = row[y];
        for (uint32_t x = 0; x < WIDE; x++)
            for (uint32_t c = 0; c < stored; c++) {
                const uint32_t k = y * WIDE + x, at = x * stored + c;
                const unsigned v = it->type == PNG_COLOR_TYPE_PALETTE ? k % (unsigned)colours : c < it->channels ? value_of(it, k, c) : k % 200;
                if (it->bits == 16) row[y][2 * at] = row[y][2 * at + 1] = (uint8_t)v;       /* 257 v */
                else if (it->bits == 8) row[y][at] = (uint8_t)v;
                else {
                    const unsigned stay = it->type == PNG_COLOR_TYPE_PALETTE ? v : v / (255u / ((1u << it->bits) - 1));
                    row[y][at * it->bits / 8] |= (uint8_t)(stay << (8 - it->bits - at * it->bits % 8));
                }
            }
    }
    png_set_rows(png, info, rows);
    png_write_png(png, info, 0, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(f);
}

Test(png, reads_every_kind)
{
    static const kind kinds[] = {
        { PNG_COLOR_TYPE_GRAY, 1, 0, 1 },       { PNG_COLOR_TYPE_GRAY, 2, 0, 1 },       { PNG_COLOR_TYPE_GRAY, 4, 1, 1 },
        { PNG_COLOR_TYPE_GRAY, 8, 0, 1 },       { PNG_COLOR_TYPE_GRAY, 16, 0, 1 },      { PNG_COLOR_TYPE_GRAY_ALPHA, 8, 1, 1 },
        { PNG_COLOR_TYPE_GRAY_ALPHA, 16, 0, 1 }, { PNG_COLOR_TYPE_PALETTE, 1, 0, 3 },   { PNG_COLOR_TYPE_PALETTE, 2, 0, 3 },
        { PNG_COLOR_TYPE_PALETTE, 4, 0, 3 },    { PNG_COLOR_TYPE_PALETTE, 8, 1, 3 },    { PNG_COLOR_TYPE_RGB, 8, 0, 3 },
        { PNG_COLOR_TYPE_RGB, 16, 1, 3 },       { PNG_COLOR_TYPE_RGB_ALPHA, 8, 0, 3 },  { PNG_COLOR_TYPE_RGB_ALPHA, 16, 0, 3 },
    };
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    for (size_t j = 0; j < sizeof kinds / sizeof *kinds; j++) {
        const kind *it = &kinds[j];
        uint8_t *p = NULL;
        uint32_t h, w, c;
        write_kind(scratch_file(&s, "k.png"), it);
        ASSERT_OK(rheo_png_read(s.path, &p, &h, &w, &c, &err));
        cr_assert(h == HIGH && w == WIDE && c == it->channels, "type %d, %d bits: found %u x %u x %u", it->type, it->bits, h, w, c);
        for (uint32_t k = 0; k < HIGH * WIDE; k++)
            for (uint32_t i = 0; i < c; i++)
                cr_assert_eq(p[k * c + i], value_of(it, k, i), "type %d, %d bits: pixel %u is %u, expected %u", it->type, it->bits, k,
                             p[k * c + i], value_of(it, k, i));
        free(p);
    }
    scratch_remove(&s);
}

Test(png, refuses_bad_files)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    const kind rgb = { PNG_COLOR_TYPE_RGB, 8, 0, 3 };
    uint8_t file[4096], *p = NULL;
    uint32_t h, w, c;
    write_kind(scratch_file(&s, "good.png"), &rgb);
    FILE *f = fopen(s.path, "rb");
    const size_t size = fread(file, 1, sizeof file, f);
    fclose(f);
    ASSERT_FAILS(rheo_png_read(scratch_file(&s, "none.png"), &p, &h, &w, &c, &err), RHEO_EFILE, "none.png: cannot be opened");
    scratch_put(&s, "b.png", "", 0);
    ASSERT_FAILS(rheo_png_read(s.path, &p, &h, &w, &c, &err), RHEO_EFORMAT, "b.png: found 0 bytes, expected a PNG file");
    scratch_put(&s, "b.png", "GIF89a......", 12);
    ASSERT_FAILS(rheo_png_read(s.path, &p, &h, &w, &c, &err), RHEO_EFORMAT, "begins with bytes 47 49 46 38, expected 89 50 4e 47");
    for (size_t n = 8; n < size; n++) {         /* cut anywhere */
        scratch_put(&s, "b.png", file, n);
        ASSERT_FAILS(rheo_png_read(s.path, &p, &h, &w, &c, &err), RHEO_EFORMAT, "damaged");
    }
    for (size_t k = 8; k < size; k++) {         /* a bit anywhere: refused, or what it says is read */
        file[k] ^= 4;
        scratch_put(&s, "b.png", file, size);
        err = (rheo_error)RHEO_ERROR_INIT;
        if (!rheo_png_read(s.path, &p, &h, &w, &c, &err)) free(p);
        else cr_assert(strstr(err.text, "b.png: ") && !strchr(err.text, '\n'));
        file[k] ^= 4;
    }
    /* A text chunk of 1.9 GB, so it says, behind the header: no memory is taken for it. */
    uint8_t text[45];
    struct rusage before, after;
    memcpy(text, file, 33);
    memcpy(text + 33, "\x72\x75\x65\x14zTXt...", 12);
    scratch_put(&s, "b.png", text, sizeof text);
    getrusage(RUSAGE_SELF, &before);
    ASSERT_FAILS(rheo_png_read(s.path, &p, &h, &w, &c, &err), RHEO_EFORMAT, "damaged in its header");
    getrusage(RUSAGE_SELF, &after);
    cr_assert_lt(after.ru_maxrss - before.ru_maxrss, 256 << 10, "KiB");
    static const struct { char shape[9]; const char *message; } large[] = {
        { "\x00\x01\x00\x00\x00\x01\x00\x00", "found 65536 x 65536 pixels, expected at most 67108864" },
        { "\x00\x00\x20\x00\x00\x00\x20\x00", "bytes, too few for 8192 x 8192 pixels" },
        { "\x00\x00\x00\x07\x04\x00\x00\x01", "damaged in its header" },
    };
    for (size_t j = 0; j < sizeof large / sizeof *large; j++) {        /* under a right checksum */
        memcpy(file + 16, large[j].shape, 8);
        const uint32_t crc = (uint32_t)crc32(0, file + 12, 17);
        for (int k = 0; k < 4; k++) file[29 + k] = (uint8_t)(crc >> (24 - 8 * k));
        scratch_put(&s, "b.png", file, size);
        ASSERT_FAILS(rheo_png_read(s.path, &p, &h, &w, &c, &err), RHEO_EFORMAT, large[j].message);
    }
    scratch_remove(&s);
}
