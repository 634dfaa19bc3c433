#ifndef TG_BILLING_BILL_LEDGER_H
#define TG_BILLING_BILL_LEDGER_H

#include <time.h>

#include "lib/billing/bill_book.h"
#include "lib/core/contract.h"

/*
 * A closed month against the ledger of this host's tollgated, which Redis is a view of: the store
 * has at least what this ledger counted for each account, and, where no other node is known,
 * nothing else. Counters of collectors are not compared, nor adjustments.
 *
 * Owner: the book's arena.  Errors: those of bill_book.h; EX_DATAERR for a ledger that cannot be
 * read.
 */

struct bill_ledger_difference {
    struct slice account;
    enum counter id;
    int64_t ledger, store;
};

struct bill_ledger {
    bool is_there;           /* this host has a ledger, and this user may read it */
    bool is_alone;           /* no other node is known */
    size_t accounts;         /* of the ledger in that month */
    uint64_t sum, store_sum; /* of bill_verified_part: by the ledger; by the store */
    struct bill_ledger_difference *items;
    size_t count, room;
};

/* Of the i-th closed period. */
int bill_ledger_compare(const struct bill_book *b, size_t i, time_t now, struct bill_ledger *out,
                        struct err *err) TG_MUST_USE TG_NONNULL(1, 4, 5);

#endif
