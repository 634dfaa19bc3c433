#ifndef TG_LEDGER_TURNS_H
#define TG_LEDGER_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"

/*
 * When the accountant folds and pushes. A row costs the same however many messages are in it, in
 * SQLite as well as in Redis. Where few rows change, each turn follows the last after ledger.push;
 * where many change all the time, they are gathered for longer: TURNS_ROWS_MS rows are pushed a ms,
 * which takes about a tenth of a processor, until none has to wait for longer than
 * TURNS_PAUSE_MAX_MS. A push that does not end within its turn goes on at once, and records are
 * gathered meanwhile.
 *
 * While mail comes, both work in pieces (lib/ledger/rest): neither Redis nor a processor has time
 * for it while they take rows. Where there is much to catch up with, only fast mail goes first.
 *
 * Units: ms of the monotonic clock.  Threads: one; pure.
 */

#define TURNS_ROWS_MS      2
#define TURNS_PAUSE_MAX_MS 10000
#define TURNS_MAIL_S       20   /* records a second: mail comes */
#define TURNS_BUSY_S       1000 /* it comes fast */
#define TURNS_REST_TIMES   4
#define TURNS_ROWS_MANY    ((uint64_t)TURNS_PAUSE_MAX_MS * TURNS_ROWS_MS)

struct turns {
    int64_t pause_ms; /* ledger.push: between two turns, at least */
    uint64_t rows;    /* to be pushed in this turn and those before it without a pause */
    int64_t fold_next_ms;
    uint64_t number; /* of the journal's next record, when it was looked at */
    int64_t looked_ms;
    uint64_t mail_s; /* records a second */
};

/* Between this turn and the next. */
int64_t turns_pause_ms(const struct turns *t) TG_NONNULL(1);
/* How often as long as a piece of work takes the rest after it is, of work on so many rows. */
unsigned turns_rest_times(const struct turns *t, uint64_t rows) TG_NONNULL(1);
/* Once a turn: the number of the journal's next record. */
void turns_look(struct turns *t, uint64_t number, int64_t now_ms) TG_NONNULL(1);
/* A turn begins, after a pause or, with `at_once`, without one; `is_asked`: somebody waits for the
 * journal to be folded. */
void turns_begin(struct turns *t, bool at_once, bool is_asked) TG_NONNULL(1);
bool turns_fold_is_due(const struct turns *t, int64_t now_ms) TG_NONNULL(1);
/* The journal was folded; so many rows are to be pushed now. */
void turns_folded(struct turns *t, uint64_t rows, int64_t now_ms) TG_NONNULL(1);

#endif
