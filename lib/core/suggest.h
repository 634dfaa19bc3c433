#ifndef TG_CORE_SUGGEST_H
#define TG_CORE_SUGGEST_H

#include <stddef.h>

#include "lib/core/slice.h"

/* The known name that is closest to a mistyped one, by edit distance (insertions, deletions,
 * changed letters, swapped neighbours). NULL where none is close enough to be suggested, and for
 * names over 63 bytes. */
const char *suggest_name(struct slice typed, const char *const *names, size_t count);

#endif
