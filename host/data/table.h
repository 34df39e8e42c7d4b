/* Tables of numbers (.csv, .npy) on their way to a data set: which columns, what for, standardised. */
#ifndef RHEO_DATA_TABLE_H
#define RHEO_DATA_TABLE_H

#include <stdbool.h>

#include "data/dataset.h"

enum { RHEO_TABLE_COLUMNS = 8192 };     /* at most */

typedef struct rheo_table {
    const char *format;      /* "CSV with a header" */
    uint32_t rows, columns;
    uint32_t h, w;           /* 1 x 1; of arrays the places of a row, which hold `columns` channels each */
    double *value;           /* [rows, h, w, columns]; owned */
    char (*name)[RHEO_COLUMN_NAME];     /* [columns]; owned */
} rheo_table;

void rheo_table_free(rheo_table *t);

/* ---- which columns ---- */

/* The columns of a file that are wanted, in their order.
 *   name, n  in   of the file's columns
 *   named    in   whether by the file itself; where not, as many columns as the standard has are taken in their order
 *   out      out  [*count] places in name, for the caller to free
 * Errors: RHEO_EINVAL for a column of how->columns that there is not, RHEO_EFORMAT for one of how->standard. */
rheo_status rheo_table_choose(const char *path, char (*name)[RHEO_COLUMN_NAME], uint32_t n, bool named, const rheo_reading *how, uint32_t **out,
                              uint32_t *count, rheo_error *err);

/* ---- formats: each makes a table of a file's n bytes; path begins messages ---- */

/* csv.c: a line a row, after one of names unless its fields are all numbers or empty. */
rheo_status rheo_csv_parse(const char *path, const uint8_t *bytes, size_t n, const rheo_reading *how, rheo_table *out, rheo_error *err);
/* array.c: .npy of floats, [N, D], or [N, H, W] and [N, H, W, C]. */
rheo_status rheo_array_parse(const char *path, const uint8_t *bytes, size_t n, const rheo_reading *how, rheo_table *out, rheo_error *err);

/* ---- the data set ---- */

/* Its splits, standardised. Errors: RHEO_EFORMAT for too few rows and for columns (of arrays: elements) that are constant in training,
 * by their names: their density has no bound. */
rheo_status rheo_table_split(const char *path, const rheo_table *t, const rheo_reading *how, unsigned splits, rheo_dataset *data,
                             rheo_error *err);

/* Whether a name is that of a table, and all of the above for it. */
bool rheo_table_probe(const char *path);
rheo_status rheo_table_load(const char *path, const rheo_reading *how, unsigned splits, rheo_dataset *data, rheo_error *err);

#endif
