#ifndef TG_READ_READ_VIOLATIONS_H
#define TG_READ_READ_VIOLATIONS_H

#include "lib/core/contract.h"
#include "lib/read/read.h"
#include "lib/read/read_stream.h"
#include "lib/sys/violation.h"

/*
 * Violations in the streams tg:violations and tg:{domain}:violations, which
 * lib/throttle/violation_log writes. Entries that it did not write are ignored. Peaks, which stand
 * for violations without an entry of their own, are given by read_violations_forward alone.
 *
 * Owner: an entry lives until the function that was given it returns; the reader keeps nothing.
 * Errors: EX_UNAVAILABLE, EX_DATAERR for a key of another type.
 */

struct violation_entry {
    struct stream_id id;
    struct violation v;
};

/* 0: continue; 1: stop; -1: an error. */
typedef int read_violation_row(void *context, const struct violation_entry *entry, struct err *err);

/* `holder` empty: of all. Each entry from `first` on that is older than `before_ms` (by its id). 1
 * where `row` stopped it. */
int read_violations_forward(struct reader *r, struct slice holder, struct stream_id first,
                            int64_t before_ms, read_violation_row *row, void *context,
                            struct err *err) TG_MUST_USE TG_NONNULL(1);
/* The newest first, at most `most`. */
int read_violations_backward(struct reader *r, struct slice holder, size_t most,
                             read_violation_row *row, void *context, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* The last `most`, the oldest of them first; into the arena. */
struct violation_list {
    struct violation_entry *items;
    size_t count;
};
int read_violations_last(struct reader *r, struct slice holder, size_t most, struct arena *arena,
                         struct violation_list *out, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Id of the newest entry of the stream, {0, 0} where it is empty. */
int read_violations_newest(struct reader *r, struct slice holder, struct stream_id *id,
                           struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Waits at most wait_ms for entries after *id, which becomes the id of the last one given. */
int read_violations_wait(struct reader *r, struct slice holder, struct stream_id *id,
                         int64_t wait_ms, read_violation_row *row, void *context,
                         struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
