#ifndef TG_WEB_PAGE_LISTS_H
#define TG_WEB_PAGE_LISTS_H

#include "lib/core/contract.h"
#include "web/exchange.h"

/* /violations?domain=&user=&top=: limits that were crossed, the newest first. */
int page_lists_violations(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* /held?domain=: messages that limits keep on hold, the longest held first. */
int page_lists_held(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
