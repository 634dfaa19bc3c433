#ifndef TG_CORE_UTF8_H
#define TG_CORE_UTF8_H

#include <stddef.h>

#include "lib/core/slice.h"

/* Length (1 to 4) of the well-formed UTF-8 sequence (RFC 3629) at the front of `s`; 0 where there
 * is none. */
size_t utf8_length(struct slice s);
bool utf8_valid(struct slice s);

#endif
