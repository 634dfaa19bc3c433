#ifndef TG_BILLING_BILL_ITEM_H
#define TG_BILLING_BILL_ITEM_H

#include "lib/billing/bill.h"
#include "lib/core/contract.h"
#include "lib/sys/settings.h"

/*
 * What goes to a billing system: of a closed month, for each account and each of billing.fields,
 * one amount, rounded once, up, to a thousandth of billing.units. The id is the same whenever and
 * wherever the month is exported: it is by that that nothing is billed twice.
 *
 * Owner: the arena.
 */

struct bill_item {
    struct slice id; /* "2026-11/example.com/out_bytes/1": month, account, field, revision */
    struct slice account;
    const char *field;
    int64_t amount;     /* exact; below 0: a credit */
    struct slice value; /* in units: "12.346" */
    const char *unit;   /* "GB"; of what is no bytes: "" */
    const struct bill_row *row;
};
struct bill_items {
    struct bill_item *items; /* those that are not 0, by account and field */
    size_t count, room;
};

int bill_item_list(const struct bill *b, const struct settings *s, struct arena *arena,
                   struct bill_items *out, struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 4);
/* Bytes in a unit, as text: 12345678 bytes are "12.346" MB. */
void bill_item_value(int64_t bytes, enum billing_units units, struct buf *out) TG_NONNULL(3);
/* As one JSON object, for programs and listings; with the customer, where the bill has any. */
struct json_t;
struct json_t *bill_item_json(const struct bill *b, const struct bill_item *item) TG_NONNULL(1, 2);

#endif
