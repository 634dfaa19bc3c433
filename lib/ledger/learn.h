#ifndef TG_LEDGER_LEARN_H
#define TG_LEDGER_LEARN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * May this ledger go on as the one that Redis knows? Decided from what the ledger and Redis say,
 * without I/O, so that a simulation can drive it.
 *
 * A ledger counts under a share (_NODE.ID). Each start of the program is a run with a random id.
 * The node's hash says which share and run wrote it last (ledger, run), up to which number the
 * share may count (number: the claim, written before any row that counts so far), and a stamp that
 * grows with each writing. The ledger keeps its runs, each with the number of the journal at which
 * it began: a run has given no number at or beyond the beginning of the next one. So Redis shows a
 * run that the ledger does not know, or a number that a known run cannot have given, only if the
 * ledger was restored or copied and another one went on from there. Then the records before
 * `from`, where the present run began, are common to both and counted under the old share; what
 * this ledger counts from there on goes under a new share, and the sum is right whether the other
 * one still runs or not.
 *
 * Units: ms and record numbers, in the names.
 */

/* A hash whose stamp stands still for so long belongs to nobody alive; LEARN_PATIENCE times as long
 * where somebody was seen alive. */
#define LEARN_WATCH_MS 5000
#define LEARN_PATIENCE 4

struct learn_self {
    struct slice share_id; /* of the present share */
    struct slice run;      /* of this run */
    struct slice place;    /* machine, boot and directory; empty: not known */
    uint64_t stamp, stamp_tried;
    bool has_met;     /* Redis has had something of this ledger, in this or an earlier run */
    bool was_named;   /* the hash has named the present share */
    bool is_writing;  /* this run has written the hash */
    int64_t watch_ms; /* LEARN_WATCH_MS */
};

struct learn_found {
    bool is_there;
    struct slice share_id, run, place;
    uint64_t stamp, number;
    bool is_stopped; /* its run ended in order */
    bool has_left;   /* its share began where another one was left */
    /* What the ledger says to it: */
    bool is_share_ours; /* the present share or an earlier one of this ledger */
    bool is_run_ours;   /* a run of this ledger */
    uint64_t run_end;   /* where that run's numbers end */
    bool is_moving;     /* its stamp has been seen to change */
    int64_t silent_ms;  /* for how long it has been seen unchanged */
};

enum learn_verdict {
    LEARN_WRITE,     /* the hash is ours */
    LEARN_LOST,      /* the hash is ours, and Redis has lost something: write it, push all again */
    LEARN_WAIT,      /* ours, or that of somebody who may be gone: push nothing yet. A ledger that
                      * is lost now and made again of Redis goes on as the share that is named */
    LEARN_NEW_SHARE, /* another ledger continues our share: go on under a new one, ask again */
    LEARN_RIVAL      /* somebody else's, who is alive: push rows, leave the hash, report it */
};

enum learn_verdict learn_node(const struct learn_self *self, const struct learn_found *found)
    TG_NONNULL(1, 2);

/* A row of this ledger whose share in Redis has a larger number than the ledger: this ledger cannot
 * have written that. */
enum learn_row {
    LEARN_UNDO,  /* the present share: write ours over it */
    LEARN_ADOPT, /* an old share, continued by another ledger: keep what Redis has */
    LEARN_LEAVE  /* an old share, and a number that nobody claimed: neither believe nor touch it */
};

/* `claim`: up to where the other ledger had claimed the old share when this one left it. */
enum learn_row learn_share(bool is_present, uint64_t found_number, uint64_t claim);

/* The time that decides what is old enough to be deleted: never ahead of the mail, and running at
 * most LEARN_AGING times as fast as a clock, so that a clock that is wrong for an hour does not
 * clear the ledger. `before_s` is its last value, `elapsed_ms` the monotonic time since. */
#define LEARN_AGING 24
int64_t learn_aging(int64_t before_s, int64_t elapsed_ms, int64_t now_s, int64_t latest_s);

#endif
