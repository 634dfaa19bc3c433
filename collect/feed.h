#ifndef TG_COLLECT_FEED_H
#define TG_COLLECT_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/collect_db.h"
#include "collect/follow.h"
#include "collect/log_reader.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * One log as the collector reads it: a follower, a reader, and how far they have come. Its state is
 * saved in the transaction of what its lines counted, and read from there after a start or a
 * failure.
 *
 * Gaps: where a hole begins is the time of the line before it, where it ends that of the next line;
 * until that comes it ends now.
 *
 * Owner: feed_init/feed_fini.  Threads: one.
 * Units: ms, Unix, in the names; now_ms is the wall clock.
 */

struct feed_setup {
    const struct log_setup *log;
    enum follow_mode mode;
    int64_t since_ms; /* back-fill from there; 0: a log that was never read is read from its end */
};

struct feed {
    const struct feed_setup *setup; /* borrowed, as the name */
    const char *name;               /* as in the settings */
    unsigned index;
    struct follow *follow;
    struct log_reader reader;
    int64_t from_ms, to_ms; /* of it read: [from_ms, to_ms) */
    int64_t last_ms;        /* of the last line; 0: none yet */
    int64_t end_ms;         /* when the file was last written to */
    unsigned until_look;    /* lines until that is looked at again */
    bool has_gap;           /* no line has come since this hole: */
    struct gap gap;
    char reason[256];
    int64_t gap_number; /* in the ledger; 0: not there yet */
    int64_t gap_end_ms; /* that one's, which is known now; 0: it is not */
    bool is_new;        /* nothing of it is saved yet */
    bool is_ended;      /* FOLLOW_END */
    bool is_stopped;    /* for good: another one has the same lines */
    bool has_failed;    /* the last call did: the error is in `err` */
    struct err err;
};

void feed_init(struct feed *f, const struct feed_setup *setup, const char *name, unsigned index)
    TG_NONNULL(1, 2, 3);
void feed_fini(struct feed *f) TG_NONNULL(1);

/* Opens the log where the ledger says; closes it first where it was open. -1: the configuration
 * (EX_CONFIG), or the ledger. */
int feed_load(struct feed *f, struct collect_db *db, int64_t now_ms, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);
/* Its state into the ledger, within a transaction. -1 with *err. */
int feed_save(struct feed *f, struct collect_db *db, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
/* The same in one line of text, added to *out. */
int feed_claim(struct feed *f, struct buf *out, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

enum feed_result {
    FEED_NOTHING, /* not now, not any more, or an error (has_failed) */
    FEED_LINE
};
struct feed_line {
    bool is_read; /* it has a form: */
    struct log_reading reading;
    struct slice bytes;
    bool has_gap; /* a hole before it */
    struct gap gap;
};
/* The next line. */
enum feed_result feed_next(struct feed *f, int64_t now_ms, struct feed_line *out) TG_MUST_USE
    TG_NONNULL(1, 3);
/* A descriptor to wait for; -1: none. */
int feed_fd(const struct feed *f) TG_NONNULL(1);

/* The path that the follower takes: what stands behind "file:", or all of "journal:...". */
const char *feed_path(const char *name) TG_NONNULL(1);

/* --- claims ------------------------------------------------------------------------------------
 */

/* The position of that log in a text of claims, encoded, added to *out. False: it has none there.
 */
bool feed_claimed(struct slice claims, struct slice name, struct buf *out) TG_NONNULL(3);
/* Is that position in this log, as it is on this machine? */
bool feed_fits(const char *name, struct slice position) TG_NONNULL(1);

#endif
