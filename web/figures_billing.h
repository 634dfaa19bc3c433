#ifndef TG_WEB_FIGURES_BILLING_H
#define TG_WEB_FIGURES_BILLING_H

#include "lib/billing/bill_chain.h"
#include "lib/core/contract.h"
#include "lib/read/read_adjustments.h"
#include "lib/read/read_range.h"
#include "lib/read/read_totals.h"
#include "web/scope.h"

/* The totals of a month and the corrections beside them, within a scope; part of figures.h. Who has
 * several domains gets them all where none is named. */

struct exchange;

struct figures_billing {
    char month[PERIOD_TEXT]; /* "2026-11" */
    struct range range;
    struct report_grid grid;   /* ended by figures_billing_fini */
    struct name_list accounts; /* those of the grid */
    struct adjustment_list adjustments;
    struct bill_entry closed; /* month.ptr NULL: the month is not closed */
};

/* `month` empty: this one. figures_billing_fini in any case. */
int figures_billing(struct exchange *x, struct slice month, struct figures_billing *out,
                    struct err *err) TG_MUST_USE TG_NONNULL(1, 3, 4);
void figures_billing_fini(struct figures_billing *f) TG_NONNULL(1);

#endif
