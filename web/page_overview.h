#ifndef TG_WEB_PAGE_OVERVIEW_H
#define TG_WEB_PAGE_OVERVIEW_H

#include "lib/core/contract.h"
#include "web/exchange.h"

/* / : what who asks sees first: this month, who sends most, violations. Of a user and of who has
 * one domain, that page. */
int page_overview(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* /d/DOMAIN: a domain at a glance. */
int page_overview_domain(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* /c/CUSTOMER: its domains together; /customers: all of them, and the domains without one. For
 * admins alone. */
int page_overview_customer(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
int page_overview_customers(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
