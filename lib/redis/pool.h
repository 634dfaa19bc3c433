#ifndef TG_REDIS_POOL_H
#define TG_REDIS_POOL_H

#include <stdbool.h>

#include "lib/core/contract.h"
#include "lib/redis/store.h"

/*
 * Connections to the store for the mail path, shared by its threads, behind a breaker: the first
 * trip that fails opens it, and from then on no message waits; a thread of the pool's own tries the
 * store (after 250 ms, then with growing pauses up to 5 s) and closes the breaker when it answers.
 * One server of a cluster that is away does not open it: mail of other accounts goes on, and each
 * connection pauses before it tries that server again.
 *
 * Threads: all. A connection is one thread's from pool_take to pool_give.
 */

struct pool;

void pool_free(struct pool *p);
struct pool *pool_new(const struct settings *s, size_t connections_max, struct err *err)
    TG_NONNULL(1) TG_MUST_USE;
void pool_reload(struct pool *p, const struct settings *s) TG_NONNULL(1); /* store.timeout */

/* NULL with *err: the breaker is open, or no connection came free within the store's timeout. */
struct store *pool_take(struct pool *p, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* `good`: the trips made with it came back. */
void pool_give(struct pool *p, struct store *st, bool good) TG_NONNULL(1);
bool pool_is_open(struct pool *p)
    TG_NONNULL(1); /* the breaker: true while the store is unreachable */
void pool_break(struct pool *p) TG_NONNULL(1); /* opens it: a trip by another way has failed */
int64_t pool_timeout_ms(const struct pool *p) TG_NONNULL(1); /* store.timeout */

#endif
