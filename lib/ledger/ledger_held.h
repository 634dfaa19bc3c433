#ifndef TG_LEDGER_LEDGER_HELD_H
#define TG_LEDGER_LEDGER_HELD_H

#include "lib/core/contract.h"
#include "lib/ledger/ledger.h"

/*
 * Held messages in the ledger, each with the body of its journal record, so that the journal's
 * segments can be deleted, until the message is released (and counted) or forgotten.
 *
 * Redis shows them as they are here (lib/ledger/push_held). So a row that is no longer held stays,
 * without body, until it is removed from Redis, and then for HELD_GONE_KEPT_S: a Redis that comes
 * back some days older is corrected again.
 *
 * Threads: as the ledger's.  Others read them through lib/ledger/held.
 */

#define HELD_GONE_KEPT_S ((int64_t)7 * 86400)

enum held_state {
    HELD_SHOWN,    /* held; in Redis */
    HELD_NEW,      /* held; not in Redis yet */
    HELD_GONE,     /* no longer held; still in Redis */
    HELD_FORGOTTEN /* no longer held; removed from Redis */
};

struct held_row {
    uint64_t number;   /* of the journal's record: the order in which they were held */
    struct slice node; /* under whose name it was held */
    struct slice queue_id, account;
    int64_t time_ms;    /* held since, Unix time in ms */
    struct slice place; /* for ledger_held_add: the queue that it is in; empty: not known */
    enum held_state state;
};

/* Creates the table in a ledger that has none, or of an older release; for ledger_open. */
int ledger_held_open(struct ledger *l, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* A message held by the present node (row->node and row->state are ignored). */
int ledger_held_add(struct ledger *l, const struct held_row *row, struct slice body,
                    struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Adds the body of a held message to *body: 1; 0 where no such message is held. */
int ledger_held_body(struct ledger *l, uint64_t number, struct buf *body,
                     struct err *err) TG_MUST_USE TG_NONNULL(1);
/* The queue that a held message is in; one that is not held is ignored. */
int ledger_held_place(struct ledger *l, uint64_t number, struct slice place,
                      struct err *err) TG_MUST_USE TG_NONNULL(1);
/* It is no longer held, since gone_s: released, or forgotten. */
int ledger_held_remove(struct ledger *l, uint64_t number, int64_t gone_s, bool released,
                       struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Steps through rows by ascending number, those beyond `after` only, at most `limit`. Else as
 * ledger_walk_start; ends with ledger_walk_end. */
enum held_walk {
    HELD_WALK_ALL,
    HELD_WALK_HELD,   /* without those that are gone */
    HELD_WALK_CHANGED /* HELD_NEW and HELD_GONE */
};
void ledger_held_walk_start(struct ledger *l, enum held_walk which, uint64_t after, size_t limit)
    TG_NONNULL(1);
int ledger_held_walk_next(struct ledger *l, struct held_row *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* Redis has that state now. */
int ledger_held_mark(struct ledger *l, uint64_t number, enum held_state pushed,
                     struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Deletes rows of messages that are in state HELD_FORGOTTEN since before. */
int ledger_held_prune(struct ledger *l, int64_t before_s, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

#endif
