#ifndef TG_THROTTLE_ACCOUNT_LIMITS_H
#define TG_THROTTLE_ACCOUNT_LIMITS_H

#include "lib/core/contract.h"
#include "lib/redis/pool.h"
#include "lib/throttle/limit_rules.h"

/*
 * The limits of a holder (a domain, HOLDER_SERVER, HOLDER_CLIENT): the plan that the files or the
 * store give it, with the store's overrides. An answer of the store is used for at most 5 s, so
 * that a change at run time takes effect within that time. While the store is away the last answer
 * stays in force; without one, the files decide.
 *
 * Threads: all; the lock guards the table only and is never held across a trip.
 * Limits: as many holders as account_limits_new is told; those go that were not asked about for the
 * longest time. Of those for which something was set, as many as a quarter of all stay. A holder
 * for which nothing was set takes some 100 bytes.
 */

#define ACCOUNT_LIMITS_MAX    100000
#define ACCOUNT_LIMITS_AGE_MS 5000

struct account_limits;

void account_limits_free(struct account_limits *a);
/* `most`: holders that are remembered. */
struct account_limits *account_limits_new(const char *prefix, size_t most, struct err *err)
    TG_FREED_BY(account_limits_free);

/* `assigned`: the plan that the files give the holder, or empty. The limits and their strings are
 * in `arena`. `now_ms` is monotonic, `now_s` Unix time (for overrides that end). -1: the arena's
 * cap is reached. */
int account_limits_get(struct account_limits *a, struct pool *pool, const struct limit_rules *rules,
                       struct slice holder, struct slice assigned, int64_t now_ms, int64_t now_s,
                       struct arena *arena, struct limit_list *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

#endif
