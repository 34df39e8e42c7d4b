/* Random changes of training images that leave them as likely as they were (score 10.7). */
#ifndef RHEO_DATA_AUGMENT_H
#define RHEO_DATA_AUGMENT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct rheo_augment {
    bool flip;               /* mirrored, left for right, with probability 1/2 */
    uint32_t shift;          /* moved by up to so many pixels, down and across each evenly, the border repeated */
    uint32_t h, w, c;        /* of the images */
} rheo_augment;

static inline bool rheo_augments(const rheo_augment *a) { return a->flip || a->shift; }

/* One image x [h, w, c] to out, 0..255; a function of (seed, row, epoch). Flipped first, then moved. */
void rheo_augment_image(const rheo_augment *a, uint64_t seed, uint32_t row, uint32_t epoch, const uint8_t *x, float *out);

#endif
