#ifndef TG_READ_READ_TOTALS_H
#define TG_READ_READ_TOTALS_H

#include "lib/core/contract.h"
#include "lib/core/hosted.h"
#include "lib/core/report_grid.h"
#include "lib/read/read.h"
#include "lib/read/read_range.h"

/*
 * Every counter of accounts over a time, exact, and whether the time is complete: what bills are
 * made of. One row an account, by name.
 *
 * Owner: the grid is report_grid_fini's; what it borrows is the question's and the arena's.
 */

struct totals_question {
    struct name_list accounts; /* each gets a row; empty: all that have counted anything */
    const struct range *range;
    const char *timezone;
    bool by_user; /* a row for each user of the accounts, by account and user */
    /* by_customer: a row for each customer, and for each account without one; `customer`: its
     * accounts alone. Either needs to know whose they are. */
    bool by_customer;
    struct slice customer;
    const struct hosted *customers;
};

/* report_grid_fini in any case. */
int read_totals(struct reader *r, const struct totals_question *q, struct arena *arena,
                struct report_grid *g, struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 4);

#endif
