#ifndef TG_READ_READ_VIOLATIONS_H
#define TG_READ_READ_VIOLATIONS_H

#include "lib/core/contract.h"
#include "lib/read/read.h"
#include "lib/sys/violation.h"

/*
 * Violations out of the streams tg:violations and tg:{domain}:violations, as
 * lib/throttle/violation_log wrote them. Entries that are none of ours are passed over.
 *
 * Owner: an entry lives until the function that was given it returns; the reader keeps nothing.
 * Errors: EX_UNAVAILABLE, EX_DATAERR for a key of another type.
 */

/* Where an entry stands in its stream; ids grow. */
struct stream_id {
    uint64_t ms, sequence;
};

struct violation_entry {
    struct stream_id id;
    struct violation v;
};

/* 0: go on; 1: that was enough; -1: an error. */
typedef int read_violation_row(void *context, const struct violation_entry *entry, struct err *err);

/* `holder` empty: those of all. Each in turn from `first` on, as far as they are older than
 * `before_ms` (by the id). 1 where `row` had enough. */
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
/* Waits at most wait_ms for entries beyond *id, which becomes that of the last one given. */
int read_violations_wait(struct reader *r, struct slice holder, struct stream_id *id,
                         int64_t wait_ms, read_violation_row *row, void *context,
                         struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
