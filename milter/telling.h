#ifndef TG_MILTER_TELLING_H
#define TG_MILTER_TELLING_H

#include <pthread.h>
#include <stdbool.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/mutex.h"
#include "milter/dispatch.h"

/*
 * Looks every throttle.notify_every whether admins are to be told of a threshold
 * (lib/admin/threshold), by the settings and sources in force.
 *
 * Threads: one of its own; the rest from the main thread. The lock guards the request to stop.
 * Errors: logged, once a minute at most.
 * End: a look that takes longer than asked is left to itself; its thread then touches only this
 * struct, which is never freed, the dispatch, and a snapshot that it holds.
 */

MUTEX_NAME(telling_lock)

struct telling {
    struct dispatch *dispatch; /* borrowed; it stays until the process ends */
    struct mutex lock;
    pthread_cond_t wake; /* stop_wanted or ended */
    bool stop_wanted MUTEX_GUARDS(telling_lock);
    bool ended MUTEX_GUARDS(telling_lock);
    int64_t complained_ms; /* the thread's; monotonic, 0: never */
    bool has_thread;       /* the main thread's, as is the next one */
    pthread_t thread;
};

int telling_start(struct telling *t, struct dispatch *dispatch, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3);
/* Waits for a look under way, for `wait_ms` at most. No-op if it was not started. */
void telling_stop(struct telling *t, int64_t wait_ms) TG_NONNULL(1);

#endif
