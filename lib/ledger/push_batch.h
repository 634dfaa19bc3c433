#ifndef TG_LEDGER_PUSH_BATCH_H
#define TG_LEDGER_PUSH_BATCH_H

#include "lib/core/contract.h"
#include "lib/ledger/ledger.h"
#include "lib/ledger/push_keep.h"
#include "lib/ledger/push_seal.h"
#include "lib/redis/store.h"

/*
 * One trip of rows to Redis: some rows of the ledger go out as one pipeline, and what Redis says to
 * each is noted in the ledger.
 *
 * With a row goes the time when Redis may forget it (EXPIREAT), with a total its account's entry in
 * the index of accounts. Rows whose time has come are not pushed, they leave the ledger; where
 * Redis would keep them longer, because store.keep_* was longer, they leave it within an hour.
 *
 * Redis may refuse a row (a key that holds something else, a damaged share of another node): that
 * row is marked and the others go on. Anything else that it refuses (out of memory, read-only,
 * loading) is a problem with the store: the rows stay dirty.
 *
 * In a walk, the hash of an account's users is put right with the account's row of that month or
 * day (users.lua), for a plain field typed by hand may be of a user who has no row.
 *
 * Where Redis has our share with a larger number than the ledger, lib/ledger/reconcile
 * settles it.
 *
 * Threads: one.  Limits: TRIP_ROWS rows a trip: Redis does them one after another, and a message
 * that asks it about its limits waits for them.
 */

#define TRIP_ROWS      64
#define TRIP_ROWS_CALM 8 /* costs more a row: while no more than CALM_ROWS are dirty */
#define CALM_ROWS      20000

struct push_batch {
    struct ledger *ledger;
    struct store *store;
    const char *prefix;
    bool as_names; /* write the form of shares that every version reads (lib/ledger/push_fleet) */
    struct push_keep keep;
    struct push_seal seal; /* in a walk */
    struct push_batch_rows *rows;
};

struct push_batch_result {
    size_t seen;     /* rows looked at; fewer than asked for: there are no more */
    int64_t last_id; /* of the last one seen */
    size_t pushed, refused, expired;
    size_t undone;                          /* of our shares: somebody else had changed them */
    struct err refused_first, undone_first; /* with key and fix; set where the number is not 0 */
};

int push_batch_init(struct push_batch *t, struct ledger *ledger, struct store *store,
                    const char *prefix, struct err *err) TG_MUST_USE TG_NONNULL(1);
void push_batch_fini(struct push_batch *t);

/* Rows beyond `after`, at most `limit` (<= TRIP_ROWS). -1: the store (EX_UNAVAILABLE and others of
 * store.h) or the ledger (its errors); `out` then counts what was done all the same. */
int push_batch_run(struct push_batch *t, enum ledger_walk which, int64_t after, size_t limit,
                   int64_t now_s, struct push_batch_result *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

#endif
