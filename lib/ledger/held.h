#ifndef TG_LEDGER_HELD_H
#define TG_LEDGER_HELD_H

#include <stdbool.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/record.h"

/*
 * Reads the held messages of this node from its ledger, to list and to release them. A record of
 * the journal is visible here once it is folded: call accountant_wait first, with the journal's
 * last number, and a message that was just released is not listed as held.
 *
 * A message that was released stays listed, marked so, for HELD_RELEASED_S: the program that
 * released it may have ended before the MTA knew.
 *
 * A message is released by a record in the journal (RECORD_RELEASE with its number), and forgotten
 * by another (RECORD_FORGET).
 *
 * Threads: all; they read one after the other, over a connection of its own, which keeps no lock on
 * the ledger.
 * Errors: EX_NOINPUT (no ledger), EX_IOERR, EX_DATAERR (damaged).
 */

#define HELD_RELEASED_S 3600

struct held_messages;

/* The ledger has to exist (accountant_start makes it). */
struct held_messages *held_open(const char *state_dir, struct err *err) TG_MUST_USE;
void held_close(struct held_messages *h); /* NULL is allowed */

struct held_message {
    uint64_t number; /* of its record in the journal; the message held longer has the smaller one */
    struct slice queue_id, account;
    struct slice place;   /* the queue that it was seen in (RECORD_PLACE); empty: none yet */
    int64_t time_ms;      /* held since, Unix time in ms */
    bool released;        /* released already; `record` is empty then */
    struct record record; /* its legs, and the input of limit_checks_of_held */
};

/* The messages held for the account (empty: for all), by ascending number, those beyond `after`, at
 * most `limit`. */
int held_list(struct held_messages *h, struct slice account, uint64_t after, size_t limit,
              struct arena *arena, struct held_message **list, size_t *count,
              struct err *err) TG_MUST_USE TG_NONNULL(1);
/* 1: it is held, or was released less than HELD_RELEASED_S ago; 0: it is not; -1: *err. */
int held_find(struct held_messages *h, uint64_t number, struct arena *arena,
              struct held_message *out, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
