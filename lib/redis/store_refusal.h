#ifndef TG_REDIS_STORE_REFUSAL_H
#define TG_REDIS_STORE_REFUSAL_H

#include <hiredis/hiredis.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/redis/store.h"

/*
 * The error of an error reply that concerns the whole store (out of memory, read-only, no rights),
 * with the fix where one is known. Always -1, EX_UNAVAILABLE.
 *
 * Threads: any.
 */

int store_refusal(const struct store *store, const redisReply *reply, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);

#endif
