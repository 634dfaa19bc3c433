#ifndef TG_WEB_PAGE_ACCOUNT_H
#define TG_WEB_PAGE_ACCOUNT_H

#include "lib/core/contract.h"
#include "web/exchange.h"

/* /account: who is signed in, what he may see, his sessions. */
int page_account(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* /account/end: ends his other sessions. */
int page_account_end(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
