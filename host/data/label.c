/* The glyphs of stb_easy_font are rectangles of whole pixels: all that is needed of a font here, and no file of one. */
#include "data/label.h"

#include <stb_easy_font.h>
#include <string.h>

enum { LONGEST = 24, QUADS = 16 * LONGEST };

typedef struct vertex {
    float x, y, z;
    unsigned char colour[4];
} vertex;

static char *printable(const char *text, char to[LONGEST + 1])
{
    size_t n = 0;
    for (; text[n] && n < LONGEST; n++) to[n] = text[n] >= 32 && text[n] < 127 ? text[n] : '?';
    to[n] = '\0';
    return to;
}

uint32_t rheo_label_width(const char *text)
{
    char t[LONGEST + 1];
    return (uint32_t)stb_easy_font_width(printable(text, t));
}

void rheo_label_draw(const char *text, uint8_t *pixels, size_t row_bytes, uint32_t c)
{
    vertex quad[QUADS][4];
    char t[LONGEST + 1];
    const int n = stb_easy_font_print(0, 0, printable(text, t), NULL, quad, sizeof quad);
    for (int k = 0; k < n; k++) {
        const size_t left = (size_t)quad[k][0].x, right = (size_t)quad[k][2].x, bottom = (size_t)quad[k][2].y;
        for (size_t y = (size_t)quad[k][0].y; y < bottom; y++) memset(pixels + y * row_bytes + left * c, 255, (right - left) * c);
    }
}
