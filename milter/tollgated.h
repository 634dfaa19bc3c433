#ifndef TG_MILTER_TOLLGATED_H
#define TG_MILTER_TOLLGATED_H

#include <pthread.h>
#include <stdbool.h>

#include "lib/core/contract.h"
#include "milter/control.h"
#include "milter/dispatch.h"
#include "milter/engine.h"
#include "milter/maintenance.h"
#include "milter/questions.h"
#include "milter/telling.h"

/*
 * The daemon: its parts, and its life in order: open (everything that can fail), serve (until a
 * signal requests a stop), close. The one struct that main has.
 *
 * Threads: the main thread; the engine has its own, and so have the maintenance and the accountant.
 * Errors: sysexits(3) codes in *err; what was opened until then is closed by tollgated_close.
 */

struct tollgated {
    const char *file; /* the configuration's */
    struct snapshot_settings *shared;
    struct own_server *redis; /* NULL: store.url names another one */
    struct journal *journal;
    struct accountant *accountant;
    struct throttle *throttle;
    struct violation_log *violations;
    struct dispatch dispatch;
    struct maintenance maintenance;
    struct control control;
    struct questions questions;
    struct telling telling;
    bool is_idle; /* no session can reach the parts: they may be freed */
    bool has_engine;
    const struct engine *engine;
    pthread_t engine_thread;
    struct err engine_err; /* the engine thread's until it is joined */
};

/* `settings` is taken over. Signals and socket are open already, privileges are dropped. */
int tollgated_open(struct tollgated *d, const char *file, struct settings *settings,
                   struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Serves until a signal requests a stop; -1: the engine exited unexpectedly. */
int tollgated_serve(struct tollgated *d, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Counts and pushes what is left, and frees everything. */
void tollgated_close(struct tollgated *d);

#endif
