#ifndef TG_LEDGER_FOLDING_H
#define TG_LEDGER_FOLDING_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/ledger/fold.h"
#include "lib/ledger/ledger.h"
#include "lib/sys/journal.h"
#include "lib/sys/log_limit.h"

/*
 * The journal read into the ledger, in pieces of some time: whatever fails is logged, and tried
 * again after a pause from where the ledger stands.
 *
 * Threads: one.  Owner: what is borrowed outlives it.
 */

struct folding {
    struct journal *journal; /* borrowed, as the next two */
    const char *journal_dir;
    struct ledger *ledger;
    struct fold fold;
    struct journal_reader *reader; /* NULL: to be opened where the ledger stands */
    bool is_under_way;             /* on the way to due_number: */
    uint64_t due_number;           /* when the ledger has come so far, */
    int64_t due_ms;                /* all messages dated before this (Unix) are in it, */
    bool is_due_through;           /* where this says so */
    bool is_damaged;               /* nothing from there on is counted */
    int64_t next_ms;               /* monotonic; not tried again before */
    int64_t counted_through;       /* Unix seconds: all messages dated before are in the ledger */
    int64_t told_s;                /* what folding_through said last, */
    int64_t earliest_s;            /* and the earliest date of what was read since */
    struct log_problem journal_problem, ledger_problem, strays;
};

struct folding_parts {
    struct journal *journal;
    const char *journal_dir;
    struct ledger *ledger;
    struct row_sums_config config;
    struct slice node_account; /* @NODE */
};

void folding_init(struct folding *f, const struct folding_parts *parts) TG_NONNULL(1, 2);
void folding_fini(struct folding *f); /* one that is all zeros is allowed */

/* Works for about `budget_ms`. */
void folding_run(struct folding *f, int64_t budget_ms) TG_NONNULL(1);
/* counted_through, for who passes it on; after a message dated before what was said last, once that
 * date: the clock may have been set back and on again since. */
int64_t folding_through(struct folding *f) TG_NONNULL(1);
/* Ends a pause. */
void folding_retry(struct folding *f) TG_NONNULL(1);

#endif
