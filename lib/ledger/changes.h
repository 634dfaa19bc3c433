#ifndef TG_LEDGER_CHANGES_H
#define TG_LEDGER_CHANGES_H

#include "lib/core/contract.h"
#include "lib/ledger/ledger.h"
#include "lib/redis/store.h"

/*
 * What admins set at run time (plans and overrides, tg:{holder}:plan and :limits, and which nodes
 * are retired, the field of tg:{@node}:node) has a copy in every node's ledger, so that a Redis
 * that lost it, or is an older one, gets it back.
 *
 * Each of them has a version, in Redis (tg:{holder}:changed) and in the copy; what is
 * removed keeps its version and has no value. changes.lua brings both together, holder by holder;
 * the newer version wins, so that a removal does not come back and all nodes agree.
 *
 * Changes are noticed once a second by the index tg:changed. A walk through all holders, of the
 * copy, of the index and of the accounts, finds the rest: what was written without `tollgate`, and
 * what Redis lost. It runs after each new connection, when Redis does not have this node's mark
 * (tg:{@node}:changes) as it was last written, and every CHANGES_WALK_MS.
 *
 * Threads: one.  Errors: those of the store and the ledger. It logs what it gave back to Redis.
 * Limits: CHANGES_PAGE holders a trip.
 */

#define CHANGES_PAGE    100
#define CHANGES_POLL_MS 1000
#define CHANGES_WALK_MS 590000

struct changes;

void changes_free(struct changes *c); /* NULL is a no-op */
/* `prefix` is store.prefix, and copied; the others are borrowed. */
struct changes *changes_new(const char *prefix, struct ledger *ledger, struct store *store,
                            struct err *err) TG_NONNULL(1, 2, 3) TG_MUST_USE;

/* One trip or two. 1: there is more to do at once; 0: not now; -1: *err, try again after a pause.
 */
int changes_step(struct changes *c, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
