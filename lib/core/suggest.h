#ifndef TG_CORE_SUGGEST_H
#define TG_CORE_SUGGEST_H

#include <stddef.h>

#include "lib/core/slice.h"

/* Which of the known names a mistyped one was meant to be, by edit distance (insertions, deletions,
 * changed and swapped neighbours). NULL where none is near enough to be worth naming. Longer names
 * than 63 bytes are near nothing. */
const char *suggest_name(struct slice typed, const char *const *names, size_t count);

#endif
