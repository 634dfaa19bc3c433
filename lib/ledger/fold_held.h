#ifndef TG_LEDGER_FOLD_HELD_H
#define TG_LEDGER_FOLD_HELD_H

#include "lib/core/arena.h"
#include "lib/core/record.h"
#include "lib/core/strmap.h"
#include "lib/ledger/ledger.h"

/*
 * What a batch of lib/ledger/fold changes of the held messages; for nobody else. A message may be
 * held and let go within one batch: then the ledger never sees it.
 *
 * Owner: what the batch keeps is the arena's, which is reset with it.
 */

struct held_change;

struct held_batch {
    struct strmap by_number; /* 8 bytes of the number -> struct held_change * */
    struct held_change *first, **last;
    struct buf body;
};

void held_batch_init(struct held_batch *b);
void held_batch_fini(struct held_batch *b);
void held_batch_reset(struct held_batch *b);

/* Keeps a RECORD_HELD in the line of that account. */
int held_batch_add(struct held_batch *b, const struct record *r, struct slice account,
                   struct arena *arena, struct err *err);
/* Takes the message that `r`, a release or forgetting, is about: 1, *body lives until the next
 * call; 0: it is not held. */
int held_batch_take(struct held_batch *b, struct ledger *l, const struct record *r,
                    struct arena *arena, struct slice *body, struct err *err);
/* Brings all of it into the ledger, within a transaction. */
int held_batch_apply(const struct held_batch *b, struct ledger *l, struct err *err);

#endif
