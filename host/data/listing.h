/* The PNG and JPEG files below a folder, by name alone; for folders of images. */
#ifndef RHEO_DATA_LISTING_H
#define RHEO_DATA_LISTING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef struct rheo_listing {
    char **path;
    uint32_t count, room;
} rheo_listing;

/* Paths in bytewise order, in a list that is zeroed before and freed whatever is returned; hidden files and folders are passed over. */
rheo_status rheo_listing_make(const char *folder, rheo_listing *l, rheo_error *err);
void rheo_listing_free(rheo_listing *l);
bool rheo_listing_add(rheo_listing *l, char *path);        /* at the end; takes over path, whatever is returned. False: out of memory */

bool rheo_is_png(const char *name);

/* classes.c: names of the classes of a folder, the first subfolders of the paths in it (or in its folders train and test), in bytewise
 * order, into an empty list; none where some image has no class or there are more than 256. */
rheo_status rheo_listing_class_names(const char *folder, rheo_listing *names, rheo_error *err);

/* Numbers of the classes, the first subfolders of paths, in bytewise order of their names and the same in all parts of a folder.
 *   folder   in   of all images
 *   l, root  in   the files of a part, and the length of what their paths begin with: folder, or folder/train and folder/test
 *   labels   out  [l->count], the caller frees it; NULL where some image has no class or there are more than 256 */
rheo_status rheo_listing_classes(const char *folder, const rheo_listing *l, size_t root, uint8_t **labels, rheo_error *err);

#endif
