#ifndef TG_WEB_PAGE_HELP_H
#define TG_WEB_PAGE_HELP_H

#include "lib/core/contract.h"
#include "web/exchange.h"

/* /help/REPORT: what the report's columns count, from the tables of counters and reports. */
int page_help(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
