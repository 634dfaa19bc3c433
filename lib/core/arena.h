#ifndef TG_CORE_ARENA_H
#define TG_CORE_ARENA_H

#include <stddef.h>

#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * Memory for one message, one connection or one load of a file: given out piece by piece, taken
 * back all at once. Reset keeps the first block, so that a busy session allocates nothing.
 *
 * Owner: the holder of struct arena; what it gave out lives until reset or fini.
 * Threads: none; one owner.
 * Errors: NULL (or an empty slice with ptr NULL) when the cap is reached or memory is out: an
 * ordinary error that the caller reports.
 */

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used_bytes, cap_bytes;
    size_t block_bytes; /* of a block, at least */
};

void arena_init(struct arena *a, size_t cap_bytes) TG_NONNULL(1);
/* For one that mostly holds little, as one a connection. */
void arena_init_small(struct arena *a, size_t cap_bytes) TG_NONNULL(1);
void arena_fini(struct arena *a);
void arena_reset(struct arena *a) TG_NONNULL(1);

void *arena_alloc(struct arena *a, size_t size) TG_NONNULL(1); /* aligned for any object, zeroed */
void *arena_array(struct arena *a, size_t count, size_t size) TG_NONNULL(1);
/* A copy with a NUL behind it (not counted in len), so that ptr also serves as a C string. */
struct slice arena_copy(struct arena *a, struct slice s) TG_NONNULL(1);
/* The same in ASCII lower case. */
struct slice arena_lower(struct arena *a, struct slice s) TG_NONNULL(1);
/* A grown array: returns items, or a copy with room for one more than `count` (doubles). */
void *arena_grow(struct arena *a, void *items, size_t count, size_t *room, size_t size)
    TG_NONNULL(1);

#endif
