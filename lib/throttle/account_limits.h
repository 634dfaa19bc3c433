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

/*
 * The same for one who must not wait: what is known now. Unless it is fresh the store is to be
 * asked (GET of the plan's key, HGETALL of that of the limits), and what it says learned. Where it
 * does not answer (replies NULL), what was known stays in force, and is asked for again after its
 * next age.
 */
int account_limits_known(struct account_limits *a, const struct limit_rules *rules,
                         struct slice holder, struct slice assigned, int64_t now_ms, int64_t now_s,
                         struct arena *arena, struct limit_list *out, bool *is_fresh,
                         struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 7, 8, 9);
struct redisReply;
void account_limits_learn(struct account_limits *a, struct slice holder,
                          struct redisReply *const *replies, int64_t now_ms) TG_NONNULL(1);
const char *account_limits_prefix(const struct account_limits *a) TG_NONNULL(1); /* of the keys */

#endif
