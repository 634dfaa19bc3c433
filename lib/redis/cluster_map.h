#ifndef TG_REDIS_CLUSTER_MAP_H
#define TG_REDIS_CLUSTER_MAP_H

#include <hiredis/hiredis.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/hash_slot.h"
#include "lib/core/slice.h"

/*
 * What servers of a Redis Cluster say of it, read: which master has which slots (CLUSTER SLOTS, the
 * same since Redis 3), and where a command is to go instead (MOVED, ASK). No I/O.
 *
 * Owner: slices borrow from the reply.  Errors: EX_UNAVAILABLE for what no server of a cluster
 * says.
 */

#define CLUSTER_HOST_SIZE 256

struct cluster_range {
    unsigned first, last; /* slots */
    struct slice host;    /* of their master; empty: that of the server asked */
    unsigned port;
};

/* How many ranges, at most `room` (HASH_SLOTS is always enough); -1 with *err. */
ptrdiff_t cluster_map_read(const redisReply *reply, struct cluster_range *ranges, size_t room,
                           struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

enum cluster_answer {
    CLUSTER_ANSWER,    /* an ordinary reply */
    CLUSTER_MOVED,     /* the slot is at that server now */
    CLUSTER_ASK,       /* this once, after ASKING */
    CLUSTER_TRY_AGAIN, /* the slot is on its way */
    CLUSTER_NO_SCRIPT, /* the source has to be sent */
    CLUSTER_READ_ONLY, /* the server is no master any more */
    CLUSTER_DOWN
};

struct cluster_redirect {
    unsigned slot, port;
    struct slice host; /* empty: that of the server that said it */
};

/* What the reply means; MOVED and ASK that cannot be read are ordinary replies. */
enum cluster_answer cluster_map_answer(const redisReply *reply, struct cluster_redirect *to)
    TG_NONNULL(1, 2);

/* Also for a server that is in no cluster: it was made a replica. */
bool cluster_map_is_read_only(const redisReply *reply) TG_NONNULL(1);

#endif
