#ifndef TG_BILLING_BILL_TARGET_WORK_H
#define TG_BILLING_BILL_TARGET_WORK_H

#include "lib/billing/bill_target.h"

/* What each kind of billing system gets, and how it is asked; for bill_target.c alone. */

/* The body of a request, or of a command's standard input. */
int bill_target_events(const struct bill_target *t, const struct bill *b,
                       const struct bill_item *const *items, size_t count, struct buf *out,
                       struct err *err) TG_MUST_USE;
int bill_target_plesk(const struct bill_target *t, const struct bill *b,
                      const struct bill_item *const *items, size_t count, struct buf *out,
                      struct err *err) TG_MUST_USE;

int bill_target_hostbill_add(const struct bill_target *t, const struct bill_item *item,
                             struct err *err) TG_MUST_USE;
int bill_target_hostbill_ask(const struct bill_target *t, const struct bill_item *item, bool *has,
                             struct err *err) TG_MUST_USE;
/* The id of the account there; ptr NULL, with *err: none is known. */
struct slice bill_target_id(const struct bill_target *t, struct slice account, struct err *err);

#endif
