#ifndef TG_LEDGER_LEDGER_H
#define TG_LEDGER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"
#include "lib/sys/journal.h"

/*
 * The ledger: this node's absolute totals in SQLite (state_dir/ledger.db), with the place in the
 * journal up to which they count. Both change in one transaction, so a kill anywhere leaves a
 * ledger that counts each record of the journal once or not yet.
 *
 * A row is an account's counters in one period, or one user's. Its number is that of the last
 * record it counts: the same number always goes with the same counters, however the journal was cut
 * into transactions.
 *
 * Rows belong to a share: the node's name and an id, _NAME.ID in Redis. New rows go to the present
 * one; a node that is renamed, or that must not continue its share (lib/ledger/learn), begins a new
 * share, and the old rows stay where they are. Files of schema 1 are brought to schema 2.
 *
 * Owner: ledger_open/ledger_close.  Threads: one thread a struct ledger; other processes may read.
 * Errors: EX_DATAERR for a damaged, foreign or newer file, EX_IOERR, EX_TEMPFAIL (locked).
 */

#define LEDGER_SCHEMA 2

enum row_kind { ROW_TOTAL, ROW_MONTH, ROW_DAY, ROW_HOUR, ROW_USERS_MONTH, ROW_USERS_DAY };

enum row_dirty {
    ROW_CLEAN,  /* Redis has it */
    ROW_DIRTY,  /* to be pushed */
    ROW_REFUSED /* to be pushed; Redis refused it last time */
};

struct row_key {
    struct slice account; /* node accounts: @NODE */
    enum row_kind kind;
    struct slice period; /* "2026-11-21"; total: "" */
    struct slice user;   /* empty: the account's */
};

struct row {
    int64_t id;
    struct slice node, share_id; /* of its share */
    bool is_present;             /* the present share's */
    struct row_key key;
    struct slice counters; /* lib/ledger/amounts */
    uint64_t number;
    int64_t expires_s; /* when it may go; 0: never */
    enum row_dirty dirty;
    bool is_final, has_formers; /* lib/ledger/ledger_seal */
};

/* What stands beside the rows. Units: in the names; seconds are Unix time. */
struct ledger_meta {
    struct journal_position position;        /* everything before it is in the rows */
    int64_t latest_ms;                       /* of the last record; goes back with the clock */
    int64_t counted_through, pushed_through; /* Unix seconds */
    uint64_t stamp_tried, stamp; /* lib/ledger/push: last written to Redis, last confirmed */
    uint64_t claim_tried;        /* the highest claim that was ever written */
    uint64_t base;  /* number of the record from which rows keep what they were (ledger_share.h) */
    uint64_t since; /* the same when the present share began */
    uint64_t lacks_rows; /* 1: Redis may, and pushed_through stands still until all were pushed */
};

struct ledger;

/* Opens the ledger at `path` or makes one (mode 0600), for the node of that name. */
struct ledger *ledger_open(const char *path, const char *node, struct err *err) TG_MUST_USE;
void ledger_close(struct ledger *l); /* NULL is allowed */

const char *ledger_id(const struct ledger *l) TG_NONNULL(1); /* of the file: 8 hex digits */
bool ledger_is_new(const struct ledger *l) TG_NONNULL(1);    /* made by this ledger_open */
struct slice ledger_node(const struct ledger *l) TG_NONNULL(1);
/* The names that the node has had, the present one first; false after the last. */
bool ledger_node_at(const struct ledger *l, size_t index, struct slice *name) TG_NONNULL(1);

/* Its days and months are those of that zone: noted the first time, later compared (EX_CONFIG). */
int ledger_zone_check(struct ledger *l, const char *zone, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);

int ledger_begin(struct ledger *l, struct err *err) TG_MUST_USE TG_NONNULL(1);
int ledger_commit(struct ledger *l, struct err *err) TG_MUST_USE TG_NONNULL(1);
void ledger_rollback(struct ledger *l) TG_NONNULL(1);

const struct ledger_meta *ledger_meta(const struct ledger *l) TG_NONNULL(1);
/* To be called within a transaction (or alone); a rollback takes it back. */
int ledger_meta_set(struct ledger *l, const struct ledger_meta *meta, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* The row with that key under the present node's name: 1, 0 where there is none, -1. Its slices
 * live until the next call. *elsewhere (may be NULL): it exists under an older name of the node. */
int ledger_row_find(struct ledger *l, const struct row_key *key, struct row *out, bool *elsewhere,
                    struct err *err) TG_MUST_USE TG_NONNULL(1);
/* A new row of the present node, dirty. */
int ledger_row_add(struct ledger *l, const struct row_key *key, struct slice counters,
                   uint64_t number, int64_t expires_s, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* New counters for a row that ledger_row_find gave; makes it dirty (ROW_REFUSED stays). Of a row
 * that is final, what it was is kept. */
int ledger_row_set(struct ledger *l, const struct row *row, struct slice counters, uint64_t number,
                   struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Marks it, unless its number has changed since. */
int ledger_row_mark(struct ledger *l, int64_t id, uint64_t number, enum row_dirty dirty,
                    struct err *err) TG_MUST_USE TG_NONNULL(1);
int ledger_row_delete(struct ledger *l, int64_t id, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* How many users of an account have a row of their own in that period (under any name of the node).
 */
int ledger_users_count(struct ledger *l, const struct row_key *key, uint64_t *count,
                       struct err *err) TG_MUST_USE TG_NONNULL(1);
int ledger_users_count_set(struct ledger *l, const struct row_key *key, uint64_t count,
                           int64_t expires_s, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Forgets the counts of periods that ended before. */
int ledger_users_prune(struct ledger *l, int64_t before_s, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* Steps through rows by ascending id, those beyond `after` only, at most `limit`: all of them, or
 * those in one state. Between start and end no other statement on rows may run, and none may be
 * written. ledger_walk_next: 1 (slices live until the next call), 0 at the end, -1. */
enum ledger_walk { WALK_ALL, WALK_DIRTY, WALK_REFUSED };
void ledger_walk_start(struct ledger *l, enum ledger_walk which, int64_t after, size_t limit)
    TG_NONNULL(1);
int ledger_walk_next(struct ledger *l, struct row *out, struct err *err) TG_MUST_USE TG_NONNULL(1);
void ledger_walk_end(struct ledger *l) TG_NONNULL(1);

uint64_t ledger_dirty_rows(const struct ledger *l) TG_NONNULL(1); /* dirty and refused ones */

/* Messages of which it is unknown whether the MTA received that they were accepted. */
struct in_doubt {
    uint64_t number;       /* of the journal's record */
    struct slice queue_id; /* empty: not known */
    int64_t time_ms;       /* 0: not known */
};
int ledger_in_doubt_add(struct ledger *l, const struct in_doubt *d, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* Nodes that Redis has been seen to list. */
int ledger_peers_set(struct ledger *l, size_t count, const struct slice *names,
                     struct err *err) TG_MUST_USE TG_NONNULL(1);
int ledger_peers(struct ledger *l, struct buf *names, struct err *err) TG_MUST_USE
    TG_NONNULL(1); /* blank-separated */

/* From now on each commit is on the disk when it returns. For a ledger that could not count again
 * what a power failure takes from its end. */
int ledger_durable(struct ledger *l, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Puts all that is committed on the disk (WAL checkpoint with sync). 1: done; 0: a reader is in the
 * way, later; -1. */
int ledger_sync(struct ledger *l, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
