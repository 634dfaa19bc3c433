#ifndef TG_LEDGER_LEDGER_SHARE_H
#define TG_LEDGER_LEDGER_SHARE_H

#include "lib/core/contract.h"
#include "lib/ledger/ledger.h"

/*
 * The shares and runs of a ledger (lib/ledger/learn says what they are for).
 *
 * From the record on at which the present run began, a row that changes keeps, as its base, what it
 * was when Redis last confirmed a claim, or when the run began: so that a share can be left at any
 * time, and what was counted since goes to the new one.
 *
 * A ledger that counts from something else than the journal says with each transaction, as text, up
 * to where in its sources it has counted. The text goes along with each claim. Such a ledger leaves
 * a share otherwise: what it counted since the base is dropped, to be counted again from where the
 * other ledger's claim ends.
 *
 * Threads, errors: as the ledger's.
 */

/* A share of this ledger. Slices live until the next ledger_share_begin. */
struct ledger_share_info {
    struct slice node, share_id;
    bool has_met;   /* Redis has confirmed it */
    bool speaks;    /* of a former name: this ledger writes that node's hash */
    uint64_t claim; /* of a share that was left: up to where it may count; else 0 */
};

/* The shares, the present one first; false after the last. */
bool ledger_share_at(const struct ledger *l, size_t index, struct ledger_share_info *out)
    TG_NONNULL(1);
int ledger_share_set(struct ledger *l, size_t index, const struct ledger_share_info *info,
                     struct err *err) TG_MUST_USE TG_NONNULL(1, 3);
/* Leaves the present share, which another ledger continues and has claimed up to `claim`, for a new
 * one. What was counted since the last base moves to it. */
int ledger_share_begin(struct ledger *l, uint64_t claim, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* The same for a ledger with sources: what was counted since the last base is dropped, and in the
 * same transaction `resume` puts into the ledger from where it is counted again. */
struct ledger_resume {
    int (*resume)(void *context, struct err *err);
    void *context;
};
int ledger_share_resume(struct ledger *l, uint64_t claim, const struct ledger_resume *resume,
                        struct err *err) TG_MUST_USE TG_NONNULL(1, 3);

/* Up to where in its sources the ledger has counted; as of the last base. Empty: it has never said.
 * To be set within a transaction. */
int ledger_source_set(struct ledger *l, struct slice text, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
int ledger_source(struct ledger *l, struct buf *text, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
int ledger_source_base(struct ledger *l, struct buf *text, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);
/* An old share's row becomes what Redis has of it. */
int ledger_share_adopt(struct ledger *l, int64_t row_id, struct slice counters, uint64_t number,
                       struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Begins a run at that number of the journal, and puts it on the disk. A run before it that Redis
 * has never seen is continued: ledger_run_from gives the first one's number. */
int ledger_run_begin(struct ledger *l, struct slice run, uint64_t number,
                     struct err *err) TG_MUST_USE TG_NONNULL(1);
uint64_t ledger_run_from(const struct ledger *l) TG_NONNULL(1);
/* The ledger has all records before that number. */
bool ledger_run_is_reached(const struct ledger *l) TG_NONNULL(1);
/* 1: a run of this ledger, whose numbers end before *end; 0; -1. */
int ledger_run_find(struct ledger *l, struct slice run, uint64_t *end, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* Redis has confirmed a claim of this run, which is on the disk when this returns: rows of the run
 * go to Redis after it, and a run that a loss of power made forget that it was met would count them
 * again, under the next share. Not within a transaction. */
int ledger_run_meet(struct ledger *l, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Redis has confirmed a claim up to the ledger's position: bases are no longer needed. */
int ledger_run_met(struct ledger *l, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
