/* Lists of numbers in options. */
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/* The number at *at, which moves behind it. */
static bool next(const char **at, double *x)
{
    char *end = NULL;
    *x = strtod(*at, &end);
    if (end == *at || !isfinite(*x)) return false;
    *at = end;
    return true;
}

static int range(const char *text, double *out, int most)
{
    double first = 0, last = 0, count = 0;
    if (!next(&text, &first) || *text++ != ':' || !next(&text, &last) || *text++ != ':' || !next(&text, &count) || *text) return 0;
    if (count < 2 || count > most || floor(count) < count) return 0;
    for (int k = 0; k < (int)count; ++k) out[k] = first + (last - first) * k / (count - 1);
    return (int)count;
}

int tool_numbers(const char *text, double *out, int most)
{
    int n = 0;
    if (strchr(text, ':')) return range(text, out, most);
    while (n < most && next(&text, &out[n])) {
        ++n;
        if (!*text) return n;
        if (*text++ != ',') return 0;
    }
    return 0;
}
