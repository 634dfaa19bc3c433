#ifndef TG_REDIS_CLUSTER_READ_H
#define TG_REDIS_CLUSTER_READ_H

#include "lib/redis/store_work.h"

/* The I/O of a cluster's map and links; for store_cluster.c. */

/* Has the link to a node open. */
int cluster_read_connect(struct store *st, struct cluster_node *n, int64_t deadline_ms,
                         struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

/* Reads which master has which slots, from any server that answers, where that is due: the map is
 * stale, and was not read a moment ago. -1 where it is not known at all. */
int cluster_read_map(struct store *st, int64_t deadline_ms, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

#endif
