/* Which rows of a data set that has no splits of its own are for what: part of what a data set is, so by seeds that are constants. */
#ifndef RHEO_DATA_SPLIT_H
#define RHEO_DATA_SPLIT_H

#include "base/error.h"

/* Marks of n rows, for the caller to free: 1 for those that a fixed shuffle puts first. The test split is a tenth of all rows, */
rheo_status rheo_split_test(uint32_t n, uint8_t **chosen, rheo_error *err);
/* the validation split a tenth of the others, 5,000 at most. *held, which may be NULL, is how many. */
rheo_status rheo_split_valid(uint32_t n, uint8_t **chosen, uint32_t *held, rheo_error *err);

#endif
