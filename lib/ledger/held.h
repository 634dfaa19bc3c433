#ifndef TG_LEDGER_HELD_H
#define TG_LEDGER_HELD_H

#include <stdbool.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/record.h"

/*
 * The held messages of this node, out of its ledger, for whoever lists and releases them. What has
 * been written to the journal is there once it is folded: accountant_wait before asking, with the
 * journal's last number, and a message that was just released is not given again.
 *
 * A message that was released is told of for HELD_RELEASED_S more: whoever released it may have
 * ended before the MTA knew.
 *
 * A message is released by a record (RECORD_RELEASE with its number) in the journal, forgotten by
 * RECORD_FORGET.
 *
 * Threads: all; one at a time does its reading. It reads over a connection of its own and keeps no
 * lock on the ledger.
 * Errors: EX_NOINPUT (no ledger), EX_IOERR, EX_DATAERR (damaged).
 */

#define HELD_RELEASED_S 3600

struct held_messages;

/* The ledger has to be there (accountant_start makes it). */
struct held_messages *held_open(const char *state_dir, struct err *err) TG_MUST_USE;
void held_close(struct held_messages *h); /* NULL is allowed */

struct held_message {
    uint64_t number; /* of its record in the journal: who waits longer has the smaller one */
    struct slice queue_id, account;
    int64_t time_ms;      /* since when */
    bool released;        /* released already; `record` is empty then */
    struct record record; /* legs, and what limit_checks_of_held makes checks of */
};

/* Those that wait in the line of the account (empty: in all), by ascending number, beyond `after`,
 * at most `limit`. */
int held_list(struct held_messages *h, struct slice account, uint64_t after, size_t limit,
              struct arena *arena, struct held_message **list, size_t *count,
              struct err *err) TG_MUST_USE TG_NONNULL(1);
/* 1: it is held, or was released just now; 0: it is not; -1. */
int held_find(struct held_messages *h, uint64_t number, struct arena *arena,
              struct held_message *out, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
