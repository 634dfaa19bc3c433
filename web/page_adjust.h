#ifndef TG_WEB_PAGE_ADJUST_H
#define TG_WEB_PAGE_ADJUST_H

#include "lib/core/contract.h"
#include "web/exchange.h"

/* /adjust/DOMAIN: the form of a correction of a domain's figures, for the server's administrator;
 * and the same for programs, PUT of /api/v1/domains/DOMAIN/adjustments. */

int page_adjust(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
int page_adjust_put(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
