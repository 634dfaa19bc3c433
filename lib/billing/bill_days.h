#ifndef TG_BILLING_BILL_DAYS_H
#define TG_BILLING_BILL_DAYS_H

#include <time.h>

#include "lib/billing/bill.h"
#include "lib/billing/bill_item.h"
#include "lib/core/contract.h"
#include "lib/core/period.h"
#include "lib/read/read_report.h"

/*
 * The bytes of a closed month by day, for a system that keeps traffic by day (Plesk).
 *
 * The store's days need not add up to what was closed: late records and adjustments belong to
 * another day, or to none. So the closed sum is dealt out: each day gets what the store has of it,
 * as far as the sum reaches, and the last day the rest. Where days are no longer kept
 * (store.keep_days), that is all of it.
 *
 * Owner: the arena.
 */

#define BILL_DAYS_MAX 31

/* In; sent to others, by users or forwarders; fetched by POP3 and IMAP. None of what the bill has
 * no column for. */
enum bill_traffic { BILL_TRAFFIC_IN, BILL_TRAFFIC_OUT, BILL_TRAFFIC_MAILBOX, BILL_TRAFFICS };

struct bill_days {
    size_t count;
    char names[BILL_DAYS_MAX][PERIOD_TEXT];
    int64_t (*bytes)[BILL_TRAFFICS]; /* of each account of the bill in turn, a day each */
};

/* Of the month that the bill is of. EX_UNAVAILABLE and the like: the store. */
int bill_days_read(struct reader *r, const struct report_time *time, const struct bill *b,
                   struct arena *arena, struct bill_days *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 4, 5);
/* What such a system is told: of each account with traffic one item, of all its days. Whatever
 * billing.fields has, its amount is the sum of both ways. */
int bill_days_items(const struct bill *b, struct arena *arena, struct bill_items *out,
                    struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);
/* A day of the account in that row of the bill. */
const int64_t *bill_days_of(const struct bill_days *d, const struct bill *b,
                            const struct bill_row *row, size_t day) TG_NONNULL(1, 2, 3);

#endif
