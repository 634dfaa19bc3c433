#ifndef TG_WEB_PAGE_LOG_LIST_H
#define TG_WEB_PAGE_LOG_LIST_H

#include "lib/core/contract.h"
#include "lib/core/html.h"
#include "lib/read/read_list.h"
#include "web/page_report.h"

/* /r/refusals, /r/anomalies: the lists that collectors write, as a page, CSV or JSON. */

int page_log_list(struct exchange *x, const struct list_kind *kind, enum page_report_form form,
                  struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 4);
/* Links to them, for who may see them; the list items alone. */
void page_log_list_links(struct exchange *x, struct html *h) TG_NONNULL(1, 2);

#endif
