/* PNG files: their pixels, and the texts in them. libpng's own code is not instrumented: what is looked for is how its ways out are taken,
 * and what our limits let through. */
#include <cjson/cJSON.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "data/png.h"
#include "fuzz.h"

enum { HIGH = 5, WIDE = 7, SIGNATURE = 8, AROUND = 12 /* bytes of a chunk that are not its data */ };

size_t LLVMFuzzerMutate(uint8_t *data, size_t bytes, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t most, unsigned seed);

static uint32_t number_at(const uint8_t *x) { return (uint32_t)x[0] << 24 | (uint32_t)x[1] << 16 | (uint32_t)x[2] << 8 | x[3]; }

/* A change nearly always breaks a checksum, behind which nothing new would be seen: most are set right. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t most, unsigned seed)
{
    const size_t n = LLVMFuzzerMutate(data, bytes, most);
    for (size_t at = SIGNATURE; seed % 8 && at + AROUND <= n && number_at(data + at) <= n - at - AROUND; at += number_at(data + at) + AROUND) {
        const uint32_t length = number_at(data + at), sum = (uint32_t)crc32(0, data + at + 4, length + 4);
        for (int k = 0; k < 4; k++) data[at + 8 + length + k] = (uint8_t)(sum >> (24 - 8 * k));
    }
    return n;
}

static void seed(int type, int bits, int interlace, int level)
{
    static char title[] = "Title", value[] = "Gr\xf6\xdf" "e", rheo[] = "rheo", made_by[] = "{\"options\":{\"n\":\"\xcf\x83\"}}";
    png_text text[] = { { .compression = PNG_TEXT_COMPRESSION_zTXt, .key = title, .text = value },
                        { .compression = PNG_ITXT_COMPRESSION_NONE, .key = rheo, .text = made_by },
                        { .compression = PNG_TEXT_COMPRESSION_NONE, .key = rheo, .text = made_by } };
    static const png_color palette[2] = { { 1, 2, 3 }, { 200, 100, 50 } };
    png_byte row[HIGH][WIDE * 8];
    png_bytep rows[HIGH];
    char path[100];
    snprintf(path, sizeof path, "%s/seed.png", fuzz_folder());
    FILE *f = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!f || !info || setjmp(png_jmpbuf(png))) abort();
    for (int y = 0; y < HIGH; y++) {
        for (int k = 0; k < WIDE * 8; k++) row[y][k] = (png_byte)((y * WIDE * 8 + k) * 37);
        rows[y] = row[y];
    }
    png_init_io(png, f);
    png_set_compression_level(png, level);
    png_set_IHDR(png, info, WIDE, HIGH, bits, type, interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (type == PNG_COLOR_TYPE_PALETTE) {
        png_set_PLTE(png, info, palette, 2);
        png_set_tRNS(png, info, (png_byte[]){ 9 }, 1, NULL);
    }
    png_set_text(png, info, text, level ? 3 : 0);
    png_set_rows(png, info, rows);
    png_write_png(png, info, 0, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(f);
    fuzz_seed_file(path);
}

/* Those of level 0 hold the rows as they are. */
void fuzz_seeds(void)
{
    seed(PNG_COLOR_TYPE_GRAY, 1, PNG_INTERLACE_NONE, 0);
    seed(PNG_COLOR_TYPE_PALETTE, 1, PNG_INTERLACE_ADAM7, 6);
    seed(PNG_COLOR_TYPE_RGB, 16, PNG_INTERLACE_ADAM7, 0);
    seed(PNG_COLOR_TYPE_RGB_ALPHA, 8, PNG_INTERLACE_NONE, 6);
    seed(PNG_COLOR_TYPE_GRAY_ALPHA, 16, PNG_INTERLACE_NONE, 0);
}

void fuzz_parse(const char *path)
{
    uint8_t *pixels = NULL;
    uint32_t h = 0, w = 0, c = 0;
    rheo_error err = RHEO_ERROR_INIT;
    const rheo_status st = rheo_png_read(path, &pixels, &h, &w, &c, &err);
    fuzz_check(st, &err);
    if (!st && (!h || !w || (c != 1 && c != 3))) abort();
    free(pixels);

    rheo_error why = RHEO_ERROR_INIT;
    cJSON *texts = cJSON_CreateObject();
    const rheo_status described = texts ? rheo_png_describe(path, texts, &why) : RHEO_ENOMEM;
    fuzz_check(described, &why);
    if (described != st) abort();
    cJSON_Delete(texts);
}
