/* Formats of images: one file a format. */
#ifndef RHEO_DATA_FORMAT_H
#define RHEO_DATA_FORMAT_H

#include <stdbool.h>

#include "data/dataset.h"

typedef struct rheo_source {
    const char *folder;
    uint32_t size;           /* of formats whose images have sizes of their own: square, cropped and resized to it; 0: as they are */
} rheo_source;

typedef struct rheo_image_shape {
    uint32_t h, w, c;
} rheo_image_shape;

/* A part is the training images (validation ones among them), or with `test` the test images. */
typedef struct rheo_format {
    const char *name;
    bool (*probe)(const char *folder);          /* looks like it, by names alone */
    /* The files that rows of any part depend on, into an empty list; none where reading them takes no decoding. */
    rheo_status (*files)(const char *folder, rheo_listing *l, rheo_error *err);
    /* Names of the classes by number, into an empty list that stays empty where there are none; NULL: the format has none. */
    rheo_status (*classes)(const char *folder, rheo_listing *names, rheo_error *err);
    /* What images of a part are, from headers, before any is read. */
    rheo_status (*shape)(const rheo_source *from, bool test, rheo_image_shape *shape, rheo_error *err);
    /* All rows of a part; *shape is what the other call said, and what the rows are. The caller frees them, whatever is returned. */
    rheo_status (*read)(const rheo_source *from, bool test, rheo_rows *rows, rheo_image_shape *shape, rheo_error *err);
} rheo_format;

extern const rheo_format rheo_format_idx, rheo_format_cifar, rheo_format_images;
extern const rheo_format rheo_format_npy;       /* of one file; its "folder" is that */

#endif
