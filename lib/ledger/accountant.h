#ifndef TG_LEDGER_ACCOUNTANT_H
#define TG_LEDGER_ACCOUNTANT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/journal.h"
#include "lib/sys/settings.h"

/*
 * The accountant: one thread that folds the journal into the ledger (lib/ledger/fold), pushes what
 * changed to Redis (lib/ledger/push), syncs the ledger and trims the journal.
 * Killed anywhere and started again it goes on where the ledger stands; Redis away, it keeps what
 * is to be pushed.
 *
 * Where the journal is damaged, or has lost records that were not counted yet, nothing more is
 * counted until it is repaired: skipping them would lose them for good. Mail goes on, into the
 * journal.
 *
 * Files in state_dir: ledger.db (with -wal and -shm), and ledger.id, which names the ledger that
 * counted here. A ledger that is gone or another one is refused: counted anew, the journal's
 * records would count twice.
 *
 * Threads: accountant_* from any thread. All work is done in a thread of its own, which leaves the
 * processor to those of the mail; only
 * accountant_stop and accountant_wait wait for it. It logs its problems, a lasting one once a
 * minute.
 */

/* The journal that it reads lies there, under state_dir. */
#define ACCOUNTANT_JOURNAL "journal"

struct accountant;

/* Opens the ledger in state_dir (made if missing), names the messages that a crash left in doubt
 * in the log, and starts the thread. `journal` is borrowed and outlives it; nothing may have been
 * appended since journal_open. NULL where there is no usable ledger: *err has the reason and the
 * fix. */
struct accountant *accountant_start(const struct settings *s, struct journal *journal,
                                    struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Folds and pushes what there is (the push for about `push_ms`), then ends the thread and frees.
 * NULL is allowed. */
void accountant_stop(struct accountant *a, int64_t push_ms);
/* New settings after a reload (ledger.push, accounting.users, accounting.users_max). Copies what it
 * keeps. */
void accountant_reload(struct accountant *a, const struct settings *s) TG_NONNULL(1);

struct accountant_state {
    uint64_t folded_number;                  /* last journal record in the ledger */
    int64_t counted_through, pushed_through; /* Unix seconds; 0: not known yet */
    uint64_t dirty_rows;                     /* changed and not yet in Redis */
    bool damaged;                            /* the journal is damaged: accounting has stopped */
    char problem[512];                       /* the problem there is, or "" */
};
void accountant_state(struct accountant *a, struct accountant_state *out) TG_NONNULL(1);

/* Waits until the ledger has the journal's record of that number and those before it (and whoever
 * reads the ledger then sees them); false when the time is over. A Redis that stalls can take the
 * accountant's thread 5 s. */
bool accountant_wait(struct accountant *a, uint64_t number, int64_t timeout_ms) TG_NONNULL(1);

#endif
