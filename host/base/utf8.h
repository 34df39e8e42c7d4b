/* UTF-8 from files. */
#ifndef RHEO_BASE_UTF8_H
#define RHEO_BASE_UTF8_H

#include <stddef.h>

/* Offset of the first byte that is not well-formed UTF-8 (Unicode, table 3-7); n where all is. */
size_t rheo_utf8_check(const char *text, size_t n);

#endif
