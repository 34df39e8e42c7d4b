/* Small things with text. */
#ifndef RHEO_BASE_TEXT_H
#define RHEO_BASE_TEXT_H

#include <stdbool.h>

#include "base/error.h"

/* Whether `part` occurs in `text`, in any case of the ASCII letters. */
bool rheo_text_contains(const char *text, const char *part);

/* Edits (insert, delete, replace a character) from one name to the other (Levenshtein 1966); names above 31 characters are far from all. */
unsigned rheo_text_distance(const char *a, const char *b);

/* Place of `found` among NULL-terminated words. Another is refused: what it is for, the nearest word where one is near, and all of them. */
rheo_status rheo_choose(const char *what, const char *found, const char *const *words, int *out, rheo_error *err);

#endif
