#ifndef TG_BILLING_BILL_CHAIN_H
#define TG_BILLING_BILL_CHAIN_H

#include "lib/core/arena.h"
#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * Which periods are closed: a line for each, in order, the hash of each made of the one before and
 * of the period's file. A line, its parts apart by tabs:
 *
 *     2026-11  SHA-256  2026-12-01T06:00:12Z  root  (why it was closed before it was complete)
 *
 * The hash is that of the last line's hash, as text, and the file behind it; the first has the file
 * alone. So `(printf %s HASH; cat 2026-11.csv) | sha256sum` gives it.
 *
 * Owner: slices of an entry are borrowed; those of a chain are the text's.
 */

struct bill_entry {
    struct slice month, hash, closed_at, by, reason;
};

struct bill_chain {
    struct bill_entry *items;
    size_t count, room;
    size_t text_bytes; /* of the whole lines; a line that a kill cut off is behind them */
};

#define BILL_CHAIN_BYTES ((size_t)1 << 20)
#define BILL_HASH_TEXT   65

/* Tabs, line ends and other controls in its texts become blanks; with the LF. */
void bill_chain_print(const struct bill_entry *e, struct buf *out) TG_NONNULL(1, 2);
/* Without the LF. */
int bill_chain_parse_entry(struct slice line, struct bill_entry *out, struct err *err) TG_MUST_USE
    TG_NONNULL(2);
int bill_chain_parse(struct slice text, struct arena *arena, struct bill_chain *out,
                     struct err *err) TG_MUST_USE TG_NONNULL(2, 3);
int bill_chain_add(struct bill_chain *chain, const struct bill_entry *e, struct arena *arena,
                   struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);

/* The entry of the month; NULL: it is not closed. */
const struct bill_entry *bill_chain_find(const struct bill_chain *chain, struct slice month)
    TG_NONNULL(1);
const struct bill_entry *bill_chain_last(const struct bill_chain *chain) TG_NONNULL(1);
/* The hash of a file behind the entry before it (NULL: none). */
void bill_chain_hash(const struct bill_entry *before, struct slice file, char hash[BILL_HASH_TEXT]);
/* Does the file belong to the i-th entry? */
bool bill_chain_matches(const struct bill_chain *chain, size_t i, struct slice file) TG_NONNULL(1);

#endif
