/* IDX files (MNIST's format, score 10.1), raw or gzipped. */
#ifndef RHEO_DATA_IDX_H
#define RHEO_DATA_IDX_H

#include "data/dataset.h"

typedef struct rheo_idx {
    uint32_t dim[3];         /* unused ones are 1 */
    size_t bytes;            /* product of the dimensions */
    uint8_t *data;
} rheo_idx;

/* Reads unsigned bytes of `rank` dimensions (1 or 3), all above zero, with neither more nor less data than the header
 * says. The caller frees out->data. */
rheo_status rheo_idx_read(const char *path, int rank, rheo_idx *out, rheo_error *err);

/* The sizes of the images of one part ("train" or "t10k") of a folder, from the file's header. */
rheo_status rheo_idx_part_sizes(const char *folder, const char *part, uint32_t *h, uint32_t *w, rheo_error *err);

/* Images and, where there is a file, labels of one part; fills rows and the sizes. */
rheo_status rheo_idx_read_part(const char *folder, const char *part, rheo_rows *rows, uint32_t *h, uint32_t *w, rheo_error *err);

#endif
