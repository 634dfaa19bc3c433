#ifndef TG_LEDGER_PUSH_FIELDS_H
#define TG_LEDGER_PUSH_FIELDS_H

#include <stddef.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/counters.h"
#include "lib/core/slice.h"
#include "lib/ledger/ledger.h"

/*
 * A row's counters as push_quick.lua writes them: the field of each, which for a user's begins with
 * the user, and its amount.
 *
 * Threads: one.  Limits: PUSH_FIELDS_MAX.
 */

#define PUSH_FIELDS_MAX (2 * (size_t)COUNTER_COUNT)
#define PUSH_FIELDS_AT  11 /* of the call's words, of which the key is the first */

/* How many there are; 0 where the quick way is not to be tried: an amount may be more than Lua
 * counts exactly, or a newer version has written more counters than this one has. They are good as
 * long as the row's texts and `names`, which is emptied first. */
size_t push_fields(const struct row *row, struct buf *names, struct slice fields[PUSH_FIELDS_MAX])
    TG_NONNULL(1, 2);

#endif
