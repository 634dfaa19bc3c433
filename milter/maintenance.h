#ifndef TG_MILTER_MAINTENANCE_H
#define TG_MILTER_MAINTENANCE_H

#include <pthread.h>
#include <stdbool.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/ledger/accountant.h"
#include "lib/redis/own_server.h"
#include "lib/sys/journal.h"
#include "lib/sys/mutex.h"
#include "milter/dispatch.h"
#include "milter/snapshot.h"

/*
 * What tollgated does besides serving: reloads, on a signal and when a source has changed, and the
 * periodic upkeep of the journal and the private store. A reload may wait for Redis or a map, the
 * journal must not: each has its own thread.
 *
 * A reload makes a new snapshot and swaps it in; if anything in it is wrong, the old one stays in
 * force and the log says why. Settings that cannot change while tollgated runs keep their value and
 * are named in the log.
 *
 * Threads: maintenance_reload from any; the rest from the main thread. The lock guards the wishes.
 */

struct maintenance {
    struct dispatch *dispatch;
    struct journal *journal;
    struct accountant *accountant;
    struct own_server *redis; /* NULL: none of our own */
    struct throttle *throttle;
    struct violation_log *violations;
    const char *file; /* the configuration's */

    struct mutex lock;
    pthread_cond_t wake;
    bool reload_wanted, stop_wanted;

    bool has_threads;
    pthread_t reloader, ticker;
    struct source_watch
        *watch;         /* the reloader's, for the snapshot in force; made before that was */
    bool hosted_is_due; /* a source has changed, or none could be read yet */
};

/* The snapshot of these settings (taken over); with `before` it inherits the answers that its
 * resolver has cached. Logs bad lines of sources. NULL with *err: a source cannot be read. */
struct snapshot *maintenance_snapshot_load(struct snapshot_settings *shared,
                                           const struct snapshot *before,
                                           struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Fill in the first seven fields, `watch` (taken over) and `hosted_is_due` (the dispatch's snapshot
 * has no hosted yet) first. */
int maintenance_start(struct maintenance *k, struct err *err) TG_MUST_USE TG_NONNULL(1);
void maintenance_reload(struct maintenance *k) TG_NONNULL(1);
/* Waits for a reload under way. */
void maintenance_stop(struct maintenance *k);

/* The journal's part of the settings; `dir` is the journal's directory. */
struct journal_config maintenance_journal_config(const struct settings *s, const char *dir)
    TG_NONNULL(1);

#endif
