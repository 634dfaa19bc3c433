#ifndef TG_LEDGER_PUSH_HELD_H
#define TG_LEDGER_PUSH_HELD_H

#include "lib/core/contract.h"
#include "lib/ledger/ledger_held.h"
#include "lib/redis/store.h"

/*
 * The held messages of the ledger as Redis shows them: sorted sets tg:{account}:held, member
 * `node/queue-id`, score the Unix second since when it is held. A view, for people and programs;
 * nothing is released by it.
 *
 * Changes go there at once, what is held again with each walk of lib/ledger/push, and what is gone
 * with those after a new connection or a loss. A set that is not written for HELD_SET_KEPT_S
 * expires.
 *
 * Threads: one.  Limits: HELD_TRIP_ROWS rows a trip.
 */

#define HELD_TRIP_ROWS  500
#define HELD_SET_KEPT_S ((int64_t)30 * 86400)

struct push_held {
    size_t seen;   /* rows looked at; fewer than HELD_TRIP_ROWS: there are no more */
    uint64_t last; /* number of the last one */
    uint64_t refused;
    struct err refused_first; /* meant where refused is not 0 */
};

/* One trip, of rows beyond `after`. A key that holds something else is no error but refused; what
 * is refused is tried again with the next walk. -1: the store or the ledger. */
int push_held(struct ledger *ledger, struct store *store, const char *prefix, enum held_walk which,
              uint64_t after, struct push_held *out, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
