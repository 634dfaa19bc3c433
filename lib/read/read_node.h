#ifndef TG_READ_READ_NODE_H
#define TG_READ_READ_NODE_H

#include "lib/core/contract.h"
#include "lib/read/read.h"
#include "lib/read/read_reply.h"

/* What a node tells of itself, as a part of a larger trip. */

#define READ_NODE_REPLIES ((size_t)2)

/* Adds READ_NODE_REPLIES commands to the pipeline; `node` ends in NUL. */
void read_node_ask(struct reader *r, struct slice node) TG_NONNULL(1);
/* Takes their replies into *node, whose name is set. */
int read_node_take(struct reader *r, redisReply *const *replies, struct arena *arena,
                   struct node_info *node, struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 4);

#endif
