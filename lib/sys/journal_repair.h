#ifndef TG_SYS_JOURNAL_REPAIR_H
#define TG_SYS_JOURNAL_REPAIR_H

#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/journal_segment.h"

/*
 * A damaged journal made readable: each record that is damaged or missing gets an empty one of its
 * number (an event without amounts) in its place, so that the good ones behind it count.
 *
 * A segment is written anew, as a whole, and only where something in it is wrong; the damaged file
 * stays beside it, as NAME.damaged. A torn end of the newest segment is left to journal_open. A
 * kill at any moment leaves a journal that can be repaired.
 *
 * Owner: the directory belongs to the caller, who holds its lock.  Threads: one.
 * Limits: JOURNAL_REPAIR_MAX missing records.  Errors: EX_IOERR, EX_OSERR, EX_DATAERR (more are
 * missing).
 */

#define JOURNAL_REPAIR_MAX UINT64_C(10000000)

struct journal_repaired {
    uint64_t records;     /* that were lost */
    uint64_t first, last; /* number of the first and of the last of them */
    uint64_t segments;    /* that were written anew */
};

/* `due`: no record before that number is needed any more; 0: not known. */
int journal_repair(const char *dir, uint64_t due, struct journal_repaired *out,
                   struct err *err) TG_MUST_USE TG_NONNULL(1, 3);

/* The same for the end of one segment, whose successor is segment `end` and begins at `time_ms`;
 * whatever is wrong with the rest of it stays. In place: a kill leaves an end that is torn, as
 * before. 1: *was says how it ended; 0: nothing is wrong with its end. */
int journal_repair_end(const char *dir, uint64_t first, uint64_t end, int64_t time_ms,
                       struct journal_segment_scan *was, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 5, 6);

#endif
