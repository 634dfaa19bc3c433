#ifndef TG_MILTER_MAINTENANCE_H
#define TG_MILTER_MAINTENANCE_H

#include <pthread.h>
#include <stdbool.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/hosted_guard.h"
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
 * Threads: maintenance_reload from any; the rest from the main thread. The lock guards the
 * requests.
 *
 * End: a reload that waits for a map or Redis cannot be hurried, so maintenance_stop does not wait
 * for it for long. Nothing is lost: before a reload puts anything in force, it looks under the lock
 * whether a stop was requested. From then on its thread uses no part, only this struct, which is
 * never freed, and snapshots that it holds.
 */

/* What maintenance works on. Borrowed. */
struct maintenance_parts {
    struct dispatch *dispatch;
    struct journal *journal;
    struct accountant *accountant;
    struct own_server *redis; /* NULL: store.url names another one */
    struct throttle *throttle;
    struct violation_log *violations;
    const char *file; /* of the configuration */
    /* Of the sources of the snapshot in force, and made before it; taken over. */
    struct source_watch *watch;
    bool hosted_is_due; /* the snapshot in force has no hosted domains yet */
};

MUTEX_NAME(maintenance_lock)

struct maintenance {
    struct maintenance_parts parts; /* watch, hosted_is_due: the reloader's */

    struct mutex lock;
    pthread_cond_t wake; /* a request, the end of `applying` or of the reloader */
    bool reload_wanted MUTEX_GUARDS(maintenance_lock);
    bool stop_wanted MUTEX_GUARDS(maintenance_lock);
    bool applying MUTEX_GUARDS(maintenance_lock); /* a reload is being put in force */
    bool reloader_ended MUTEX_GUARDS(maintenance_lock);
    /* Why the sources in force are not those on disk; "" where they are. */
    char kept_why[512] MUTEX_GUARDS(maintenance_lock);

    struct hosted_guard guard; /* the reloader's, as are the next two */
    bool reload_is_due;        /* requested, but a source is being written */
    int64_t hosted_due_ms;     /* parts.hosted_is_due: not before; of clock_monotonic_ms */

    bool has_threads; /* the main thread's, as are the next two */
    pthread_t reloader, ticker;
};

/* The snapshot of these settings (taken over); with `before` it inherits the answers that its
 * resolver has cached. Logs bad lines of sources. NULL with *err: a source cannot be read. */
struct snapshot *maintenance_snapshot_load(struct snapshot_settings *shared,
                                           const struct snapshot *before,
                                           struct err *err) TG_MUST_USE TG_NONNULL(1);

int maintenance_start(struct maintenance *k, const struct maintenance_parts *parts,
                      struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
void maintenance_reload(struct maintenance *k) TG_NONNULL(1);
/* Why the sources in force are not those on disk; adds nothing where they are. From any thread. */
void maintenance_kept_why(struct maintenance *k, struct buf *out) TG_NONNULL(1);
/* Ends the upkeep, and waits at most `wait_ms` for a reload under way. The parts may be freed
 * afterwards in any case. No-op if it was not started. */
void maintenance_stop(struct maintenance *k, int64_t wait_ms) TG_NONNULL(1);

/* The journal's part of the settings; `dir` is the journal's directory. */
struct journal_config maintenance_journal_config(const struct settings *s, const char *dir)
    TG_NONNULL(1);

#endif
