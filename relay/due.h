#ifndef TG_RELAY_DUE_H
#define TG_RELAY_DUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/slice.h"
#include "relay/queue.h"

/*
 * Queue ids by the time they are due, the earliest first: a binary heap. Pure.
 *
 * Units: ms of one clock of the holder.  Owner: the holder; all zero is empty, due_fini frees.
 * Threads: one at a time.
 */

struct due_entry {
    char id[QUEUE_ID_BYTES];
    int64_t due_ms;
};

struct due {
    struct due_entry *heap;
    size_t count, room;
};

void due_fini(struct due *d);
/* False: out of memory, or no id. */
bool due_add(struct due *d, struct slice id, int64_t due_ms) TG_NONNULL(1);
/* The earliest, or NULL. */
const struct due_entry *due_first(const struct due *d) TG_NONNULL(1);
/* Takes the earliest out; there must be one. */
void due_take(struct due *d, char id[QUEUE_ID_BYTES]) TG_NONNULL(1);
/* Takes that id out; false if it is not there. */
bool due_remove(struct due *d, struct slice id) TG_NONNULL(1);
/* Makes that id, or all if it is empty, due at once; returns how many. */
size_t due_hasten(struct due *d, struct slice id) TG_NONNULL(1);

#endif
