#ifndef TG_BILLING_BILL_VERIFIED_H
#define TG_BILLING_BILL_VERIFIED_H

#include <time.h>

#include "lib/billing/bill_book.h"
#include "lib/core/contract.h"

/*
 * Which nodes have found a closed month to agree with their ledgers (bill_ledger.h): each sees its
 * own alone, so it leaves a note in Redis (bill_mirror.h) with a sum of what its ledger counted.
 * These sums add up to that of the store if, and but for odds of 1 in millions only if, the ledgers
 * do. Redis lost, they are run again.
 *
 * A note is a line, its parts apart by tabs: the hash of the month, when, by whom, the sum.
 *
 * Owner: the book's arena.  Errors: those of bill_mirror.h.
 */

struct bill_verified_node {
    struct slice name, at, by; /* at, by: where it is there */
    uint64_t sum;
    bool is_there, is_retired; /* retired: nobody may be able to, any more */
};

struct bill_verified {
    struct bill_verified_node *items; /* those that accepted mail when the month was closed */
    size_t count, room, there;
    uint64_t sum; /* of those that are there */
};

/* What one counter of one account adds to a sum. */
uint64_t bill_verified_part(struct slice account, enum counter id, int64_t value);

/* Of the i-th closed period. */
int bill_verified_read(const struct bill_book *b, size_t i, struct bill_verified *out,
                       struct err *err) TG_MUST_USE TG_NONNULL(1, 3);
/* This node has. */
int bill_verified_note(const struct bill_book *b, size_t i, struct slice by, time_t now,
                       uint64_t sum, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
