#include "base/utf8.h"

#include <stdint.h>

size_t rheo_utf8_check(const char *text, size_t n)
{
    const uint8_t *s = (const uint8_t *)text;
    size_t k = 0;
    while (k < n) {
        const uint8_t c = s[k];
        const size_t more = c < 0x80 ? 0 : c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
        if ((c >= 0x80 && c < 0xC2) || c > 0xF4 || more >= n - k) return k;
        for (size_t j = 1; j <= more; j++)
            if ((s[k + j] & 0xC0) != 0x80) return k;
        /* Overlong forms, surrogates, and beyond U+10FFFF show in the second byte. */
        if ((c == 0xE0 && s[k + 1] < 0xA0) || (c == 0xED && s[k + 1] > 0x9F)) return k;
        if ((c == 0xF0 && s[k + 1] < 0x90) || (c == 0xF4 && s[k + 1] > 0x8F)) return k;
        k += more + 1;
    }
    return n;
}
