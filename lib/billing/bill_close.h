#ifndef TG_BILLING_BILL_CLOSE_H
#define TG_BILLING_BILL_CLOSE_H

#include <time.h>

#include "lib/billing/bill_book.h"
#include "lib/billing/bill_read.h"
#include "lib/core/contract.h"

/*
 * Closing a month: once every program has reported all of it and billing.grace has passed, its bill
 * is written and never changed. Months are closed one after the other, without a gap.
 *
 * Errors: those of bill_book.h; EX_USAGE for a month that is not the next one; EX_TEMPFAIL where it
 * is not over, or (with closing.missing) somebody has not reported.
 */

struct bill_closing {
    const struct bill_month *month;
    struct slice by;
    struct slice reason; /* to close it although somebody is missing; empty: not */
    time_t now;

    /* What came of it. */
    struct bill_missing_list missing;
    size_t carried; /* adjustments brought over from closed periods */
    const struct bill_entry *entry;
    bool was_closed; /* before this call, or by another host meanwhile */
};

/* The book is open to write. */
int bill_close(struct bill_book *b, struct bill_closing *c, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);

#endif
