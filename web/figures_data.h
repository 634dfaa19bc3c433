#ifndef TG_WEB_FIGURES_DATA_H
#define TG_WEB_FIGURES_DATA_H

#include "lib/core/contract.h"
#include "lib/core/report_grid.h"
#include "lib/read/read_violations.h"
#include "web/figures_usage.h"

/*
 * What programs ask besides reports, within a scope; part of figures.h. Each takes the parameters
 * of x->query that stand beside it, and refuses others.
 *
 * Owner: the exchange, but for a grid.  Errors: those of figures.h.
 */

struct exchange;

/* Names are ended by NULL. */
extern const char *const figures_data_totals_parameters[];
extern const char *const figures_data_totals_by[]; /* what `by` may be */
extern const char *const figures_data_accounts_parameters[];
extern const char *const figures_data_violations_parameters[];
extern const char *const figures_data_usage_parameters[];

#define FIGURES_DATA_TOP 1000 /* lines, where `top` does not say */

/* Every counter of each account over a time that is named. report_grid_fini in any case. */
int figures_data_totals(struct exchange *x, struct report_grid *g, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3);

/* Whose they are to be, as the query says (`domain`, or `customer`), within what who asks may see.
 */
struct totals_question;
int figures_data_whose(struct exchange *x, struct totals_question *q, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3);

/* The names of accounts, in order, `top` from the one after `after` on. */
struct figures_data_accounts {
    struct name_list list;
    bool has_more;
};
int figures_data_accounts(struct exchange *x, struct figures_data_accounts *out,
                          struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);

/* In the order in which they were written: `top` behind the entry `after`, or the last ones. */
struct figures_data_violations {
    struct violation_list list;
    struct stream_id last; /* to go on from; 0, 0: from the beginning */
};
int figures_data_violations(struct exchange *x, struct figures_data_violations *out,
                            struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);

/* Of the domain that the path names, or a user of it. */
struct figures_data_usage {
    struct scope scope;
    struct figures_usage usage;
};
int figures_data_usage(struct exchange *x, struct slice domain, struct figures_data_usage *out,
                       struct err *err) TG_MUST_USE TG_NONNULL(1, 3, 4);

#endif
