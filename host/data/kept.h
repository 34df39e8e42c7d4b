/* Decoded rows in the cache folder, so that inflating, decoding and resizing is done once. A file a split; 4 GiB together at most. */
#ifndef RHEO_DATA_KEPT_H
#define RHEO_DATA_KEPT_H

#include <stdbool.h>

#include "data/format.h"

/* Of all that the rows of a source depend on: its path, and names, sizes and times of the format's files. False where rows are not
 * to be kept: less than 1 MiB to decode, a format as quick to read, or files that changed within the last two seconds and may
 * again without its showing in their times. */
bool rheo_kept_key(const rheo_format *format, const rheo_source *from, rheo_cache_key *key);

/* Rows of a split as kept, their bytes not read yet: `fingerprint` is what they had, the caller compares. False: there are none. The
 * caller ends rows->mapping. */
bool rheo_kept_map(rheo_cache_key key, rheo_split split, rheo_rows *rows, rheo_image_shape *shape);

/* May fail without harm. */
void rheo_kept_save(rheo_cache_key key, rheo_split split, const rheo_rows *rows, rheo_image_shape shape);

#endif
