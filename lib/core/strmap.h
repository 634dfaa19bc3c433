#ifndef TG_CORE_STRMAP_H
#define TG_CORE_STRMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * A hash table from byte strings to pointers: open addressing, at most three quarters full, 24
 * bytes a slot. No removal: tables are built once and swapped, or dropped whole.
 *
 * Owner: the holder of struct strmap; keys and values are borrowed and must outlive it (an arena).
 * Threads: reading from many is fine while nobody adds.
 */

struct strmap_slot {
    const char *key; /* NULL: free */
    uint32_t len, hash;
    void *value;
};

struct strmap {
    struct strmap_slot *slots;
    size_t count, room; /* room: 0 or a power of two */
};

void strmap_init(struct strmap *m) TG_NONNULL(1);
void strmap_fini(struct strmap *m);

/* Where the value of `key` stands, or NULL. */
void **strmap_find(const struct strmap *m, struct slice key) TG_NONNULL(1);
/* Where it stands after adding it if need be (value NULL then; *added says so). The key is
 * borrowed. NULL when memory is out. */
void **strmap_add(struct strmap *m, struct slice key, bool *added) TG_NONNULL(1);
/* Steps through all in table order: start with *at = 0; false at the end. */
bool strmap_next(const struct strmap *m, size_t *at, struct slice *key, void **value) TG_NONNULL(1);

#endif
