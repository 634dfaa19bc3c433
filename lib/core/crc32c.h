#ifndef TG_CORE_CRC32C_H
#define TG_CORE_CRC32C_H

#include <stdint.h>

#include "lib/core/slice.h"

/* The CRC-32C checksum (Castagnoli; RFC 3720 12.1). `before` is that of the bytes before, 0 at the
 * beginning, so that a text may be summed in parts. */
uint32_t crc32c(uint32_t before, struct slice s);

#endif
