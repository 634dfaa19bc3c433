#ifndef TG_LEDGER_RECONCILE_H
#define TG_LEDGER_RECONCILE_H

#include "lib/core/contract.h"
#include "lib/ledger/learn.h"
#include "lib/ledger/ledger.h"
#include "lib/redis/store.h"

/* Where, and in which form of shares (push_batch.as_names). */
struct reconcile_place {
    struct ledger *ledger;
    struct store *store;
    const char *prefix;
    bool as_names;
};

/* The word of push.lua for that. */
struct slice reconcile_form(bool as_names);

/* A row's key in Redis, and the name of its share there (for a user, without the user). Added to
 * *b. */
void reconcile_key_add(struct buf *b, const char *prefix, const struct row_key *key) TG_NONNULL(1);
void reconcile_share_add(struct buf *b, const struct row *row) TG_NONNULL(1);

/*
 * A row whose share in Redis has a larger number, `found`, than the ledger. Of the present share
 * nobody else gives numbers: ours is written over it. A share that was left belongs to another
 * ledger now: what Redis has of it is kept, so that it comes back after a loss; but only numbers
 * that the other ledger had claimed when the share was left. *verdict says which.
 * -1: store or ledger; the row is as it was.
 */
int reconcile_row(const struct reconcile_place *r, int64_t id, struct slice found,
                  enum learn_row *verdict, struct err *err) TG_MUST_USE TG_NONNULL(1, 4);

#endif
