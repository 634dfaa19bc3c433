#ifndef TG_STORE_LEDGER_H
#define TG_STORE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/counters.h"
#include "lib/core/err.h"
#include "lib/sys/journal.h"
#include "lib/sys/settings.h"

/*
 * The accountant: one thread that tails the journal into the ledger (SQLite: absolute totals by account, user
 * and period, with the journal position, in one transaction a fold), pushes changed rows to Redis as this node's absolute
 * shares, and keeps house. Killed anywhere and started again it goes on where the ledger stands.
 *
 * Threads: accountant_* from any thread; all work is done in its own.
 */

struct accountant;

/* Opens the ledger in state_dir (made if missing). `journal` is borrowed and outlives it. */
struct accountant *accountant_start(const struct settings *s, struct journal *journal, struct err *err);
/* Folds and pushes what there is (the push for at most `push_ms`), then ends the thread. */
void accountant_stop(struct accountant *a, int64_t push_ms);
/* New settings after a reload (push interval, users_max ...). Copies what it keeps. */
void accountant_reload(struct accountant *a, const struct settings *s);

struct accountant_state {
    uint64_t folded_number;               /* last journal record in the ledger */
    int64_t counted_through, pushed_through; /* Unix seconds */
    uint64_t dirty_rows;
    bool damaged;                         /* the journal is damaged: accounting has stopped */
    char trouble[256];                    /* last error, or "" */
};
void accountant_state(struct accountant *a, struct accountant_state *out);

#endif
