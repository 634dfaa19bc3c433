#ifndef TG_READ_READ_HELD_H
#define TG_READ_READ_HELD_H

#include "lib/core/contract.h"
#include "lib/read/read.h"

/* Held messages of all nodes, as Redis shows them to people. (A node reads its own from its ledger:
 * lib/ledger/held.) */

struct held_summary {
    uint64_t count;
    int64_t oldest_s; /* held since, Unix time; 0: none is held */
};
int read_held(struct reader *r, struct slice account, struct held_summary *out,
              struct err *err) TG_MUST_USE TG_NONNULL(1);

struct held_entry {
    struct slice account, node, queue_id;
    int64_t time_s; /* held since, Unix time */
};
struct held_entries {
    struct held_entry *items;
    size_t count, room;
};
/* All messages held for these accounts, the longest held first. The slices are the arena's, but for
 * the accounts' names, which are borrowed. */
int read_held_entries(struct reader *r, const struct name_list *accounts, struct arena *arena,
                      struct held_entries *out, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* *is_held: any of the nodes shows a message with that queue id as held. */
int read_held_id(struct reader *r, struct slice account, const struct name_list *nodes,
                 struct slice queue_id, bool *is_held, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
