#ifndef TG_THROTTLE_ACCOUNT_OVERRIDES_H
#define TG_THROTTLE_ACCOUNT_OVERRIDES_H

#include "lib/core/contract.h"
#include "lib/core/limit.h"
#include "lib/redis/store.h"

/*
 * The plan and the overrides that were set at run time for a holder (a domain, "@server",
 * "@client"), read from the store.  Owner: the arena given.
 */

struct account_overrides {
    struct slice plan; /* empty: none */
    struct limit *overrides;
    size_t count, skipped; /* skipped: cannot be parsed */
};

/* What stands there for the limits of that name, as one number; the same again as long as nobody
 * changes it. With `name` NULL: the plan. */
uint64_t account_overrides_stamp(const struct account_overrides *o, const struct limit *name)
    TG_NONNULL(1);
/* The same of all of them together, and the plan. */
uint64_t account_overrides_stamp_all(const struct account_overrides *o) TG_NONNULL(1);

/* Overrides that cannot be parsed are skipped and reported, a line each, in `warnings` (may be
 * NULL). -1: EX_UNAVAILABLE, or EX_DATAERR for a key of another type. */
int account_overrides_read(struct store *st, const char *prefix, struct slice holder,
                           int64_t timeout_ms, struct arena *arena, struct account_overrides *out,
                           struct buf *warnings, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* The same of many holders, in one trip; `out` has a place for each. */
#define ACCOUNT_OVERRIDES_MOST ((size_t)256)
int account_overrides_read_many(struct store *st, const char *prefix, const struct slice *holders,
                                size_t count, int64_t timeout_ms, struct arena *arena,
                                struct account_overrides *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 6, 7);

/* The same of replies to GET of the plan's key and HGETALL of that of the limits. */
int account_overrides_answer(redisReply *const *replies, const char *prefix, struct slice holder,
                             struct arena *arena, struct account_overrides *out,
                             struct buf *warnings, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 4, 5);

/* The overrides alone, of an answer to HGETALL. -1: out of memory. */
struct redisReply;
int account_overrides_take(const struct redisReply *reply, struct arena *arena,
                           struct account_overrides *out, struct buf *warnings) TG_MUST_USE
    TG_NONNULL(1, 2, 3);

#endif
