#ifndef TG_COLLECT_COUNTS_H
#define TG_COLLECT_COUNTS_H

#include <stdbool.h>

#include "collect/collect_db.h"
#include "collect/sink.h"
#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/ledger/row_sums.h"

/*
 * What the machines find in a batch of lines, until it goes into the ledger: the sink of the
 * collector. Amounts are summed up (lib/ledger/row_sums), the rest waits in the order in which it
 * came.
 *
 * A counter is counted in an account only if the collector fills it there (counter_filler): so no
 * field of one kind of account is written by both programs.
 *
 * Owner: counts_init/counts_fini.  Threads: one.
 * Errors: what fails in the sink is kept in `err`, and the batch must not be applied then.
 */

struct counts_record;

struct counts {
    struct row_sums sums;
    struct arena arena; /* of the records */
    struct counts_record *first, **last;
    const struct slice *sources; /* their names, for gaps; borrowed */
    uint64_t number;             /* of the present batch */
    bool failed;
    struct err err;
};

void counts_init(struct counts *c, const struct row_sums_config *config, struct slice node_account,
                 const struct slice *sources) TG_NONNULL(1, 2);
void counts_fini(struct counts *c) TG_NONNULL(1);
/* Forgets the batch; the next one has that number. */
void counts_reset(struct counts *c, uint64_t number) TG_NONNULL(1);
bool counts_is_full(const struct counts *c) TG_NONNULL(1);
/* Nothing was found. */
bool counts_is_empty(const struct counts *c) TG_NONNULL(1);

struct sink counts_sink(struct counts *c) TG_NONNULL(1);

/* Brings the batch into the ledger and its tables, within a transaction. */
int counts_apply(struct counts *c, struct collect_db *db, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);

#endif
