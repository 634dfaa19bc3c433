#ifndef TG_LEDGER_ADOPT_H
#define TG_LEDGER_ADOPT_H

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/ledger/ledger.h"
#include "lib/ledger/push_keep.h"
#include "lib/ledger/row_sums.h"
#include "lib/redis/store.h"

/*
 * A ledger that was lost, made again: a new file goes on as the share that Redis knows, with the
 * rows that Redis has of it, and counts what the journal has beyond them.
 *
 * Each row in Redis says through which record it counts, so each record of the journal is added to
 * exactly those rows that lack it; a push that was cut off half way makes no difference. What the
 * node has counted under shares that it left comes along. Of a row that is sealed
 * (lib/ledger/push_seal) it is known through which record it counts, but not what: the row has no
 * counters and is final, so what comes late is still added exactly; after a loss of Redis it is
 * gone. What neither has is lost: rows without a
 * share of this node, what it counted under other names, and messages that were held before the
 * journal's first record (their release is not counted).
 *
 * Only for a ledger that is certainly gone. Nothing is written to Redis.
 *
 * Threads: one.  Errors: those of store, ledger and journal; EX_UNAVAILABLE where the store cannot
 * list its keys.
 */

struct adopt_source {
    struct store *store;
    const char *prefix, *journal_dir;
    struct row_sums_config config;
    struct push_keep keep;
};

struct adopt_result {
    bool has_share;         /* Redis knows the node, or has rows of it; else all is the journal's */
    uint64_t rows;          /* out of Redis */
    uint64_t sealed;        /* of them, those whose counters only the seal has */
    uint64_t records;       /* of the journal that were looked at */
    uint64_t first;         /* number of the journal's first record; 0: it is empty */
    int64_t first_ms;       /* its time */
    int64_t pushed_through; /* all messages dated before are in Redis (Unix seconds) */
    uint64_t pushed_before; /* all records with lesser numbers are, too; 0: not known */
};

/* Fills a ledger that is new. */
int adopt_run(struct ledger *l, const struct adopt_source *from, struct adopt_result *out,
              struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);

/* Adds to the ledger what Redis has; of a node that it does not know, nothing. */
int adopt_rows(struct ledger *l, const struct adopt_source *from, struct adopt_result *out,
               struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);

#endif
