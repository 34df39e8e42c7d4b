/* libjpeg's default error handler ends the process; this one returns. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#include "base/file.h"
#include "data/picture.h"

typedef struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr handler;
    jmp_buf leave;
    char why[JMSG_LENGTH_MAX];
} decoder;

static void leave(j_common_ptr jpeg)
{
    decoder *d = jpeg->client_data;
    jpeg->err->format_message(jpeg, d->why);
    longjmp(d->leave, 1);
}

/* Warnings of damage that would be shown as grey blocks; others, as of bytes behind the image, are common and harmless. */
static void message(j_common_ptr jpeg, int level)
{
    const int code = jpeg->err->msg_code;
    if (level < 0 && (code == JWRN_HIT_MARKER || code == JWRN_JPEG_EOF || code == JWRN_HUFF_BAD_CODE)) leave(jpeg);
}

static void drop(j_common_ptr jpeg)
{
    (void)jpeg;
}

/* The two calls that libjpeg may leave by longjmp; nothing is owned in them. */
static bool read_header(decoder *d, FILE *f)
{
    if (setjmp(d->leave)) return false;
    jpeg_create_decompress(&d->jpeg);
    jpeg_stdio_src(&d->jpeg, f);
    jpeg_read_header(&d->jpeg, TRUE);
    return true;
}

static bool read_rows(decoder *d, uint8_t *out, size_t row)
{
    if (setjmp(d->leave)) return false;
    jpeg_start_decompress(&d->jpeg);
    while (d->jpeg.output_scanline < d->jpeg.output_height) {
        JSAMPROW at = out + d->jpeg.output_scanline * row;
        jpeg_read_scanlines(&d->jpeg, &at, 1);
    }
    jpeg_finish_decompress(&d->jpeg);
    return true;
}

/* The least bytes that can hold what the header promises: Huffman's codes take a bit and more of each block of 8 x 8. */
static uint64_t least_bytes(const struct jpeg_decompress_struct *jpeg)
{
    uint64_t blocks = 0;
    for (int k = 0; k < jpeg->num_components; k++) blocks += (uint64_t)jpeg->comp_info[k].width_in_blocks * jpeg->comp_info[k].height_in_blocks;
    return jpeg->arith_code ? 0 : blocks / 8;
}

static rheo_status decode(decoder *d, FILE *f, const char *path, uint8_t **pixels, rheo_image_shape *shape, rheo_error *err)
{
    if (!read_header(d, f)) return rheo_fail(err, RHEO_EFORMAT, "%s: no JPEG file, or damaged in its header: %s", path, d->why);
    const uint32_t h = d->jpeg.image_height, w = d->jpeg.image_width, c = d->jpeg.jpeg_color_space == JCS_GRAYSCALE ? 1 : 3;
    if ((uint64_t)h * w > RHEO_PICTURE_PIXELS)
        return rheo_fail(err, RHEO_EFORMAT, "%s: found %u x %u pixels, expected at most %d", path, h, w, RHEO_PICTURE_PIXELS);
    if (d->jpeg.num_components != 1 && d->jpeg.num_components != 3)
        return rheo_fail(err, RHEO_EFORMAT, "%s: found %d components, expected grey or RGB", path, d->jpeg.num_components);
    *shape = (rheo_image_shape){ h, w, c };
    if (!pixels) return RHEO_OK;
    uint64_t bytes = 0;
    const rheo_status sized = rheo_file_size(path, &bytes, err);
    if (sized) return sized;
    if (bytes < least_bytes(&d->jpeg))
        return rheo_fail(err, RHEO_EFORMAT, "%s: damaged: found %" PRIu64 " bytes, expected at least %" PRIu64 " of %u x %u pixels", path, bytes,
                         least_bytes(&d->jpeg), h, w);
    d->jpeg.out_color_space = c == 1 ? JCS_GRAYSCALE : JCS_RGB;
    d->jpeg.dct_method = JDCT_ISLOW;
    uint8_t *out = malloc((size_t)h * w * c);
    if (!out) return rheo_fail(err, RHEO_ENOMEM, "%s: no memory for %u x %u pixels", path, h, w);
    if (!read_rows(d, out, (size_t)w * c)) {
        free(out);
        return rheo_fail(err, RHEO_EFORMAT, "%s: damaged: %s, expected %u x %u pixels", path, d->why, h, w);
    }
    *pixels = out;
    return RHEO_OK;
}

static rheo_status open_and_decode(const char *path, uint8_t **pixels, rheo_image_shape *shape, rheo_error *err)
{
    decoder d;
    memset(&d, 0, sizeof d);
    FILE *f = fopen(path, "rb");
    if (!f) return rheo_fail(err, RHEO_EFILE, "%s: cannot be opened: %s", path, strerror(errno));
    d.jpeg.err = jpeg_std_error(&d.handler);
    d.jpeg.client_data = &d;
    d.handler.error_exit = leave;
    d.handler.emit_message = message;
    d.handler.output_message = drop;
    const rheo_status st = decode(&d, f, path, pixels, shape, err);
    jpeg_destroy_decompress(&d.jpeg);
    fclose(f);
    return st;
}

rheo_status rheo_jpeg_read(const char *path, uint8_t **pixels, rheo_image_shape *shape, rheo_error *err)
{
    return open_and_decode(path, pixels, shape, err);
}

rheo_status rheo_jpeg_shape(const char *path, rheo_image_shape *shape, rheo_error *err)
{
    return open_and_decode(path, NULL, shape, err);
}
