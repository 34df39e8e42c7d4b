/* Pictures of any file that folders may hold, and what makes them of one size. */
#ifndef RHEO_DATA_PICTURE_H
#define RHEO_DATA_PICTURE_H

#include <stdbool.h>

#include "data/format.h"

enum { RHEO_PICTURE_PIXELS = 64 << 20 };        /* at most */

/* Decoding of JPEG files of at most 64 Mi pixels: grey is 1 channel, all else becomes RGB. *pixels [h, w, c]; the caller frees it.
 * Damage, even where libjpeg could go on with a warning, is RHEO_EFORMAT. (jpeg.c) */
rheo_status rheo_jpeg_read(const char *path, uint8_t **pixels, rheo_image_shape *shape, rheo_error *err);
rheo_status rheo_jpeg_shape(const char *path, rheo_image_shape *shape, rheo_error *err);       /* from the header */

/* Decodes every PNG and JPEG file below a folder and tells of each that cannot be read. (images.c) */
rheo_status rheo_images_check(const char *folder, void (*broken)(void *user, const char *message), void *user, rheo_error *err);

/* Antialiased bilinear resize of bytes (score 10.6): horizontally, to bytes, then vertically. x [h, w, c] to out [to_h, to_w, c].
 * RHEO_ENOMEM. (crop_resize.c) */
rheo_status rheo_resize_bytes(const uint8_t *x, rheo_image_shape from, uint32_t to_h, uint32_t to_w, uint8_t *out, rheo_error *err);

/* The largest square in the middle (the odd pixel is lost right or below), resized to out [size, size, c]; smaller ones grow. */
rheo_status rheo_crop_resize(const uint8_t *x, rheo_image_shape from, uint32_t size, uint8_t *out, rheo_error *err);

#endif
