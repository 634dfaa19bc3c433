#ifndef TG_WEB_SCOPE_H
#define TG_WEB_SCOPE_H

#include <stdbool.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/read/read.h"
#include "lib/read/read_report.h"

/*
 * What of the store a request may read. scope_choose makes one out of who asks and what he asks
 * for; figures.h, which alone reads figures, takes nothing else. So what a page shows is decided
 * here:
 *
 *   admin   everything, customers too
 *   domain  the domains of his list, their users
 *   user    himself
 *
 * What one may not see is answered as what does not exist: EX_NOUSER, before the store is asked,
 * with one text for both (scope_nothing).
 */

struct exchange;

struct scope {
    enum report_scope level;
    struct slice account, user; /* canonical; of SCOPE_DOMAIN, SCOPE_USER; the customer */
    bool sees_nodes; /* and all accounts, _unattributed, and what nobody is charged for */
};

/* `domain` and `user` as they were asked for; empty: the widest that he may see (of several domains
 * the first). EX_USAGE for what is no domain or address. */
int scope_choose(struct exchange *x, struct slice domain, struct slice user, struct scope *out,
                 struct err *err) TG_MUST_USE TG_NONNULL(1, 4);

/* The domains of a customer together, for admins alone. EX_NOUSER where it has none. */
int scope_customer(struct exchange *x, struct slice name, struct scope *out,
                   struct err *err) TG_MUST_USE TG_NONNULL(1, 3, 4);

/* The accounts that he may see as a whole: `domain`, or where it is empty, of an admin all (those
 * that have counted anything), of others those of the list. EX_NOUSER for a user. */
struct scope_accounts {
    bool is_all; /* and the list is empty */
    struct name_list list;
};
int scope_accounts(struct exchange *x, struct slice domain, struct scope_accounts *out,
                   struct err *err) TG_MUST_USE TG_NONNULL(1, 3);

/* A domain, for whoever holds a link to it that the caller has found to be signed. EX_NOUSER where
 * it has never counted anything. */
int scope_signed(struct exchange *x, struct slice domain, struct scope *out,
                 struct err *err) TG_MUST_USE TG_NONNULL(1, 3);
int scope_nothing(struct err *err) TG_MUST_USE;

#endif
