#include "html.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

void html_text(FILE *to, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&': fputs("&amp;", to); break;
        case '<': fputs("&lt;", to); break;
        case '>': fputs("&gt;", to); break;
        case '"': fputs("&quot;", to); break;
        case '\'': fputs("&#39;", to); break;
        default: fputc((unsigned char)*text < 32 || *text == 127 ? ' ' : *text, to);
        }
    }
}

void html_element(FILE *to, const char *tag, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(to, "<%s>", tag);
    html_text(to, text);
    fprintf(to, "</%s>", tag);
}

/* RFC 4648, section 4. */
static void put_base64(FILE *to, FILE *from)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char in[3];
    for (size_t n; (n = fread(in, 1, 3, from)) > 0;) {
        const unsigned long bits = (unsigned long)in[0] << 16 | (n > 1 ? (unsigned long)in[1] << 8 : 0) | (n > 2 ? in[2] : 0);
        for (size_t k = 0; k < 4; k++) fputc(k <= n ? digits[bits >> (18 - 6 * k) & 63] : '=', to);
    }
}

rheo_status html_picture(FILE *to, const char *path, const char *class, const char *caption, rheo_error *err)
{
    FILE *from = fopen(path, "rb");
    if (!from) {
        snprintf(err->text, sizeof err->text, "%.400s: cannot be opened: %s", path, strerror(errno));
        return err->status = RHEO_EFILE;
    }
    fprintf(to, "<figure><img class=\"%s\" alt=\"", class);
    html_text(to, caption);
    fputs("\" src=\"data:image/png;base64,", to);
    put_base64(to, from);
    fputs("\"><figcaption>", to);
    html_text(to, caption);
    fputs("</figcaption></figure>\n", to);
    const bool bad = ferror(from);
    fclose(from);
    if (!bad) return RHEO_OK;
    snprintf(err->text, sizeof err->text, "%.400s: cannot be read", path);
    return err->status = RHEO_EFILE;
}
