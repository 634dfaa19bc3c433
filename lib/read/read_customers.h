#ifndef TG_READ_READ_CUSTOMERS_H
#define TG_READ_READ_CUSTOMERS_H

#include "lib/core/contract.h"
#include "lib/core/hosted.h"
#include "lib/read/read.h"

/*
 * Figures of customers: the sums of what is read for their domains, by what the sources say of the
 * domains now, whatever the time that is asked about. A domain without a customer stands for
 * itself. For `hosted` it is enough to have customers (source_load_customers).
 *
 * Errors: those of read.h.
 */

/* The accounts ever counted that are the customer's. */
int read_customers_accounts(struct reader *r, const struct hosted *hosted, struct slice customer,
                            struct arena *arena, struct name_list *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 4, 5);

/* One of the two is empty: a customer, or an account without one. As read_row. */
typedef int read_customers_row(void *context, struct slice customer, struct slice account,
                               const struct tally *sum, struct err *err);

/* Of these accounts: each that has no customer, as it comes; then each customer of some. */
int read_customers(struct reader *r, const struct hosted *hosted, const struct name_list *accounts,
                   const struct stored_periods *periods, const struct counter_list *counters,
                   read_customers_row *row, void *context, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 4, 5, 6);

#endif
