#ifndef TG_WEB_PAGE_HEADER_H
#define TG_WEB_PAGE_HEADER_H

#include "lib/core/contract.h"
#include "lib/core/html.h"
#include "web/exchange.h"

/* The head of every page: the pages and reports that who asks may see, who that is, the theme. */
void page_header(struct exchange *x, struct html *h) TG_NONNULL(1, 2);

#endif
