#ifndef TG_COLLECT_PUSHING_H
#define TG_COLLECT_PUSHING_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/collect_db.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"

/*
 * The collector's ledger brought to Redis: its rows as one more share (lib/ledger/push), its state
 * (tg:{@mx1}:collect), the holes in its logs (tg:{@mx1}:gaps), and refusals and anomalies
 * (collect/streams.h). While Redis is away, all waits in the ledger. It also sounds the alarm
 * (collect/alarm.h), whose limits go to Redis.
 *
 * Where the ledger has to go on under a new share (its file was restored or copied), the logs are
 * read again from where the claim of the other one ends.
 *
 * Threads: one.  Owner: pushing_new/pushing_free.
 */

struct pushing;

void pushing_free(struct pushing *p); /* NULL is allowed */
/* Begins a run of the ledger. `resumed` is called when the ledger has been set back in the logs. */
struct pushing *pushing_new(const struct settings *s, const char *dir, struct collect_db *db,
                            void (*resumed)(void *context), void *context,
                            struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 4);

/* How many messages are in the mail server's queue; false: not known. */
void pushing_queue(struct pushing *p, bool is_known, uint64_t messages) TG_NONNULL(1);
/* The settings in force from now on; borrowed, as those of pushing_new. */
void pushing_reload(struct pushing *p, const struct settings *s) TG_NONNULL(1, 2);

/* Works for some time. True: there is more to do at once. `through_ms`: the logs are read up to
 * there. */
bool pushing_run(struct pushing *p, int64_t through_ms) TG_NONNULL(1);
/* What there is, for at most wait_ms; `is_last`: this run is over. False: some is left in the
 * ledger. */
bool pushing_finish(struct pushing *p, int64_t through_ms, int64_t wait_ms, bool is_last)
    TG_NONNULL(1);

#endif
