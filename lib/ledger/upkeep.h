#ifndef TG_LEDGER_UPKEEP_H
#define TG_LEDGER_UPKEEP_H

#include "lib/core/contract.h"
#include "lib/ledger/ledger.h"
#include "lib/sys/journal.h"
#include "lib/sys/log_limit.h"

/*
 * What happens to the journal once it is counted: the ledger that has counted it is put on the
 * disk, then segments that nobody wants to keep are deleted, and those that are kept get an index.
 *
 * Units: ms (monotonic).  Threads: the accountant's.  Errors: logged.
 */

struct upkeep {
    struct ledger *ledger;
    const char *journal_dir;
    struct log_problem *problem; /* of the ledger */
    struct journal_position synced;
    int64_t sync_next_ms;
    uint64_t index_from; /* the segments before it have their indexes */
};

/* Once a minute, and whenever a segment has been counted to its end. */
void upkeep_trim(struct upkeep *u, const struct journal_keep *keep) TG_NONNULL(1, 2);
/* At most one segment: it takes a moment, and Redis waits meanwhile. */
void upkeep_index(struct upkeep *u) TG_NONNULL(1);

#endif
