/* The .cl files, embedded in the library by the build. */
#ifndef RHEO_RUNTIME_SOURCES_H
#define RHEO_RUNTIME_SOURCES_H

#include <stddef.h>

typedef struct rheo_cl_file {
    const char *name;        /* "common.cl" */
    const char *text;        /* zero-terminated */
    size_t bytes;
} rheo_cl_file;

extern const rheo_cl_file rheo_cl_table[];      /* ends in a row without a name; embed.cmake writes it */

#endif
