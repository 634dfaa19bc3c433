#ifndef TG_WEB_PAGE_BILLING_H
#define TG_WEB_PAGE_BILLING_H

#include "lib/core/contract.h"
#include "web/exchange.h"

/*
 * /billing, /billing/2026-11: what each account has sent and received in a month, whether all nodes
 * have reported it, and the corrections beside it; /billing/2026-11.csv and .json are what
 * `tollgate totals` writes. Its addresses take domain=, the page also top=.
 */

int page_billing(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
int page_billing_month(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
