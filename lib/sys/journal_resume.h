#ifndef TG_SYS_JOURNAL_RESUME_H
#define TG_SYS_JOURNAL_RESUME_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/journal.h"

/*
 * Where a journal goes on that a former process has left: behind the last good record of its newest
 * segment. What is torn there goes.
 *
 * Where segments are not synced before the next one begins (SYNC_NEVER), a loss of power may also
 * tear the end of the segments before it, or take whole records from there. Such ends are closed:
 * the torn bytes go, an empty record stands for each that is gone, so that those behind count. From
 * the newest segment back to the first one whose end is whole. All other damage is left as it is,
 * and told by the reader.
 *
 * Owner: the descriptor is the caller's.  Threads: one.
 */

struct journal_resumed {
    int fd; /* of the newest segment, open for appending */
    uint64_t segment, size, next;
    int64_t last_ms;    /* Unix, of the last record; 0: there is none */
    uint64_t cut_bytes; /* of the newest segment's torn end */
    struct journal_lost_end lost;
};

/* A new journal gets its first segment. `is_synced`: no segment was begun before the one before it
 * was on the disk. */
int journal_resume(const char *dir, int dir_fd, bool is_synced, struct journal_resumed *out,
                   struct err *err) TG_MUST_USE TG_NONNULL(1, 4);

/* The descriptor of a segment, to be appended to; -1: EX_CANTCREAT. */
int journal_segment_open(const char *dir, uint64_t number, int flags, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

#endif
