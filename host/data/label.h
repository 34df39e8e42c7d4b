/* Words in pictures: white, in a font of 7-pixel capitals. */
#ifndef RHEO_DATA_LABEL_H
#define RHEO_DATA_LABEL_H

#include <stddef.h>
#include <stdint.h>

/* Height that all letters stay in, and of capitals and digits among them. */
enum { RHEO_LABEL_HEIGHT = 12, RHEO_LABEL_CAPITAL = 7 };

/* ASCII; other characters become '?', and what is beyond 24 is dropped. Width in pixels. */
uint32_t rheo_label_width(const char *text);

/* Draws into `pixels`, the upper left corner, in rows of row_bytes bytes and c channels. */
void rheo_label_draw(const char *text, uint8_t *pixels, size_t row_bytes, uint32_t c);

#endif
