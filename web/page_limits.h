#ifndef TG_WEB_PAGE_LIMITS_H
#define TG_WEB_PAGE_LIMITS_H

#include "lib/core/contract.h"
#include "web/exchange.h"

/* /limits/HOLDER: the limits in force and the plan, and, for who may change them, how: forms that
 * come back to this page. HOLDER as `tollgate limit' takes it. */
int page_limits(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
