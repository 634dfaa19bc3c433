#ifndef TG_LEDGER_AMOUNTS_H
#define TG_LEDGER_AMOUNTS_H

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/counters.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"
#include "lib/core/tally.h"

/*
 * Counters as text: `name amount name amount ...`, single blanks, no zeros. So they stand in the
 * ledger and, behind a number, in a node's share in Redis. Names that this version does not know (a
 * newer one has written them) are kept.
 */

/* Redis scripts calculate in doubles: above this an amount is no longer exact. */
#define AMOUNT_MAX ((UINT64_C(1) << 53) - 1)

/* Adds `text` + `more` to *out: the table's counters in its order, then those unknown here, as they
 * came. -1 for a text that is none, and for a sum above AMOUNT_MAX. */
int amounts_sum(struct slice text, const struct tally *more, struct buf *out,
                struct err *err) TG_MUST_USE;

/* Adds `text` - `less` to *out, of the counters known here: no others change under this version.
 * -1 where one of them is larger in `less`. */
int amounts_difference(struct slice text, struct slice less, struct buf *out,
                       struct err *err) TG_MUST_USE;

/* Reads them; unknown names are ignored. */
int amounts_read(struct slice text, struct tally *out, struct err *err) TG_MUST_USE;

#endif
