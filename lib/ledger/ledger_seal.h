#ifndef TG_LEDGER_LEDGER_SEAL_H
#define TG_LEDGER_LEDGER_SEAL_H

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/ledger/ledger.h"
#include "lib/ledger/ledger_sql.h"

/*
 * Rows that may stand in a seal (lib/ledger/push_seal), where Redis has no more of them than the
 * number. A row is made final first: from then on, whatever is added to it, what it was at that
 * number is kept, so that it can be taken out of the seal again. A row that has changed is final no
 * longer, until it is made so again.
 *
 * What a row was goes with the row.
 *
 * Threads, errors: as the ledger's.
 */

/* The row is final at that number, unless its number has changed since. Power may take that back
 * until ledger_sync was true. */
int ledger_row_finish(struct ledger *l, int64_t id, uint64_t number, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* Adds what it was at each number at which it was final, as lines "number name amount name amount
 * ..." (push.lua). */
int ledger_formers(struct ledger *l, int64_t id, struct buf *text, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 3);

/* For the ledger: adds what a file of an earlier version lacks; what a statement says of a row;
 * what a row is now is kept; a row goes. */
int ledger_seal_open(struct ledger *l, struct err *err) TG_MUST_USE TG_NONNULL(1);
void ledger_seal_take(sqlite3_stmt *st, int column, struct row *out) TG_NONNULL(3);
int ledger_former_add(struct ledger *l, int64_t id, struct err *err) TG_MUST_USE TG_NONNULL(1);
int ledger_formers_delete(struct ledger *l, int64_t id, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
