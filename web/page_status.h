#ifndef TG_WEB_PAGE_STATUS_H
#define TG_WEB_PAGE_STATUS_H

#include "lib/core/contract.h"
#include "web/exchange.h"

/* /status: the nodes, how far their figures reach, what their logs lack. The administrator's. */
int page_status(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
