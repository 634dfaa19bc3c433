#ifndef TG_LEDGER_PUSH_NODE_H
#define TG_LEDGER_PUSH_NODE_H

#include "lib/core/contract.h"
#include "lib/ledger/ledger.h"
#include "lib/ledger/push.h"
#include "lib/redis/store.h"

/*
 * The node's hash in Redis, the set of nodes, and the schema: what a node says of itself.
 *
 * Each writing carries a stamp, one higher than the last. A hash that does not have the stamp last
 * written is not as we left it, and nothing is written then: Redis has lost something, or
 * another ledger writes the same node. The stamp goes into the ledger before it goes to Redis;
 * killed in between, both values are good.
 *
 * Nodes seen in Redis are remembered in the ledger and listed again after a loss: else a period
 * could pass for complete before the others have noticed.
 *
 * Threads: one.
 */

struct push_node_hash {
    struct ledger *ledger;
    struct store *store;
    const char *prefix, *version;
    int64_t started_s;
};

enum node_state { NODE_WRITTEN, NODE_LOST, NODE_FOREIGN };

struct push_node_found {
    enum node_state state;
    char ledger[64];        /* NODE_FOREIGN: its id */
    int64_t pushed_through; /* NODE_LOST: what the hash says, 0 where it is gone */
};

/* Makes the schema known, or finds that it is ours; -1 with EX_CONFIG where it is another. */
int push_node_schema(const struct push_node_hash *n, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Writes the hash, with that pushed_through, which the ledger keeps too. `force`: whatever is
 * there, and all nodes ever seen are listed again. */
int push_node_write(const struct push_node_hash *n, const struct push_now *now,
                    int64_t pushed_through, bool force, struct push_node_found *found,
                    struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
