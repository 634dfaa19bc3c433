#ifndef TG_CORE_HASH_H
#define TG_CORE_HASH_H

#include <stdint.h>

#include "lib/core/slice.h"

/*
 * FNV-1a, 64 bits: for tables and for noticing changes. Not for secrets: who chooses the bytes can
 * choose the sum.
 */

#define HASH_BEGIN UINT64_C(14695981039346656037)

/* `sum` with more bytes; the first time HASH_BEGIN. */
uint64_t hash_add(uint64_t sum, struct slice bytes);

#endif
