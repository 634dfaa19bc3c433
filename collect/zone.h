#ifndef TG_COLLECT_ZONE_H
#define TG_COLLECT_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * A time zone of its own, beside the process's: logs may be written in another zone than reports
 * are. Read from a compiled zone (RFC 8536: the table of changes, and the rule that goes on after
 * the last of them).
 *
 * Units: seconds; local time as seconds since 1970-01-01T00:00 on the zone's clocks.  NULL is UTC.
 * Owner: the holder.  Threads: all (never changes).
 */

struct zone;

void zone_free(struct zone *z);
/* NULL with *err: not a compiled zone, or out of memory. */
struct zone *zone_new(struct slice tzif, struct err *err) TG_FREED_BY(zone_free);

/* Seconds east of UTC at that time. */
int64_t zone_offset(const struct zone *z, int64_t time_s);

/* The times at which the zone's clocks show `local_s`: one, or two where they are set back. Of two
 * *first is earlier, and *change the time between at which the clocks are set back. A local time
 * that is left out counts as if the clocks had not been set forward yet. */
enum zone_times { ZONE_ONCE, ZONE_TWICE };
enum zone_times zone_times(const struct zone *z, int64_t local_s, int64_t *first, int64_t *second,
                           int64_t *change) TG_NONNULL(3, 4, 5);

#endif
