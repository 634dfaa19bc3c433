#ifndef TG_WEB_REPORT_LINK_H
#define TG_WEB_REPORT_LINK_H

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/render_html.h"
#include "web/figures.h"

/*
 * Addresses of reports: that of the page that is shown, and of those next to it. All of a state is
 * in the address, so each of them can be kept and sent.
 */

/* The parameters; empty ones are left out. */
struct report_link {
    const char *report;
    struct slice mode, domain, user, customer, from, to, step, chart, sort, desc, top;
};

/* What the query says now. */
void report_link_of(const struct exchange *x, const struct figures *f, struct report_link *out)
    TG_NONNULL(1, 2, 3);
/* "/r/smtp.csv?mode=..."; `ending` "" or ".csv". */
void report_link_write(const struct report_link *l, const char *ending, struct buf *url)
    TG_NONNULL(1, 2, 3);

/* For the rows and the heads of the table; `context` is a struct report_links. */
struct report_links {
    const struct exchange *x;
    const struct figures *f;
};
/* A name leads to its trend, a step to the same with shorter steps. */
void report_link_row(void *context, struct slice step, struct slice by, struct buf *url)
    TG_NONNULL(1, 4);
/* The same page sorted by that column; the other way round where it is already. */
void report_link_sort(void *context, struct slice column, struct buf *url) TG_NONNULL(1, 3);

#endif
