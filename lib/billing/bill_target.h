#ifndef TG_BILLING_BILL_TARGET_H
#define TG_BILLING_BILL_TARGET_H

#include "lib/billing/bill_days.h"
#include "lib/billing/bill_item.h"
#include "lib/core/contract.h"
#include "lib/core/strmap.h"
#include "lib/sys/settings.h"

/*
 * A billing system: where it is (billing.targets), its secret (billing.secrets_file) and the names
 * that it has for our domains (billing.ids_file). Lines of the two files:
 *
 *     hostbill API-ID API-KEY        plesk KEY        cloudevents Authorization: Bearer TOKEN
 *     hostbill example.com 4711      plesk example.com 12      plesk example.net -
 *
 * Owner: bill_target_open/bill_target_close.  Errors: EX_CONFIG, EX_NOINPUT.
 */

enum bill_target_kind {
    TARGET_COMMAND,
    TARGET_CLOUDEVENTS,
    TARGET_PLESK,
    TARGET_HOSTBILL,
    TARGETS
};

struct bill_target {
    enum bill_target_kind kind;
    const char *name, *where;     /* a program, or a URL */
    const char *source;           /* the node, for events */
    const struct bill_days *days; /* of the bill, for Plesk; set by the caller */
    struct slice secret;
    struct strmap ids;
    struct arena arena;
};

const char *bill_target_name(enum bill_target_kind kind);
int bill_target_open(struct bill_target *t, enum bill_target_kind kind, const struct settings *s,
                     struct err *err) TG_MUST_USE TG_NONNULL(1, 3);
void bill_target_close(struct bill_target *t) TG_NONNULL(1);

/* How many items go in one request. */
size_t bill_target_batch(const struct bill_target *t) TG_NONNULL(1);
/* Is it to be asked, whatever the outbox says? */
bool bill_target_asks_first(const struct bill_target *t) TG_NONNULL(1);

/* EX_NOHOST: it has not arrived; EX_DATAERR: it was refused; EX_UNAVAILABLE: nobody knows. */
int bill_target_send(const struct bill_target *t, const struct bill *b,
                     const struct bill_item *const *items, size_t count,
                     struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);
/* Does it have the item? Of those to which it does no harm to send twice: no. */
int bill_target_ask(const struct bill_target *t, const struct bill *b, const struct bill_item *item,
                    bool *has, struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 4);
/* 1: the account is billed there; 0: it is not, says its line; EX_DATAERR: it has no line. */
int bill_target_takes(const struct bill_target *t, const struct bill_item *item,
                      struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
/* What would be sent: to Plesk one document for any number of items, else a request's body. */
int bill_target_print(const struct bill_target *t, const struct bill *b,
                      const struct bill_item *const *items, size_t count, struct buf *out,
                      struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 5);

#endif
