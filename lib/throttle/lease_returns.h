#ifndef TG_THROTTLE_LEASE_RETURNS_H
#define TG_THROTTLE_LEASE_RETURNS_H

#include "lib/core/contract.h"
#include "lib/redis/pool.h"
#include "lib/throttle/leases.h"

/*
 * A thread that gives back leases which are over and unused, where no message did so, and at the
 * end all. While the store is away they stay where they are: their windows pass.
 *
 * Threads: the owner's. Pool and leases are borrowed and outlive it.
 */

struct lease_returns;

/* Gives the rest back, within `timeout_ms` a trip, until one fails. */
void lease_returns_free(struct lease_returns *r);
struct lease_returns *lease_returns_new(struct leases *leases, struct pool *pool,
                                        const char *prefix, int64_t timeout_ms, struct err *err)
    TG_FREED_BY(lease_returns_free);

#endif
