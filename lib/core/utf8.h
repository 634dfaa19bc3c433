#ifndef TG_CORE_UTF8_H
#define TG_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/slice.h"

/* Length (1 to 4) of the well-formed UTF-8 sequence (RFC 3629) at the front of `s`; 0 where there
 * is none. */
size_t utf8_length(struct slice s);
/* The character that such a sequence of that length stands for. */
uint32_t utf8_code(struct slice s, size_t length);
bool utf8_valid(struct slice s);

/* Characters that terminals obey, or that change the order or the lines of the text around them:
 * C0 and C1 controls, DEL, marks and overrides of direction, separators of lines and paragraphs. */
bool utf8_is_control(uint32_t code);
/* Well-formed, and without any of these. */
bool utf8_is_text(struct slice s);
/* How many columns of a terminal the character takes: 0 (combining), 1 or 2. */
size_t utf8_columns(uint32_t code);

#endif
