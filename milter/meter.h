#ifndef TG_MILTER_METER_H
#define TG_MILTER_METER_H

#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/sys/journal.h"
#include "lib/sys/mutex.h"
#include "milter/visited.h"

/*
 * How many sessions the MTA opened and how long they were, summed up in memory and written to the
 * journal about once a second, as one record for all sessions that have ended since: a record for
 * each would be one write(2) more a session, and most sessions deliver one message or none.
 *
 * The price is what a kill loses: the ends of the last second. Sessions that were open then never
 * get an end, so their length is lost in any case; that accounts were connected to is in the
 * records of the messages (milter/visited.h), and lost with none of them.
 *
 * Seconds are those whose beginning lies in the session: most sessions last for less than one, and
 * neither rounding down nor up would give their sum.
 *
 * Threads: any.  Limits: METER_BYTES between two writings; beyond it, seconds of accounts are lost.
 */

#define METER_BYTES  ((size_t)8 << 20)
#define METER_PLACES 4096 /* with so many, it is time to write */

MUTEX_NAME(meter_lock)

/* What has ended since the last writing. */
struct meter_batch {
    uint64_t sessions, seconds;
    struct visited places; /* with their seconds */
};

struct meter {
    struct mutex lock;
    struct meter_batch batch MUTEX_GUARDS(meter_lock);
};

void meter_init(struct meter *m) TG_NONNULL(1);
void meter_fini(struct meter *m) TG_NONNULL(1);

/* A session, or (is_first false) a later part of one, has ended, or ends now; times of
 * clock_monotonic_ms. True: it is time to write. */
bool meter_session(struct meter *m, const struct visited *v, bool is_first, int64_t from_ms,
                   int64_t to_ms) TG_NONNULL(1, 2) TG_EXCLUDES(meter_lock);
/* Writes what has ended, if anything. -1: the journal takes nothing; it is kept for the next time.
 */
int meter_write(struct meter *m, struct journal *j, struct err *err) TG_MUST_USE TG_NONNULL(1, 2)
    TG_EXCLUDES(meter_lock);

#endif
