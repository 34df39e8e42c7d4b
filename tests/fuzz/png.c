/* PNG files. libpng's own code is not instrumented: what is looked for is how its ways out are taken. */
#include "data/png.h"

#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

void fuzz_seeds(void)
{
    static const uint8_t pixels[5 * 7 * 3] = { 255, 0, 0, 9, 8, 7 };
    const rheo_png_text text = { "Description", "a seed" };
    char path[100];
    rheo_error err = RHEO_ERROR_INIT;
    snprintf(path, sizeof path, "%s/a.png", fuzz_folder());
    for (uint32_t c = 1; c <= 3; c += 2) {
        if (rheo_png_write(path, pixels, 5, 7, c, &text, 1, &err)) abort();
        fuzz_seed_file(path);
    }
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
}
