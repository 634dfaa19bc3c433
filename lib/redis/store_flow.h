#ifndef TG_REDIS_STORE_FLOW_H
#define TG_REDIS_STORE_FLOW_H

#include "lib/redis/flat_reader.h"
#include "lib/redis/store.h"

/*
 * A pipeline that is too long for one trip: commands are added as replies come, so that the server
 * always has a batch to work on while we take what it has sent of the one before, and neither side
 * ever holds more than two. Replies are flat ones (flat_reader.h).
 *
 * In a cluster a batch goes to all servers and its replies are taken when all are there, before the
 * next.
 */

#define STORE_FLOW_BATCH ((size_t)2048) /* at most */

struct store_flow {
    /* Adds the next command, with store_pipe_add or store_pipe_add_keyed; false: there is none. */
    bool (*next)(void *context, struct store *st);
    /* Is given the replies in the order of the commands; does not use the store. -1 with *err ends
     * the flow: nothing more is asked, and what is on its way is dropped. */
    int (*take)(void *context, const struct flat_reply *reply, struct err *err);
    void *context;
};

/* timeout_ms is that of each batch. -1: the store failed, or `take`; some replies were given. Not
 * while a pipeline is being built. */
int store_flow_run(struct store *st, const struct store_flow *flow, int64_t timeout_ms,
                   struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 4);

#endif
