#ifndef TG_ADMIN_LIMIT_CHANGE_H
#define TG_ADMIN_LIMIT_CHANGE_H

#include "lib/admin/holder.h"
#include "lib/core/contract.h"

/*
 * What an admin changes at run time of a holder's limits and plan: the check of what he wants, the
 * change, and a line in the log (notice) with who, from where, why, what was and what is.
 *
 * Errors: EX_USAGE for what cannot be, EX_UNAVAILABLE. 1 where `seen` is given and somebody else
 * has changed it since: nothing was done.
 */

struct limit_change {
    const struct setup *setup;
    const struct holder *holder;
    const struct holder_limits *limits; /* as they were read before */
    int64_t now_s;
    struct arena *arena;
    struct slice author, client; /* client: an address; empty: on this machine */
    struct slice reason;         /* for the log; a limit has one of its own, too */
    const uint64_t *seen; /* account_overrides_stamp when the admin looked; NULL: he did not */
};

/* A limit as it is typed. What is not said is taken over: from the override of its name that holds,
 * else from the strongest limit of the plan, else: defer, no soft percentage, no forwards. */
#define LIMIT_WISH_NO_SOFT UINT64_MAX
struct limit_wish {
    struct slice name, max;
    int action, forwards; /* -1: not said; forwards: 0, 1 */
    uint64_t soft;        /* percent; LIMIT_WISH_NO_SOFT: not said */
    int64_t until_s;      /* 0: no end */
};

int limit_change_make(const struct limit_change *c, const struct limit_wish *wish,
                      struct limit *out, struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);
int limit_change_set(const struct limit_change *c, const struct limit *l,
                     struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
/* `name` as it stands in the store, which may name no limit. *removed: how many there were. */
int limit_change_unset(const struct limit_change *c, struct slice name, size_t *removed,
                       struct err *err) TG_MUST_USE TG_NONNULL(1, 3);

/* EX_USAGE: there is no such plan. */
int limit_change_plan_set(const struct limit_change *c, struct slice plan,
                          struct err *err) TG_MUST_USE TG_NONNULL(1);
int limit_change_plan_unset(const struct limit_change *c, bool *removed,
                            struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
