/* Batches on their way from a data set to the training step, and the step over them: what training repeats, and what is timed in its place. */
#ifndef RHEO_TRAIN_BATCHES_H
#define RHEO_TRAIN_BATCHES_H

#include "train/feed.h"
#include "train/step.h"

/* A batch is filled while the device works on the one before; it is at most two (micro-)steps behind. */
typedef struct rheo_batches {
    const rheo_recipe *recipe;      /* lent */
    rheo_trainstep *step;           /* lent */
    rheo_feed feed;
    float *staging[2];              /* each batch before its classes, in turn, */
    cl_event passed[2];             /* and marks behind the (micro-)steps that read them */
    int turn;
} rheo_batches;

/* Of the training rows of `data`, which is lent like the rest. */
rheo_status rheo_batches_create(rheo_trainstep *step, const rheo_recipe *recipe, const rheo_dataset *data, rheo_batches *out, rheo_error *err);
void rheo_batches_free(rheo_batches *b);        /* before the step; waits for the device; accepts zeroed ones */

/* Writes the parameters' first values, of models whose initialisation depends on data by the first n training rows. */
rheo_status rheo_batches_initialise(rheo_batches *b, int64_t n, rheo_error *err);

/* Queues the batch of micro-step `micro` of step `step`. */
rheo_status rheo_batches_upload(rheo_batches *b, uint64_t step, int64_t micro, rheo_error *err);
/* Queues step `step`, counted from 0, with its batches. */
rheo_status rheo_batches_train(rheo_batches *b, uint64_t step, rheo_error *err);

#endif
