#ifndef TG_ADMIN_LIMIT_HOLDERS_H
#define TG_ADMIN_LIMIT_HOLDERS_H

#include "lib/admin/holder.h"
#include "lib/core/contract.h"
#include "lib/read/read.h"

/*
 * Everybody who has limits of his own, with the limits in force: each account ever counted, each
 * domain that a file gives a plan, everybody whose plan or limits were set at run time, every
 * customer, "@server" and "@client". Whether a domain is hosted is not looked up: that may be a
 * question to a database for each.
 *
 * Limits: LIMIT_HOLDERS_BATCH at a time, a trip each.
 */

#define LIMIT_HOLDERS_BATCH ACCOUNT_OVERRIDES_MOST

struct limit_holder {
    struct holder holder;
    struct holder_limits limits;
};

/* The holders live until it returns, with what their limits point to. -1 ends the reading. */
typedef int limit_holders_take(void *context, struct limit_holder *holders, size_t count,
                               struct err *err);

/* In the order of their names. */
int limit_holders_each(const struct setup *s, struct reader *r, int64_t now_s,
                       limit_holders_take *take, void *context, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 4);

#endif
