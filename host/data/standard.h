/* Standardisation: columns of numbers less their mean and divided by their deviation, and back. */
#ifndef RHEO_DATA_STANDARD_H
#define RHEO_DATA_STANDARD_H

#include "base/error.h"

enum { RHEO_COLUMN_NAME = 128 };

/* Of the training rows. A column of arrays is a channel, all places together. */
typedef struct rheo_column {
    char name[RHEO_COLUMN_NAME];        /* UTF-8; its number, from 1, where the source has no names */
    double mean, deviation;
    double least, most;                 /* not kept by checkpoints */
} rheo_column;

typedef struct rheo_standard {          /* a zeroed one leaves everything as it is */
    uint32_t columns;
    rheo_column *column;                /* owned */
} rheo_standard;

/* Least and largest of means and deviations, and of a table's numbers: samples come out as floats. */
#define RHEO_STANDARD_MOST 1e30

rheo_status rheo_standard_copy(const rheo_standard *s, rheo_standard *out, rheo_error *err);
void rheo_standard_free(rheo_standard *s);

/* (x - mean) / deviation of `count` numbers, whose columns take turns; and x again, in place. */
void rheo_standard_apply(const rheo_standard *s, const float *x, size_t count, float *out);
void rheo_standard_undo(const rheo_standard *s, float *x, size_t count);

/* Sum of log deviation over a sample of `dims` numbers, in nats: log p(x) = log p(standardised x) - this. */
double rheo_standard_nats(const rheo_standard *s, int64_t dims);

#endif
