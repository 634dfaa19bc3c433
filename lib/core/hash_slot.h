#ifndef TG_CORE_HASH_SLOT_H
#define TG_CORE_HASH_SLOT_H

#include <stddef.h>

#include "lib/core/slice.h"

/*
 * Where a key lies in a Redis Cluster: one of 16,384 hash slots, by the CRC-16 (XMODEM) of the key,
 * or of what stands in its first pair of braces (Redis Cluster specification, "Hash tags").
 */

#define HASH_SLOTS     16384
#define HASH_SLOT_NONE (-1)

unsigned hash_slot_of_key(struct slice key);

/* The slot of a command's first key; HASH_SLOT_NONE for one without a key, which any server may
 * answer. Knows where the key stands in the commands that Tollgate sends. */
int hash_slot_of_command(size_t argc, const struct slice *argv);

#endif
