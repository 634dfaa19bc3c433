#ifndef TG_LEDGER_LEDGER_VIOLATIONS_H
#define TG_LEDGER_LEDGER_VIOLATIONS_H

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/ledger/ledger.h"

/*
 * The ledger's copy of the newest violations in Redis (the stream tg:violations).
 *
 * Threads: as the ledger's.  Limits: LEDGER_VIOLATIONS_MAX; older ones are pruned.
 */

#define LEDGER_VIOLATIONS_MAX 20000

struct ledger_violation {
    int64_t ms, seq;     /* the entry's id in the stream */
    struct slice holder; /* whose limit: "example.com", "@server", "@client:192.0.2.1" */
    struct slice body;   /* fields and values, each as length (varint) and bytes */
};

/* Creates the table in a ledger that has none; for ledger_open. */
int ledger_violations_open(struct ledger *l, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* One that is there already is ignored. */
int ledger_violations_add(struct ledger *l, const struct ledger_violation *v,
                          struct err *err) TG_MUST_USE TG_NONNULL(1);
int ledger_violations_prune(struct ledger *l, struct err *err) TG_MUST_USE TG_NONNULL(1);
int ledger_violations_count(struct ledger *l, int64_t *count, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* The id of the newest; 0-0 where there is none. */
int ledger_violations_newest(struct ledger *l, int64_t *ms, int64_t *seq,
                             struct err *err) TG_MUST_USE TG_NONNULL(1);
/* The newest of that holder, newest first, or of all those beyond an id, oldest first; at most
 * `limit`. Slices are the arena's; holder is not set. */
int ledger_violations_of(struct ledger *l, struct slice holder, size_t limit, struct arena *arena,
                         struct ledger_violation **list, size_t *count, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
int ledger_violations_after(struct ledger *l, int64_t ms, int64_t seq, size_t limit,
                            struct arena *arena, struct ledger_violation **list, size_t *count,
                            struct err *err) TG_MUST_USE TG_NONNULL(1);
/* The next holder in order beyond `after`: 1, *holder is the arena's; 0: there is none; -1. */
int ledger_violations_holder(struct ledger *l, struct slice after, struct arena *arena,
                             struct slice *holder, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
