/* Small things with text. */
#ifndef RHEO_BASE_TEXT_H
#define RHEO_BASE_TEXT_H

#include <stdbool.h>

/* Whether `part` occurs in `text`, in any case of the ASCII letters. */
bool rheo_text_contains(const char *text, const char *part);

#endif
