#include "base/text.h"

#include <ctype.h>
#include <stddef.h>

bool rheo_text_contains(const char *text, const char *part)
{
    for (;; ++text) {
        size_t k = 0;
        while (part[k] && tolower((unsigned char)text[k]) == tolower((unsigned char)part[k])) ++k;
        if (!part[k]) return true;
        if (!*text) return false;
    }
}
