#ifndef TG_SYS_JOURNAL_FRAMES_H
#define TG_SYS_JOURNAL_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/journal_segment.h"

/*
 * The records of one segment from a place on, read in windows of some hundred kB. For those who
 * look into the journal beside the tollgated that writes it; what follows the journal is struct
 * journal_reader.
 *
 * Owner: journal_frames_close.  Threads: one.  Errors: EX_IOERR, EX_OSERR.
 */

struct journal_frames {
    int fd;          /* -1: not open */
    uint64_t offset; /* of the next record */
    uint64_t bytes;  /* of the segment when it was opened */

    char *window; /* what was read, from `start` on */
    size_t room, len;
    uint64_t start;
};

/* 1: open, at its first record; 0: there is no such segment (any more). */
int journal_frames_open(struct journal_frames *f, const char *dir, uint64_t segment,
                        struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
void journal_frames_close(struct journal_frames *f) TG_NONNULL(1);
/* Goes to the record that begins at that offset. */
void journal_frames_seek(struct journal_frames *f, uint64_t offset) TG_NONNULL(1);
/* 0, and *state: FRAME_GOOD, the record (its body lives until the next call) has been passed;
 * FRAME_SHORT: the segment ends here or in the middle of a record; FRAME_BAD: no record. */
int journal_frames_next(struct journal_frames *f, struct journal_frame *frame,
                        enum journal_frame_state *state, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3);

#endif
