#ifndef TG_WEB_REPORT_FORM_H
#define TG_WEB_REPORT_FORM_H

#include "lib/core/contract.h"
#include "lib/core/html.h"
#include "web/exchange.h"
#include "web/figures.h"

/* What is asked of a report, as a form (GET) with the fields that who asks may use; the usual
 * ranges as links; and links to the other reports of the same domain or user and time. */
void report_form(struct exchange *x, struct html *h, const struct figures *f) TG_NONNULL(1, 2, 3);
void report_form_ranges(struct exchange *x, struct html *h, const struct figures *f)
    TG_NONNULL(1, 2, 3);
void report_form_others(struct exchange *x, struct html *h, const struct figures *f)
    TG_NONNULL(1, 2, 3);

#endif
