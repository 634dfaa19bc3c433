#ifndef TG_LEDGER_LEDGER_ADOPT_H
#define TG_LEDGER_LEDGER_ADOPT_H

#include "lib/core/contract.h"
#include "lib/ledger/ledger.h"

/*
 * What a new ledger takes over from one that is lost (lib/ledger/adopt): its shares, and their
 * rows. Before anything is counted, and within a transaction.
 *
 * Limits: LEDGER_ADOPT_SHARES shares.  Threads, errors: as the ledger's.
 */

#define LEDGER_ADOPT_SHARES 1000

/* Goes on as that share, after the run that wrote it last. */
int ledger_adopt_share(struct ledger *l, struct slice share_id, struct slice run,
                       struct err *err) TG_MUST_USE TG_NONNULL(1);
/* A row of the present share, or of one that was left. 1; 0: it is there already. */
int ledger_adopt_row(struct ledger *l, struct slice share_id, const struct row *row,
                     struct err *err) TG_MUST_USE TG_NONNULL(1, 3);
/* Has any share of this ledger a row of that key? 1, 0, -1. */
int ledger_adopt_has_key(struct ledger *l, const struct row_key *key, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);

#endif
