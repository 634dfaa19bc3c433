#ifndef TG_THROTTLE_ACCOUNT_CHANGE_H
#define TG_THROTTLE_ACCOUNT_CHANGE_H

#include "lib/core/contract.h"
#include "lib/core/limit.h"
#include "lib/redis/store.h"
#include "lib/sys/adjustment.h"

/*
 * Changes at run time to the plan and the overrides of a holder (a domain, "@server", "@client").
 * They take effect on all nodes within 5 s. A node ("@mx1") can be marked as retired. Each node
 * keeps a copy of all (lib/ledger/changes).
 *
 * A change may be bound to what was seen before (`seen`, of account_overrides_stamp). If somebody
 * else has changed it meanwhile, nothing is done, and 1 is returned.
 *
 * Errors: EX_UNAVAILABLE, also where the store refuses to write; EX_DATAERR for a key of another
 * type.
 */

struct account_change {
    struct store *store;
    const char *prefix; /* store.prefix */
    struct slice holder;
    int64_t timeout_ms;   /* for one trip */
    const uint64_t *seen; /* NULL: whatever stands there now */
};

/* Sets the override; it replaces any of its name, however that is spelled. */
int account_change_override_set(const struct account_change *c, const struct limit *limit,
                                struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Removes the overrides of that name, or a field of exactly that spelling, which may name no limit.
 * *removed: how many there were. */
int account_change_override_unset(const struct account_change *c, struct slice name,
                                  size_t *removed, struct err *err) TG_MUST_USE TG_NONNULL(1);

int account_change_plan_set(const struct account_change *c, struct slice plan,
                            struct err *err) TG_MUST_USE TG_NONNULL(1);
int account_change_plan_unset(const struct account_change *c, bool *removed,
                              struct err *err) TG_MUST_USE TG_NONNULL(1);
/* The holder is the node. */
int account_change_node_retire(const struct account_change *c, int64_t now_s,
                               struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Adds an adjustment to the holder's account. One that is there already, of the same period and id,
 * stays as it is. */
int account_change_adjustment_add(const struct account_change *c, const struct adjustment *a,
                                  struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
