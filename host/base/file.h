/* Files and paths. Errors name the file and what the system said. */
#ifndef RHEO_BASE_FILE_H
#define RHEO_BASE_FILE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

/* Reads a whole regular file of at most max_bytes. *out is followed by a zero byte that *bytes does not count,
 * so text can be used as it is; the caller frees it. */
rheo_status rheo_file_read(const char *path, size_t max_bytes, void **out, size_t *bytes, rheo_error *err);

/* Writing never leaves half a file (rheo_file_write is the whole of it in one call): bytes go to `<path>.tmp`, and commit syncs it, renames
 * it and syncs the folder. Until then, and after discard or a kill, what stood at path stands. One writer a path; a second is refused.
 * Where path is a link its target is replaced; a device or a pipe is written to directly. */
typedef struct rheo_file_output {
    FILE *stream;            /* to be written to by the caller; commit notices errors that it left */
    char *path, *temporary;  /* no temporary: directly */
} rheo_file_output;

rheo_status rheo_file_output_open(rheo_file_output *out, const char *path, rheo_error *err);
rheo_status rheo_file_output_commit(rheo_file_output *out, rheo_error *err); /* ends out, whatever it returns */
void rheo_file_output_discard(rheo_file_output *out);                        /* no effect on an ended or zeroed one */

rheo_status rheo_file_size(const char *path, uint64_t *bytes, rheo_error *err);        /* of a regular file */
bool rheo_file_exists(const char *path);        /* of any kind */
bool rheo_folder_exists(const char *path);
rheo_status rheo_folder_make(const char *path, rheo_error *err);        /* with its parents; existing ones are fine */

/* What follows the last slash of a path, lent; all of it where nothing does. */
const char *rheo_base_name(const char *path);

/* "folder/name", "name" for an empty folder. NULL when out of memory; the caller frees it. */
char *rheo_path_join(const char *folder, const char *name);

#endif
