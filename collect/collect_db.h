#ifndef TG_COLLECT_COLLECT_DB_H
#define TG_COLLECT_COLLECT_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/open.h"
#include "collect/sink.h"
#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/ledger/ledger.h"

/*
 * The collector's ledger, STATE_DIR/collect/collect.db, with tables of its own beside the rows:
 * they change in the same transaction.
 *
 *   sources    each log: position and reader's state, and what of it was read: [from_ms, to_ms)
 *   open       sessions and messages that are not over (collect/open.h)
 *   gaps       holes in the logs, by number
 *   messages   the stories of messages (lib/core/mail_trace.h), kept MESSAGES_KEPT_MS, and no more
 *              than MESSAGES_BYTES of them
 *   refusals   of our greeting and mail by other servers; anomalies: jumps of activity. Both kept
 *              RECORDS_KEPT_MS
 *   facts      numbers: `lines` read and `lost_ends` of sessions since ever, `signs` of what the
 * logs lack (collect/notes.h)
 *
 * Other programs read these tables beside it; names of tables and columns stay.
 *
 * Owner: collect_db_open/collect_db_close.  Threads: one; other processes may read.
 * Errors: those of the ledger.  Units: ms, Unix, in the names.
 */

#define COLLECT_DIR                 "collect"    /* below state_dir */
#define COLLECT_DB_FILE             "collect.db" /* in that directory */

#define COLLECT_DB_MESSAGES_KEPT_MS ((int64_t)8 * 86400 * 1000)
#define COLLECT_DB_MESSAGES_BYTES   ((int64_t)1 << 30)
#define COLLECT_DB_RECORDS_KEPT_MS  ((int64_t)400 * 86400 * 1000)

struct collect_db;

void collect_db_close(struct collect_db *db); /* NULL is allowed */
/* In that directory, which has to be there. */
struct collect_db *collect_db_open(const char *dir, const char *node, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);
struct ledger *collect_db_ledger(struct collect_db *db) TG_NONNULL(1);

/* --- within a transaction of the ledger --------------------------------------------------------
 */

struct collect_source {
    struct slice name;             /* its text in the settings */
    struct slice position, reader; /* encoded; reader empty: as new */
    int64_t from_ms, to_ms;        /* read, without its gaps */
};
int collect_db_source_set(struct collect_db *db, const struct collect_source *s,
                          struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
/* 1: *out lives until the next call; 0: it has never been read; -1. */
int collect_db_source(struct collect_db *db, struct slice name, struct collect_source *out,
                      struct err *err) TG_MUST_USE TG_NONNULL(1, 3);
/* Logs that are not read any more hold nothing up. */
int collect_db_sources_keep(struct collect_db *db, size_t count, const struct slice *names,
                            struct err *err) TG_MUST_USE TG_NONNULL(1);

/* What changed in the book since open_saved, which is for the caller after the commit. */
int collect_db_open_save(struct collect_db *db, struct open_book *book, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);
/* All of it, into a book that is empty; *unreadable entries are left out. */
int collect_db_open_load(struct collect_db *db, struct open_book *book, uint64_t *unreadable,
                         struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);
int collect_db_open_forget(struct collect_db *db, struct err *err) TG_MUST_USE TG_NONNULL(1);

struct collect_gap {
    int64_t number;
    struct slice source;
    int64_t from_ms, to_ms;
    uint64_t lost;
    struct slice reason;
};
/* *number (may be NULL) is the new gap's. */
int collect_db_gap_add(struct collect_db *db, const struct collect_gap *gap, int64_t *number,
                       struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
/* Where a gap ends is known when the next line comes. */
int collect_db_gap_end(struct collect_db *db, int64_t number, int64_t to_ms,
                       struct err *err) TG_MUST_USE TG_NONNULL(1);

int collect_db_message_add(struct collect_db *db, struct slice queue_id, int64_t first_ms,
                           int64_t last_ms, struct slice trace, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
int collect_db_refusal_add(struct collect_db *db, const struct refusal *r,
                           struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
int collect_db_anomaly_add(struct collect_db *db, const struct anomaly *a,
                           struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

int collect_db_signs_set(struct collect_db *db, uint64_t signs, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
int collect_db_signs(struct collect_db *db, uint64_t *signs, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);
int collect_db_lines_add(struct collect_db *db, uint64_t lines, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
int collect_db_lost_ends_add(struct collect_db *db, uint64_t sessions, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* --- at any time -------------------------------------------------------------------------------
 */

/* Removes what has been kept for long enough at that (log) time; some of it, to be called now and
 * then. */
int collect_db_prune(struct collect_db *db, int64_t now_ms, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

struct collect_totals {
    uint64_t lines, gaps, lost_ends;
    int64_t from_ms;      /* the latest of the sources' beginnings */
    int64_t to_ms;        /* the earliest of their ends */
    int64_t last_gap;     /* its number; 0: none */
    uint64_t gap_changes; /* grows with each gap that is new or gets another end */
};
int collect_db_totals(struct collect_db *db, struct collect_totals *out,
                      struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
/* The gaps from that number on, in order, at most `limit`; `take` returns 0 or -1 with *err. */
int collect_db_gaps(struct collect_db *db, int64_t from_number, size_t limit,
                    int (*take)(void *context, const struct collect_gap *gap, struct err *err),
                    void *context, struct err *err) TG_MUST_USE TG_NONNULL(1, 4);

#endif
