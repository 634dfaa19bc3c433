#ifndef TG_REDIS_CLUSTER_H
#define TG_REDIS_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/hash_slot.h"
#include "lib/redis/cluster_map.h"
#include "lib/redis/link.h"

/*
 * The servers of a Redis Cluster that a store knows, each with a link of its own, and which of them
 * has which slot. What is known may be out of date at any time: servers say so (MOVED), and then it
 * is read anew, at most every CLUSTER_REFRESH_MS.
 *
 * Each server has a pause after a failure (50 ms to 5 s), so that one that hangs does not
 * hold up every call.
 *
 * Units: times of clock_monotonic_ms.  Owner: cluster_free closes all links.  Threads: one at a
 * time.  Limits: CLUSTER_NODES_MAX servers.
 */

#define CLUSTER_NODES_MAX  512
#define CLUSTER_REFRESH_MS 200

struct store;

struct cluster_node {
    char host[CLUSTER_HOST_SIZE], port[8];
    struct redis_link redis;
    bool is_master;     /* it has slots, as of the last reading */
    bool was_connected; /* by this store: what was sent there may be gone after a new connect */
    int64_t pause_ms, next_try_ms; /* 0: it answered last */
    char last_error[200];
};

struct cluster {
    struct cluster_node *nodes[CLUSTER_NODES_MAX];
    size_t count;
    uint16_t owner[HASH_SLOTS]; /* index of a node + 1; 0: nobody */
    bool is_stale;              /* the slots are to be read again */
    bool was_read;
    int64_t read_next_ms; /* not before */
    size_t turn;          /* which master is asked what any may answer */
};

struct cluster *cluster_new(void);
void cluster_free(struct cluster *c);

/* The node of that address, added where it is new; NULL: too many, or out of memory. */
struct cluster_node *cluster_node_of(struct cluster *c, struct slice host, unsigned port)
    TG_NONNULL(1);
/* The master of a slot (of HASH_SLOT_NONE: any that answers); NULL: nobody has it. */
struct cluster_node *cluster_owner(struct cluster *c, int slot) TG_NONNULL(1);
/* The i-th server that has slots; NULL: there are not so many. */
struct cluster_node *cluster_master(struct cluster *c, size_t i) TG_NONNULL(1);
void cluster_owner_set(struct cluster *c, unsigned slot, const struct cluster_node *n)
    TG_NONNULL(1, 3);

/* Takes ranges over as the present truth, `host` for those that have none. True: a server that had
 * slots has none any more, so that what it was sent last may be lost. */
bool cluster_take_map(struct cluster *c, const struct cluster_range *ranges, size_t count,
                      const char *host) TG_NONNULL(1, 2, 4);
/* Forgets servers without slots. No pointer to a node may be held. */
void cluster_sweep(struct cluster *c) TG_NONNULL(1);
/* Closes the links that their servers have closed. True: there was one. */
bool cluster_close_stale(struct cluster *c) TG_NONNULL(1);
bool cluster_has_open(const struct cluster *c) TG_NONNULL(1);

bool cluster_node_is_pausing(const struct cluster_node *n, int64_t now_ms) TG_NONNULL(1);
void cluster_node_settle(struct cluster_node *n) TG_NONNULL(1);
void cluster_node_fail(struct cluster_node *n, int64_t now_ms, const char *why) TG_NONNULL(1, 3);

#endif
