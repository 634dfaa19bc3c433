#ifndef TG_WEB_PAGE_USAGE_H
#define TG_WEB_PAGE_USAGE_H

#include "lib/core/contract.h"
#include "lib/core/html.h"
#include "web/figures_usage.h"

/* How much of its limits is used, as a table with bars: a part of a page. Nothing where there is
 * nothing to say. */
void page_usage(struct html *h, const struct figures_usage *f) TG_NONNULL(1, 2);

#endif
