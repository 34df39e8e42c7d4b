/* Pictures (score 13), read back through libpng. */
#include <criterion/criterion.h>
#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

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
    static const rheo_png_text text[] = { { "Software", "rheo" }, { "rheo:config", "{\"name\": \"Größe 2.5σ\"}" } };
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    char value[80];
    for (uint32_t c = 1; c <= 3; c += 2) {
        uint8_t images[N * H * W * 3];
        uint32_t h, w, channels;
        for (size_t k = 0; k < sizeof images; k++) images[k] = (uint8_t)(k % 254 + 1);
        ASSERT_OK(rheo_png_write_grid(scratch_file(&s, "g.png"), images, N, H, W, c, 0, text, 2, &err));
        uint8_t *p = read_png(s.path, &h, &w, &channels, "rheo:config", value, sizeof value);
        cr_assert(w == 3 * (W + 2) + 2 && h == 2 * (H + 2) + 2 && channels == c, "5 images stand in 3 columns and 2 rows");
        cr_assert_str_eq(value, text[1].value);
        size_t lit = 0, right = 0;
        for (size_t k = 0; k < (size_t)h * w * c; k++) lit += p[k] != 0;
        cr_assert_eq(lit, N * H * W * c, "all else is black");
        for (uint32_t k = 0; k < N; k++)
            for (uint32_t y = 0; y < H; y++)
                for (uint32_t x = 0; x < W * c; x++)
                    right += p[((k / 3 * (H + 2) + 2 + y) * w + k % 3 * (W + 2) + 2) * c + x] == images[(k * H + y) * W * c + x];
        cr_assert_eq(right, lit);
        free(p);
        ASSERT_OK(rheo_png_write_grid(scratch_file(&s, "g.png"), images, N, H, W, c, 2, text, 1, &err));
        p = read_png(s.path, &h, &w, &channels, "Software", value, sizeof value);
        cr_assert(w == 2 * (W + 2) + 2 && h == 3 * (H + 2) + 2);
        cr_assert_str_eq(value, "rheo");
        free(p);
    }
    static const uint8_t dot[4] = { 0 };
    static const rheo_png_text nameless = { "", "x" };
    ASSERT_FAILS(rheo_png_write("/none/x.png", dot, 1, 1, 1, NULL, 0, &err), RHEO_EFILE, "No such file");
    ASSERT_FAILS(rheo_png_write(s.path, dot, 1, 1, 4, NULL, 0, &err), RHEO_EINVAL, "in 4 channels");
    ASSERT_FAILS(rheo_png_write(s.path, dot, 0, 1, 1, NULL, 0, &err), RHEO_EINVAL, "0 x 1");
    ASSERT_FAILS(rheo_png_write_grid(s.path, dot, ~0u, ~0u, ~0u, 1, 0, NULL, 0, &err), RHEO_EINVAL, "cannot be written");
    ASSERT_FAILS(rheo_png_write_grid(s.path, dot, 0, 1, 1, 1, 0, NULL, 0, &err), RHEO_EINVAL, "0 images");
    ASSERT_FAILS(rheo_png_write(s.path, dot, 1, 1, 1, &nameless, 1, &err), RHEO_EFILE, "keyword");
    cr_assert_eq(scratch_count(&s), 1, "the earlier picture stands, nothing half-written beside it");
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
