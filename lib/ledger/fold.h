#ifndef TG_LEDGER_FOLD_H
#define TG_LEDGER_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/record.h"
#include "lib/ledger/fold_held.h"
#include "lib/ledger/ledger.h"
#include "lib/ledger/row_sums.h"

/*
 * From journal records to changes of ledger rows: a batch of records is summed up in memory first
 * (lib/ledger/row_sums), and then goes into the ledger in one transaction with the journal position
 * behind it.
 *
 * A held message goes into the ledger as it is, and is counted at the time of its release, like a
 * message of that time; its release and its leaving the ledger are one transaction. A second
 * release, and that of a message that was never held, are ignored.
 *
 * Owner: the holder of struct fold.  Threads: one.  Errors: EX_OSERR (memory), those of the ledger.
 */

struct fold {
    struct row_sums sums;
    struct arena scratch; /* for the record in hand */
    struct fold_held held;
    int64_t latest_ms;
    size_t records;

    /* Releases of what is not held: found since the caller emptied it. */
    uint64_t strays;
    struct err stray_first;
};

/* `node_account` must outlive the fold. */
void fold_init(struct fold *f, const struct row_sums_config *config, struct slice node_account)
    TG_NONNULL(1);
void fold_fini(struct fold *f);

/* Takes one record into the batch; the ledger is read, where a message that it holds is let go. */
int fold_add(struct fold *f, struct ledger *l, const struct record *r, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* Time to apply: the batch is large. */
bool fold_is_full(const struct fold *f) TG_NONNULL(1);
/* Brings the batch into the ledger, with `position` behind its last record, in one transaction.
 * Empties the batch, also when it fails: then the ledger is as before and its position says where
 * to read on. */
int fold_apply(struct fold *f, struct ledger *l, struct journal_position position,
               struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Forgets the batch. */
void fold_reset(struct fold *f) TG_NONNULL(1);

#endif
