#ifndef TG_READ_READ_HELD_H
#define TG_READ_READ_HELD_H

#include "lib/core/contract.h"
#include "lib/read/read.h"

/* What Redis shows of held messages, on all nodes: a view, for people. (A node's own held messages
 * are in its ledger: lib/ledger/held.) */

struct held_summary {
    uint64_t count;
    int64_t oldest_s; /* since when; 0: none is held */
};
int read_held(struct reader *r, struct slice account, struct held_summary *out,
              struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Is the message with that queue id shown as held, by any of the nodes? */
int read_held_id(struct reader *r, struct slice account, const struct name_list *nodes,
                 struct slice queue_id, bool *is_held, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
