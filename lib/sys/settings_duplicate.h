#ifndef TG_SYS_SETTINGS_DUPLICATE_H
#define TG_SYS_SETTINGS_DUPLICATE_H

#include <stdbool.h>

#include "lib/core/contract.h"
#include "lib/core/slice.h"

/* Finds the setting that is given twice in one group: libconfig names neither it nor the first. */
struct settings_duplicate {
    struct slice name;      /* of the text */
    unsigned first, second; /* lines, from 1 */
};

/* In a text without @include. False: none, or more settings than it looks at. */
bool settings_duplicate_find(struct slice text, struct settings_duplicate *out) TG_NONNULL(2);

#endif
