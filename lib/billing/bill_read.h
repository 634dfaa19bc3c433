#ifndef TG_BILLING_BILL_READ_H
#define TG_BILLING_BILL_READ_H

#include <time.h>

#include "lib/billing/bill.h"
#include "lib/core/contract.h"
#include "lib/core/period.h"
#include "lib/read/read.h"
#include "lib/sys/settings.h"

/*
 * A month as the store has it now: its edges in the configured time zone, who has not reported it
 * all yet, and its bill.
 *
 * Errors: EX_USAGE for what is no month, EX_UNAVAILABLE, EX_DATAERR.  Owner: the arena.
 */

struct bill_month {
    char name[PERIOD_TEXT];
    time_t start, end; /* [start, end) */
};
/* The month of that name; "last": the one before `now`. */
int bill_month_parse(struct slice text, time_t now, struct bill_month *out,
                     struct err *err) TG_MUST_USE TG_NONNULL(3);
/* The one after it. */
void bill_month_next(const struct bill_month *m, struct bill_month *out) TG_NONNULL(1, 2);

/* What a bill's columns are now: the traffic counters and billing.fields. */
void bill_read_columns(const struct settings *s, struct bill *out) TG_NONNULL(1, 2);

/* A program that has not yet reported all until the end of the month and billing.grace. */
struct bill_missing {
    struct slice node;
    bool is_collector;
    int64_t through_s; /* 0: it has never reported */
};
struct bill_missing_list {
    struct bill_missing *items;
    size_t count, room;
};
int bill_read_missing(struct reader *r, const struct settings *s, const struct bill_month *m,
                      const struct bill *columns, struct arena *arena,
                      struct bill_missing_list *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 4, 5, 6);

/* Names the customer of each account, as billing.customers has them now. Nothing where there are
 * none. EX_NOINPUT and the like: the list cannot be read. */
int bill_read_customers(const struct settings *s, struct arena *arena, struct bill *b,
                        struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 4);

/* Figures and adjustments of the month; out->columns are set by the caller. */
int bill_read(struct reader *r, const struct settings *s, const struct bill_month *m, time_t now,
              struct arena *arena, struct bill *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 5, 6);

#endif
