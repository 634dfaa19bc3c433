#ifndef TG_LEDGER_LEDGER_CHANGES_H
#define TG_LEDGER_LEDGER_CHANGES_H

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/ledger/ledger.h"

/*
 * The ledger's copy of what was set at run time in Redis: plans and overrides of holders (a domain,
 * "@server", "@client") and retired nodes ("@mx1"), each with its version. What was removed stays,
 * without a value, so that it does not come back from an older copy.
 *
 * Threads: as the ledger's.
 */

struct ledger_change {
    struct slice holder;
    struct slice name; /* "plan", "retired", or the name of a limit */
    int64_t version;   /* Unix time of the change in ms, as Redis gave it; grows with each change */
    struct slice value; /* empty: removed */
};

/* Creates the table in a ledger that has none; for ledger_open. */
int ledger_changes_open(struct ledger *l, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* All of one holder. The slices are the arena's. */
int ledger_changes_of(struct ledger *l, struct slice holder, struct arena *arena,
                      struct ledger_change **list, size_t *count, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* The holders that there is a change of, in order, those beyond `after`, at most `limit`. */
int ledger_changes_holders(struct ledger *l, struct slice after, size_t limit, struct arena *arena,
                           struct slice **list, size_t *count, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* Adds it, or replaces the one of its holder and name. */
int ledger_changes_set(struct ledger *l, const struct ledger_change *c, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

#endif
