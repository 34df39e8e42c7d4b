#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

const char *rheo_status_text(rheo_status status)
{
    static const char *const text[] = {
#define RHEO_STATUS_TEXT(name, words) words,
        RHEO_STATUSES(RHEO_STATUS_TEXT)
#undef RHEO_STATUS_TEXT
    };
    const size_t k = (size_t)status;
    return k < sizeof text / sizeof *text ? text[k] : "unknown status";
}

rheo_status rheo_fail(rheo_error *err, rheo_status status, const char *format, ...)
{
    if (err && err->status == RHEO_OK) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        /* What a message quotes may come from a hostile file: it stays one line, and tells a terminal nothing. */
        for (char *c = err->text; *c; c++)
            if ((unsigned char)*c < 0x20 || *c == 0x7F) *c = '?';
        err->status = status;
    }
    return status;
}
