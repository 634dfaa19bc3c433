#ifndef TG_CORE_BYTE_SET_H
#define TG_CORE_BYTE_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"

/*
 * A set of bytes as bits, for loops over texts from outside: one load and one shift a byte. A byte
 * of 0 to 63 is a bit of the first word, and so on.
 */

struct byte_set {
    uint64_t words[4];
};

#define BYTE_SET_BIT(c) (UINT64_C(1) << ((c)&63))
/* Bytes of one word; `to` is not the word's last. */
#define BYTE_SET_RUN(from, to) ((BYTE_SET_BIT(to) << 1) - BYTE_SET_BIT(from))

TG_NONNULL(1) static inline bool byte_set_has(const struct byte_set *set, char c)
{
    return (set->words[(unsigned char)c >> 6] >> ((unsigned char)c & 63) & 1) != 0;
}

#endif
