#ifndef TG_WEB_PAGE_SIGN_IN_H
#define TG_WEB_PAGE_SIGN_IN_H

#include "lib/core/contract.h"
#include "web/exchange.h"

/* /signin: the form, and what comes of it. It leads on to where `to` says, within this site. */
int page_sign_in(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* /signout */
int page_sign_in_out(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Leads who is not signed in to /signin, and from there back. */
void page_sign_in_lead(struct exchange *x) TG_NONNULL(1);

#endif
