#ifndef TG_BILLING_BILL_LATE_H
#define TG_BILLING_BILL_LATE_H

#include <time.h>

#include "lib/billing/bill_book.h"
#include "lib/core/contract.h"

/*
 * What changed in a period after it was closed: records that came late, findings, corrections. The
 * file stays as it is; the difference becomes an adjustment of the next open period, with the id
 * "late/2026-10/1" (of each account, one higher each time) and the figures as evidence.
 *
 * A difference is what the store has now, less the closed file, less all that was carried over from
 * that period before; so two runs, on whatever hosts, bring one difference over once: if both write
 * an adjustment, the next run takes one back.
 *
 * Errors: those of bill_book.h.  Owner: the book's arena.
 */

struct bill_late {
    struct slice account;
    int64_t before[COUNTER_COUNT];  /* by the closed file */
    int64_t now[COUNTER_COUNT];     /* in the store */
    int64_t carried[COUNTER_COUNT]; /* by adjustments of later periods */
    size_t carried_count;
};
struct bill_late_list {
    struct bill_late *items; /* those that differ or have something carried over, by account */
    size_t count, room;
};

int64_t bill_late_amount(const struct bill_late *late, size_t counter) TG_NONNULL(1);
/* Is there something left to be carried over? */
bool bill_late_is_open(const struct bill_late *late) TG_NONNULL(1);
/* "in_messages 100 -> 103, ...": of what is left. */
void bill_late_text(const struct bill_late *late, struct buf *out) TG_NONNULL(1, 2);

/* Of the i-th closed period. */
int bill_late_find(const struct bill_book *b, size_t i, time_t now, struct bill_late_list *out,
                   struct err *err) TG_MUST_USE TG_NONNULL(1, 4);
/* What is left of the newest BILL_LATE_PERIODS closed periods becomes adjustments of the month
 * `into`. *count: how many. */
#define BILL_LATE_PERIODS 12
int bill_late_carry(const struct bill_book *b, struct slice into, struct slice author, time_t now,
                    size_t *count, struct err *err) TG_MUST_USE TG_NONNULL(1, 5);

#endif
