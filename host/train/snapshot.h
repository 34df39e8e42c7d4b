/* Training state in host memory: what a checkpoint file holds and what training returns to. */
#ifndef RHEO_TRAIN_SNAPSHOT_H
#define RHEO_TRAIN_SNAPSHOT_H

#include "train/step.h"

/* The flat arrays of the trained parameters that a state consists of. */
typedef enum rheo_flat { RHEO_FLAT_THETA, RHEO_FLAT_EMA, RHEO_FLAT_M, RHEO_FLAT_V, RHEO_FLATS } rheo_flat;

typedef struct rheo_snapshot {
    float *flat[RHEO_FLATS], *fixed;
    uint64_t step;           /* training steps done: the position of shuffle and random numbers */
    uint64_t applied, skipped, skipped_row;
    uint64_t best_step;
    double rate;             /* the base rate, after any halving */
    double seconds;          /* spent training */
    double best;             /* on the validation split; NAN before the first */
} rheo_snapshot;

/* flats: bits 1 << RHEO_FLAT_* of the arrays to allocate; what `params` says of sizes. */
rheo_status rheo_snapshot_create(const rheo_params *params, unsigned flats, rheo_snapshot *out, rheo_error *err);
void rheo_snapshot_free(rheo_snapshot *s);

/* Between host and device; both wait for it. Of the numbers, what lives on the device: applied, skipped and rate. What is written
 * is a state between steps: sums of accumulation and of the host's looks are empty. */
rheo_status rheo_snapshot_read(rheo_snapshot *s, rheo_trainstep *from, rheo_error *err);
rheo_status rheo_snapshot_write(const rheo_snapshot *s, rheo_trainstep *to, uint64_t seed, rheo_error *err);

#endif
