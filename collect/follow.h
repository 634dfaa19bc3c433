#ifndef TG_COLLECT_FOLLOW_H
#define TG_COLLECT_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/sink.h"
#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * The lines of one source, in order, each exactly once, through rotations, restarts and kills: the
 * caller stores the position in the same transaction as what it counted, and opens the source from
 * there again. What cannot be given is told as a gap.
 *
 * A source is the path of a log file ("-": standard input, in FOLLOW_WHOLE only), or
 * "journal:" with, separated by blanks, file=PATH, directory=PATH, namespace=NAME, unit=NAME and
 * matches as journalctl takes them (FIELD=VALUE, +).
 *
 * Files: a line is taken when its '\n' is there. Renaming, copying and truncating, and compressing
 * (.gz, .xz, .zst, .bz2) are followed, under the names that logrotate and `postfix logrotate` give:
 * NAME.1, NAME-DATE, NAME.DATE-TIME. A file is known again by its first 1,024 bytes and the 64
 * before the position, never by its inode alone.
 *
 * Journal: lines are the JSON objects of `journalctl -o json --all`.
 *
 * Owner: a line, and a gap's reason, live until the next call with that follower.
 * Threads: one.
 * Errors: after an error, follow_next may be called again; nothing is lost by it. A source that
 * does not exist is none: it is waited for.
 * Units: now_ms is a time of clock_monotonic_ms().
 * Limits: FOLLOW_LINE_MAX; a fixed buffer a source.
 */

#define FOLLOW_LINE_MAX   ((size_t)64 << 10) /* of a file: what is longer is cut */
#define FOLLOW_CURSOR_MAX 512

enum follow_mode {
    FOLLOW_LIVE, /* waits for more */
    FOLLOW_ONCE, /* up to what there is now, then FOLLOW_END */
    FOLLOW_WHOLE /* that file alone, from its beginning, to its end with or without a '\n' */
};

enum follow_from { FOLLOW_FROM_END, FOLLOW_FROM_START };

struct follow_options {
    enum follow_mode mode;
    /* Without a position: */
    enum follow_from from;
    int64_t since_ms; /* of FOLLOW_FROM_START, Unix: what was written before it is not needed (whole
                         files of it are left out, a part may be given); 0: everything */
};

/* Where the follower is: behind the last line that it gave. To be kept by the source's text. */
struct follow_position {
    /* of a file; a file of which no byte is known has head_len 0 and offset 0 */
    uint64_t dev, inode; /* these and the birth time decide only between a file and its copy */
    int64_t birth_ns;    /* Unix; 0: not known */
    bool is_copy;        /* it is what copytruncate left of a file */
    uint64_t offset;     /* of its bytes, uncompressed */
    uint32_t head_len, head_crc; /* of its first bytes, 1,024 at most: CRC-32C */
    uint32_t tail_len, tail_crc; /* of those before the offset, 64 at most */
    int64_t written_ns;          /* its mtime, Unix; of a file that did not exist: the time then */
    /* of a journal */
    int64_t entry_us;               /* time of the last entry, Unix; without one: of the start */
    char cursor[FOLLOW_CURSOR_MAX]; /* empty: no entry yet */
};

void follow_position_encode(const struct follow_position *p, struct buf *out) TG_NONNULL(1, 2);
/* -1 with EX_DATAERR: damaged, or of a later version. */
int follow_position_decode(struct follow_position *p, struct slice bytes,
                           struct err *err) TG_MUST_USE TG_NONNULL(1);

enum follow_result {
    FOLLOW_ERROR = -1,
    FOLLOW_NOTHING, /* nothing there now */
    FOLLOW_LINE,
    FOLLOW_GAP, /* reason, and lost where that is known; source and times are the caller's: from the
                   last line before it to the next one */
    FOLLOW_END  /* not in FOLLOW_LIVE */
};

struct follow;

void follow_close(struct follow *f); /* NULL is allowed */
/* From that position; NULL: as the options say. NULL with EX_CONFIG where the source's text is
 * wrong, EX_OSERR. */
struct follow *follow_open(const char *source, const struct follow_options *options,
                           const struct follow_position *at, struct err *err)
    TG_FREED_BY(follow_close) TG_NONNULL(1, 2);

/* The next line, without its '\n', or a gap. */
enum follow_result follow_next(struct follow *f, int64_t now_ms, struct slice *line,
                               struct gap *gap, struct err *err) TG_MUST_USE TG_NONNULL(1, 3, 4);

void follow_position(const struct follow *f, struct follow_position *p) TG_NONNULL(1, 2);

/* Is the place of the position there, wherever its file is now? 1; 0: it is not; -1: that cannot be
 * told (a source that cannot be read, or the deadline, of clock_monotonic_ms). */
int follow_fits(const char *source, const struct follow_position *at, int64_t deadline_ms,
                struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

/* A descriptor that is readable when there may be more; -1: none now. Look again 1 s after
 * FOLLOW_NOTHING in any case: a rotation may not show there. It may change with each call of
 * follow_next. */
int follow_fd(const struct follow *f) TG_NONNULL(1);

/* Bytes of the file that are not read yet, rotated files not counted; 0 where that is not known. */
uint64_t follow_lag_bytes(const struct follow *f) TG_NONNULL(1);

#endif
