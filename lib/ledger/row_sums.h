#ifndef TG_LEDGER_ROW_SUMS_H
#define TG_LEDGER_ROW_SUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/strmap.h"
#include "lib/core/tally.h"
#include "lib/ledger/ledger.h"
#include "lib/ledger/rest.h"

/*
 * A batch of amounts, summed up in memory by time, account and user, and then added to the
 * ledger's rows: total, month, day and hour of an account, month and day of a user.
 *
 * Who appears first is first to get a row, so that the bound on users cuts the same way however the
 * amounts were batched.
 *
 * Users: at most users_max of an account and period have a row of their own, the rest share the row
 * USER_OTHER. Names that cannot be a field in Redis (blanks, control bytes, a counter's name) go
 * there too; accounts that cannot be a key are charged to ACCOUNT_UNATTRIBUTED.
 *
 * Owner: the holder of struct row_sums.  Threads: one.  Errors: EX_OSERR (memory), those of the
 * ledger.
 */

#define USER_OTHER "_other"

/* row.expires_s lies so long after its period's end, whatever the settings say: how long a row is
 * kept is decided when it is pushed (lib/ledger/push_keep). */
#define HOUR_KEPT_S ((int64_t)45 * 86400)
#define DAY_KEPT_S  ((int64_t)400 * 86400)

struct row_sums_config {
    bool users; /* rows for users too */
    uint64_t users_max;
};

struct row_sums {
    struct row_sums_config config;
    struct rest rest;          /* while it is applied */
    struct arena arena;        /* of the batch */
    struct slice node_account; /* @NODE; borrowed */
    struct row_sums_span *spans, *span;
    struct row_sums_entry *first, **last;
    struct strmap map; /* span, account NUL user -> struct row_sums_entry * */
    struct buf key, text;

    /* What has been counted already, whatever the ledger's position is (lib/ledger/adopt; then a
     * batch is one record): by a row's id, the number through which it counts; and, in any row,
     * records before counted_before. NULL, 0, 0: there is nothing of the kind. */
    const uint64_t *counted;
    size_t counted_size;
    uint64_t counted_before;
};

/* `node_account` must outlive it. */
void row_sums_init(struct row_sums *s, const struct row_sums_config *config,
                   struct slice node_account) TG_NONNULL(1, 2);
void row_sums_fini(struct row_sums *s) TG_NONNULL(1);
/* Forgets the batch. */
void row_sums_reset(struct row_sums *s) TG_NONNULL(1);
/* Time to apply: the batch is large. */
bool row_sums_is_full(const struct row_sums *s) TG_NONNULL(1);

/* The time of the amounts that follow. */
int row_sums_at(struct row_sums *s, time_t t, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Where the amounts of that account and user at that time are to be added; NULL where they are not
 * counted. `number` is that of the record they come from. -1: memory is out. */
int row_sums_tally(struct row_sums *s, struct slice account, struct slice user, uint64_t number,
                   struct tally **tally, struct err *err) TG_MUST_USE TG_NONNULL(1, 5);
/* The account that amounts of that name are charged to; ACCOUNT_NODE is the node's. */
struct slice row_sums_account(const struct row_sums *s, struct slice account) TG_NONNULL(1);

/* Adds the batch to the ledger's rows, within a transaction. The batch stays as it is. */
int row_sums_apply(struct row_sums *s, struct ledger *l, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);

#endif
