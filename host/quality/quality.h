/* How good samples are, by measures that need no downloaded network (score 11), each beside what held-out data reach. */
#ifndef RHEO_QUALITY_QUALITY_H
#define RHEO_QUALITY_QUALITY_H

#include "data/dataset.h"
#include "quality/measures.h"
#include "quality/pca.h"

/* Pixels of image rows as v / 255, [count, h w c]; the caller frees. NULL when out of memory. */
float *rheo_pixels_of(const rheo_dataset *data, const rheo_rows *rows, uint32_t count);

/* All measures of `samples` (pixels from 0 to 1) and, as the floor, of as many test images, both against the training images.
 * data holds the splits train and test. Errors: RHEO_EINVAL where there are too few rows. */
rheo_status rheo_quality_of(const rheo_dataset *data, rheo_points samples, uint64_t seed, rheo_quality *out, rheo_error *err);

/* Each sample followed by its `count` nearest training images, bytes [n, 1 + count, h, w, c]. Mirrored ones count as near too. */
rheo_status rheo_nearest_pictures(const rheo_dataset *data, rheo_points samples, int count, uint8_t *out, rheo_error *err);

#endif
