/* Rows of a data set as batches. Which rows a training step sees is a function of (seed, step) alone: the sequence of all epochs'
 * shuffles is cut into batches, so that every batch is full. */
#ifndef RHEO_TRAIN_FEED_H
#define RHEO_TRAIN_FEED_H

#include "data/augment.h"
#include "data/dataset.h"
#include "model/model.h"

typedef struct rheo_feed {
    const rheo_rows *rows;   /* lent */
    int64_t dims;            /* numbers a row */
    uint64_t seed;
    rheo_augment augment;    /* of images; zeroed by create: none */
    uint32_t *order;         /* [rows->count], of `epoch` */
    uint64_t epoch;
} rheo_feed;

rheo_status rheo_feed_create(const rheo_rows *rows, int64_t dims, uint64_t seed, rheo_feed *out, rheo_error *err);
void rheo_feed_free(rheo_feed *f);

/* Rows first .. first + n - 1 of the sequence into out [n, dims]; bytes as 0..255. */
void rheo_feed_fill(rheo_feed *f, uint64_t first, int64_t n, float *out);

/* Rows first .. first + n - 1 in their own order; what lies beyond the end repeats the last row. */
void rheo_rows_fill(const rheo_rows *rows, int64_t dims, uint32_t first, int64_t n, float *out);

/* Weights of the classes of the same rows, one-hot; all alike where the rows have no labels. out [n, classes] */
void rheo_feed_fill_classes(rheo_feed *f, uint64_t first, int64_t n, int64_t classes, float *out);
void rheo_rows_fill_classes(const rheo_rows *rows, uint32_t first, int64_t n, int64_t classes, float *out);

/* The shape a model of this data has, and whether it is `expected`; `what` begins the message. */
rheo_data_shape rheo_shape_of_data(const rheo_dataset *data);
rheo_status rheo_check_data(const rheo_dataset *data, rheo_data_shape expected, rheo_error *err);

#endif
