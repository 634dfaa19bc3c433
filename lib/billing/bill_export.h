#ifndef TG_BILLING_BILL_EXPORT_H
#define TG_BILLING_BILL_EXPORT_H

#include "lib/billing/bill_item.h"
#include "lib/billing/bill_outbox.h"
#include "lib/billing/bill_target.h"
#include "lib/core/contract.h"

/*
 * A closed month goes to a billing system, each item once, however often it is exported and killed:
 * what the outbox has as confirmed is left out; what it has as sent is asked for first.
 */

struct bill_export {
    const struct bill *bill;
    const struct bill_items *items;
    const struct bill_target *target;
    struct bill_outbox *outbox;
    bool again; /* what is confirmed is asked for, or sent, once more under its id */
    /* What the target refuses; the export goes on. */
    void (*refused)(const struct err *err);

    /* What came of it. */
    size_t sent, found, before, refusals; /* found: by asking; before: confirmed earlier */
};

/* EX_USAGE: the month went to this target with the accounts of customers for themselves, or (of
 * `other`, the items of the other way) summed up: both would bill twice. */
int bill_export_check(const struct bill_export *x, const struct bill_items *other,
                      struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);
/* EX_UNAVAILABLE: the target does not answer, and the rest is left for the next run. */
int bill_export_run(struct bill_export *x, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
