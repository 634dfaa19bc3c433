#ifndef TG_CORE_UNITS_H
#define TG_CORE_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * Units of time and size as they are written in the configuration and on command lines: "90s",
 * "10min", "24h", "7days", "64MB". 1 KB is 1024 bytes.
 *
 * Units: values are milliseconds or bytes.
 */

enum units_kind { UNITS_TIME, UNITS_SIZE };

/* What one unit of that name is worth; 0: no such unit. The empty name is "B", among sizes alone.
 */
uint64_t units_factor(enum units_kind kind, struct slice name);

/* A number with its unit right behind it, whole or with up to four decimals (1.5GB). False for
 * anything else, and beyond 2^63 - 1. */
bool units_parse(enum units_kind kind, struct slice text, int64_t *value);

/* In the largest unit that divides the value: "90s", "24h", "7days", "1536B". */
void units_format(enum units_kind kind, struct buf *b, int64_t value);
/* A time as the name of a window: "hour", "10min", "7days", "day". */
void units_format_window(struct buf *b, uint64_t ms) TG_NONNULL(1);

#endif
