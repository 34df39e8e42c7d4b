/* Writing HTML: what stands in a page is text, escaped, or a picture of its own. */
#ifndef RHEO_TOOLS_HTML_H
#define RHEO_TOOLS_HTML_H

#include <stddef.h>
#include <stdio.h>

#include "rheo/rheo.h"

/* Text, also inside attributes in quotes. Control characters, which HTML has no place for, become spaces. */
void html_text(FILE *to, const char *text);

/* <tag>text</tag>, the text as printf makes it, escaped. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void html_element(FILE *to, const char *tag, const char *format, ...);

/* A PNG file inside the page, with a caption. Errors: RHEO_EFILE names it. */
rheo_status html_picture(FILE *to, const char *path, const char *class, const char *caption, rheo_error *err);

#endif
