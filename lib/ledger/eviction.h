#ifndef TG_LEDGER_EVICTION_H
#define TG_LEDGER_EVICTION_H

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/redis/store.h"

/*
 * Whether the store deletes keys when its memory is full (maxmemory-policy). Counters that go that
 * way are missing from reports until the scrub brings them again, and nobody is told; a server that
 * refuses writes instead makes the push wait, and loses nothing.
 *
 * Threads: the store's.
 */

/* 0: it keeps all keys, or cannot be asked (a user without INFO, a server without the field).
 * -1 with EX_CONFIG: it deletes some; with another code: the store's own error. */
int eviction_check(struct store *store, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
