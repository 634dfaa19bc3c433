#ifndef TG_LEDGER_FOLD_HELD_H
#define TG_LEDGER_FOLD_HELD_H

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/record.h"
#include "lib/core/strmap.h"
#include "lib/ledger/ledger.h"

/*
 * The part of lib/ledger/fold that is about held messages: what a batch changes of them. A message
 * may be held and released within one batch: then the ledger never sees it.
 *
 * Owner: what the batch keeps is the arena's, which is reset with it.
 */

struct held_change;

struct fold_held {
    struct strmap by_number; /* 8 bytes of the number -> struct held_change * */
    struct held_change *first, **last;
    struct buf body;
};

void fold_held_init(struct fold_held *b) TG_NONNULL(1);
void fold_held_fini(struct fold_held *b);
void fold_held_reset(struct fold_held *b) TG_NONNULL(1);

/* Adds a RECORD_HELD to the messages held for that account. */
int fold_held_add(struct fold_held *b, const struct record *r, struct slice account,
                  struct arena *arena, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Removes the message that `r`, a release or forgetting, names: 1, *body lives until the next call;
 * 0: no such message is held. */
int fold_held_take(struct fold_held *b, struct ledger *l, const struct record *r,
                   struct arena *arena, struct slice *body, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* Notes the queue that the held message is in (RECORD_PLACE); one that is gone is ignored. */
int fold_held_place(struct fold_held *b, const struct record *r, struct arena *arena,
                    struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Writes all of it to the ledger, within a transaction. */
int fold_held_apply(const struct fold_held *b, struct ledger *l, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

#endif
