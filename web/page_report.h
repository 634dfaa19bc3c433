#ifndef TG_WEB_PAGE_REPORT_H
#define TG_WEB_PAGE_REPORT_H

#include <stdbool.h>

#include "lib/core/contract.h"
#include "lib/core/render_svg.h"
#include "lib/core/report_grid.h"
#include "web/exchange.h"

/*
 * /r/REPORT: a report as a page with its chart and table; the same path with .csv, .json and .svg
 * as data. Every state is an address: heads sort, rows lead on (the server's domains, a domain's
 * users, a month's days), the form is a GET.
 */

enum page_report_form { PAGE_REPORT_HTML, PAGE_REPORT_CSV, PAGE_REPORT_JSON, PAGE_REPORT_SVG };

int page_report(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* What stands before the ending ".csv", ".json" or ".svg", or all of it; the ending is *form. */
struct slice page_report_stem(struct slice name, enum page_report_form *form) TG_NONNULL(2);
/* Does the path ask for data, so that errors are for programs? */
bool page_report_is_data(const struct exchange *x) TG_NONNULL(1);
/* A grid in a form that is no page. */
int page_report_write(struct exchange *x, const struct report_grid *g, enum page_report_form form,
                      enum render_svg_kind chart, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
/* The report in a form that is no page. */
int page_report_data(struct exchange *x, const struct report_kind *kind, enum page_report_form form,
                     struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
