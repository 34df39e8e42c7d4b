/* JPEG files. libjpeg's own code is not instrumented: what is looked for is how its ways out are taken. */
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include "data/picture.h"
#include "fuzz.h"

static void seed(int c, boolean progressive)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr handler;
    unsigned char *file = NULL, row[16 * 3];
    unsigned long bytes = 0;
    jpeg.err = jpeg_std_error(&handler);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &file, &bytes);
    jpeg.image_height = 9, jpeg.image_width = 16, jpeg.input_components = c;
    jpeg.in_color_space = c == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&jpeg);
    if (progressive) jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < 9; y++) {
        JSAMPROW at = row;
        for (size_t k = 0; k < sizeof row; k++) row[k] = (unsigned char)(k * 37 + (size_t)y * 91);
        jpeg_write_scanlines(&jpeg, &at, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    fuzz_seed(file, bytes);
    free(file);
}

void fuzz_seeds(void)
{
    seed(1, FALSE);
    seed(3, FALSE);
    seed(3, TRUE);
}

void fuzz_parse(const char *path)
{
    uint8_t *pixels = NULL;
    rheo_image_shape s = { 0, 0, 0 };
    rheo_error err = RHEO_ERROR_INIT;
    const rheo_status st = rheo_jpeg_read(path, &pixels, &s, &err);
    fuzz_check(st, &err);
    if (!st && (!s.h || !s.w || (s.c != 1 && s.c != 3))) abort();
    free(pixels);
}
