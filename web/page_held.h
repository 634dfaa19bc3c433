#ifndef TG_WEB_PAGE_HELD_H
#define TG_WEB_PAGE_HELD_H

#include "lib/core/contract.h"
#include "web/exchange.h"
#include "web/held_view.h"
#include "web/page.h"

/* /held/NODE/QUEUE-ID?domain=DOMAIN: a message on hold, and the request to release it. */
int page_held(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

/* "asked for", or the way to ask. */
void page_held_cell(struct exchange *x, struct html *h, const struct page_head *head,
                    const struct held_view *v, const struct held_entry *e)
    TG_NONNULL(1, 2, 3, 4, 5);

#endif
