#ifndef TG_LEDGER_RECONCILE_H
#define TG_LEDGER_RECONCILE_H

#include "lib/core/contract.h"
#include "lib/ledger/ledger.h"
#include "lib/redis/store.h"

/* A row's key in Redis, and the name of its share there (for a user, without the user). Added to
 * *b. */
void reconcile_key_add(struct buf *b, const char *prefix, const struct row_key *key) TG_NONNULL(1);
void reconcile_share_add(struct buf *b, const struct ledger *ledger, const struct row *row)
    TG_NONNULL(1);

/*
 * A row whose share in Redis is newer than the ledger has it: the larger of each counter, and the
 * newer number, go into the ledger; the row stays to be pushed. What a ledger has lost that Redis
 * still had is counted again; what it counted since the loss may be less than it should, never
 * more. 0 as well where there is nothing to be had; -1: store or ledger.
 */
int reconcile_row(struct ledger *ledger, struct store *store, const char *prefix, int64_t id,
                  struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
