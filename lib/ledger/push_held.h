#ifndef TG_LEDGER_PUSH_HELD_H
#define TG_LEDGER_PUSH_HELD_H

#include "lib/core/contract.h"
#include "lib/ledger/ledger_held.h"
#include "lib/redis/store.h"

/*
 * The ledger's held messages in Redis: sorted sets tg:{account}:held, member `node/queue-id`, score
 * the Unix second since when it is held. A view for people and programs; a release does not read
 * it.
 *
 * Changes are pushed at once; all held messages again with each walk of lib/ledger/push; those that
 * are gone, too, with the walks after a new connection or a loss. A set expires HELD_SET_KEPT_S
 * after it was last written.
 *
 * Threads: one.  Limits: HELD_TRIP_ROWS rows a trip.
 */

#define HELD_TRIP_ROWS  500
#define HELD_SET_KEPT_S ((int64_t)30 * 86400)

struct push_held {
    size_t seen;              /* rows looked at; fewer than HELD_TRIP_ROWS: there are no more */
    uint64_t last;            /* number of the last one */
    uint64_t refused;         /* commands that found a key of another type */
    struct err refused_first; /* set where refused is not 0 */
};

/* One trip, for rows beyond `after`. A key of another type is not an error but counted as refused;
 * the next walk tries it again. -1: the store or the ledger failed. */
int push_held(struct ledger *ledger, struct store *store, const char *prefix, enum held_walk which,
              uint64_t after, struct push_held *out, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
