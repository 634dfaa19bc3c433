#ifndef TG_BILLING_BILL_H
#define TG_BILLING_BILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/counters.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * What is billed for a month: the counted figures of each account, its adjustments, and their sum.
 * The text is canonical: the same figures give the same bytes, which are what an audit hash is of.
 *
 *     # tollgate billing period
 *     # schema: 1
 *     # period: 2026-11
 *     # timezone: Europe/Berlin
 *     # nodes: mx1 0badcafe, mx2 12345678
 *     account,figure,in_messages,in_recipients,...
 *     example.com,counted,100,...
 *     example.com,adjusted,-1,...
 *     example.com,billed,99,...
 *     example.net,billed,7,...
 *
 * Where billing.customers named customers when the month was closed, the customer whose the account
 * was (or nothing) stands behind it: account,customer,figure,...
 *
 * An account has the line `billed`; where it has adjustments, `counted` and `adjusted` come before.
 * Accounts are in the order of their bytes (A-labels), numbers decimal, lines end in LF.
 *
 * Owner: the arena given; what bill_parse gives borrows from the text.
 * Limits: figures below 2^63; 2,000,000 accounts.
 */

struct bill_row {
    struct slice account;
    struct slice customer;       /* empty: none */
    int64_t *counted, *adjusted; /* one a column; adjusted: NULL where there is none */
};

struct bill {
    struct slice month, timezone, nodes;
    enum counter columns[COUNTER_COUNT];
    size_t column_count;
    bool has_customers;
    struct bill_row *rows; /* by account */
    size_t count, room;
};

#define BILL_BYTES                                                                                 \
    ((size_t)60 << 20) /* of a bill's text: it has to fit into a command to Redis                  \
                        */

/* A new last row, without figures. NULL: no memory. */
struct bill_row *bill_add(struct bill *b, struct slice account, struct arena *arena)
    TG_NONNULL(1, 3);
/* The row of the account; NULL: none. */
const struct bill_row *bill_find(const struct bill *b, struct slice account) TG_NONNULL(1);
/* The place of the counter among the columns, or -1. */
int bill_column(const struct bill *b, enum counter id) TG_NONNULL(1);
int64_t bill_billed(const struct bill_row *row, size_t column) TG_NONNULL(1);

/* The same month by customer: of each customer a row, the sum of its accounts, under the name
 * "@customer:4711", in the order of the names; behind them the accounts without one. */
int bill_by_customer(const struct bill *b, struct arena *arena, struct bill *out,
                     struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 4);

void bill_print(const struct bill *b, struct buf *out) TG_NONNULL(1, 2);
/* EX_DATAERR, with the line, for what bill_print has not written. */
int bill_parse(struct slice text, struct arena *arena, struct bill *out,
               struct err *err) TG_MUST_USE TG_NONNULL(2, 3);

#endif
