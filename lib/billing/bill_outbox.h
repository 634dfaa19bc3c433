#ifndef TG_BILLING_BILL_OUTBOX_H
#define TG_BILLING_BILL_OUTBOX_H

#include "lib/billing/bill_item.h"
#include "lib/core/contract.h"

/*
 * What has gone to which billing system: STATE_DIR/periods/outbox.db. An item is `new`; `sent` is
 * written, durably, before it is sent, and `confirmed` after the answer. So what stands at `sent`
 * after a kill may have arrived or not, and the target has to be asked.
 *
 * Owner: bill_outbox_open/bill_outbox_close.  Threads: one; the book's lock keeps processes apart.
 * Errors: EX_CANTCREAT.
 */

struct bill_outbox;

enum bill_outbox_state { OUTBOX_NEW, OUTBOX_SENT, OUTBOX_CONFIRMED };

void bill_outbox_close(struct bill_outbox *o);
struct bill_outbox *bill_outbox_open(const char *state_dir, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
int bill_outbox_state(struct bill_outbox *o, const char *target, const struct bill_item *item,
                      enum bill_outbox_state *state, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 4);
/* Of all items in one step. */
int bill_outbox_set(struct bill_outbox *o, const char *target, const struct bill_item *const *items,
                    size_t count, enum bill_outbox_state state, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3);

#endif
