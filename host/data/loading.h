/* How the images of a folder become the rows of a data set, while the caller does something else. */
#ifndef RHEO_DATA_LOADING_H
#define RHEO_DATA_LOADING_H

#include "data/format.h"

/* Sizes are known at once, from headers or from rows that were kept decoded; a thread reads the rows of the splits whose bits are set,
 * and keeps them for the next time. from->folder lives as long as the data set. rheo_dataset_wait waits for the rows. */
rheo_status rheo_loading_begin(rheo_dataset *data, const rheo_format *format, const rheo_source *from, unsigned splits, rheo_error *err);
void rheo_loading_end(rheo_dataset *data);      /* waits for the thread; no effect where there is none */

void rheo_rows_free(rheo_rows *rows);           /* and zeroes them */

#endif
