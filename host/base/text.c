#include "base/text.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST = 31 };

bool rheo_text_contains(const char *text, const char *part)
{
    for (;; ++text) {
        size_t k = 0;
        while (part[k] && tolower((unsigned char)text[k]) == tolower((unsigned char)part[k])) ++k;
        if (!part[k]) return true;
        if (!*text) return false;
    }
}

unsigned rheo_text_distance(const char *a, const char *b)
{
    unsigned row[LONGEST + 1];
    const size_t na = strlen(a), nb = strlen(b);
    if (na > LONGEST || nb > LONGEST) return 2 * LONGEST;
    for (unsigned j = 0; j <= nb; ++j) row[j] = j;
    for (unsigned i = 1; i <= na; ++i) {
        unsigned corner = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= nb; ++j) {
            const unsigned replaced = corner + (a[i - 1] != b[j - 1]);
            const unsigned longer = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            corner = row[j];
            row[j] = replaced < longer ? replaced : longer;
        }
    }
    return row[nb];
}

const char *rheo_nearest_word(const char *found, const char *const *words)
{
    const char *best = NULL;
    unsigned least = strlen(found) < 3 ? 2 : 3;      /* and above is not near */
    for (; *words; ++words) {
        const unsigned d = rheo_text_distance(found, *words);
        if (d < least) least = d, best = *words;
    }
    return best;
}

rheo_status rheo_choose(const char *what, const char *found, const char *const *words, int *out, rheo_error *err)
{
    char list[200] = "";
    for (int k = 0; words[k]; ++k) {
        const size_t end = strlen(list);
        if (!strcmp(found, words[k])) {
            *out = k;
            return RHEO_OK;
        }
        snprintf(list + end, sizeof list - end, "%s%s", !k ? "" : words[k + 1] ? ", " : " or ", words[k]);
    }
    const char *near = rheo_nearest_word(found, words);
    return rheo_fail(err, RHEO_EINVAL, "%s: found '%.40s', expected %s%s%s%s", what, found, list, near ? "; did you mean " : "",
                     near ? near : "", near ? "?" : "");
}
