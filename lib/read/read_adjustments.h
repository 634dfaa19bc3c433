#ifndef TG_READ_READ_ADJUSTMENTS_H
#define TG_READ_READ_ADJUSTMENTS_H

#include "lib/core/contract.h"
#include "lib/read/read.h"
#include "lib/sys/adjustment.h"

/*
 * Corrections beside the figures (lib/sys/adjustment), of a month, or of all where none is
 * named. What is no adjustment is ignored.
 *
 * Owner: the arena given; the accounts' names are borrowed.
 * Errors: EX_UNAVAILABLE, EX_DATAERR for a key of another type.
 */

struct adjustment_entry {
    struct slice account;
    struct adjustment adjustment;
};

struct adjustment_list {
    struct adjustment_entry *items; /* by account as given, the oldest first */
    size_t count, room;
};

int read_adjustments(struct reader *r, const struct name_list *accounts, struct slice month,
                     struct arena *arena, struct adjustment_list *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 4, 5, 6);

#endif
