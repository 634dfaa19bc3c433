#include "milter/tollgated.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/descriptors.h"
#include "lib/sys/log.h"
#include "lib/sys/signals.h"
#include "milter/engine.h"
#include "milter/names.h"

enum {
    REDIS_WAIT_MS = 5000,
    PUSH_WAIT_MS = 5000,
    DRAIN_MS = 10000,      /* for messages under way to end */
    DRAIN_GRACE_MS = 2000, /* in which new ones are still accepted */
    DRAIN_STEP_MS = 20,
    NUDGE_MS = 20,
    ENGINE_END_MS = 8000, /* libmilter's listener checks for a stop every 5 s */
    CALLS_END_MS = 2000,
    RELOAD_WAIT_MS = 5000,
    TELLING_WAIT_MS = 2000,
    FILES_APART = 64, /* open files that do not belong to sessions */
    FILES_FEW = 4096,
};

/* --- open
 * -------------------------------------------------------------------------------------------- */

/* libmilter spins where it runs out of descriptors. */
static unsigned raise_files(void)
{
    uint64_t limit = descriptors_raise();

    if (limit > 0 && limit < FILES_FEW)
        log_event(LOG_WARNING, "the limit of open files is low: raise LimitNOFILE (ulimit -n)",
                  LOG_NUM("limit", limit));
    if (limit <= FILES_APART || limit > UINT32_MAX)
        return 0;
    return (unsigned)(limit - FILES_APART);
}

static int add_fix(struct err *err)
{
    size_t len = strlen(err->text);

    (void)snprintf(
        err->text + len, sizeof err->text - len,
        ". Restore the file; or, to start without what is damaged, run tollgated --repair");
    return -1;
}

/* Only after ledger.sync = "never": else a segment is on the disk before the next one begins. */
static void lost_end_log(const struct journal_lost_end *lost)
{
    bool is_dated = lost->from_ms != 0 && lost->to_ms != 0;

    if (lost->segment == 0)
        return;
    log_event(LOG_ERR, "a loss of power took the end of a segment of the journal",
              LOG_NUM("segment", lost->segment), LOG_NUM("bytes", lost->bytes),
              LOG_NUM("messages_at_most", lost->records),
              LOG_NUM("seconds_at_most",
                      is_dated ? (uint64_t)(lost->to_ms - lost->from_ms) / 1000 + 1 : 0));
}

static int open_journal(struct tollgated *d, const struct settings *s, struct err *err)
{
    char dir[512];
    struct journal_config config;

    if (snprintf(dir, sizeof dir, "%s/journal", s->state_dir) >= (int)sizeof dir)
        return err_set(err, EX_CONFIG, "state_dir: the path is too long");
    config = maintenance_journal_config(s, dir);
    d->journal = journal_open(&config, err);
    if (d->journal == NULL)
        return err->code == EX_DATAERR ? add_fix(err) : -1;
    if (journal_cut_bytes(d->journal) > 0)
        log_event(LOG_WARNING, "torn end of the journal cut off",
                  LOG_NUM("bytes", journal_cut_bytes(d->journal)));
    lost_end_log(journal_lost_end(d->journal));
    return 0;
}

/* Redis or a map server may be unreachable for now; a missing file is a fault of the
 * configuration. */
static bool comes_later(const struct err *err)
{
    return err->code == EX_UNAVAILABLE || err->code == EX_TEMPFAIL;
}

/* The first snapshot, and the watch of its sources, made before it. */
static int load_snapshot(struct tollgated *d, struct snapshot **snapshot,
                         struct maintenance_parts *parts, struct err *err)
{
    parts->watch = source_watch_new(d->shared->settings, NULL, err);
    if (parts->watch == NULL)
        return -1;
    *snapshot = maintenance_snapshot_load(snapshot_settings_hold(d->shared), NULL, err);
    if (*snapshot != NULL && source_watch_still(parts->watch, err) == 0)
        return 0;
    snapshot_drop(*snapshot);
    if (!comes_later(err)) {
        err->code = EX_CONFIG;
        return -1;
    }
    log_event(LOG_WARNING, "no hosted domains yet; all mail is deferred", LOG_ERROR("error", err));
    parts->hosted_is_due = true;
    *snapshot = snapshot_new(snapshot_settings_hold(d->shared), NULL, NULL);
    return *snapshot != NULL ? 0 : err_set(err, EX_OSERR, "out of memory");
}

static int open_throttle(struct tollgated *d, struct err *err)
{
    const struct settings *s = d->shared->settings;

    d->throttle = throttle_new(s, err);
    if (d->throttle == NULL)
        return -1;
    d->violations = violation_log_new(s, err);
    return d->violations == NULL ? -1 : 0;
}

static int open_dispatch(struct tollgated *d, struct err *err)
{
    struct maintenance_parts parts = {.dispatch = &d->dispatch,
                                      .journal = d->journal,
                                      .accountant = d->accountant,
                                      .redis = d->redis,
                                      .throttle = d->throttle,
                                      .violations = d->violations,
                                      .file = d->file};
    struct snapshot *snapshot;

    if (load_snapshot(d, &snapshot, &parts, err) != 0) {
        source_watch_free(parts.watch);
        return -1;
    }
    dispatch_init(&d->dispatch, &(struct dispatch_parts){.journal = d->journal,
                                                         .snapshot = snapshot,
                                                         .throttle = d->throttle,
                                                         .violations = d->violations,
                                                         .sessions_max = raise_files()});
    names_seed(&d->dispatch, snapshot, d->throttle);
    return maintenance_start(&d->maintenance, &parts, err);
}

static void *run_engine(void *argument)
{
    struct tollgated *d = argument;

    if (d->engine->run(&d->dispatch, d->shared->settings, &d->engine_err) == 0)
        (void)err_set(&d->engine_err, EX_OSERR, "it returned without a request to stop");
    signals_tell(EVENT_ENGINE_ENDED);
    return NULL;
}

static int open_all(struct tollgated *d, struct err *err)
{
    const struct settings *s = d->shared->settings;

    if (own_server_wanted(s)) {
        d->redis = own_server_start(s, REDIS_WAIT_MS, err);
        if (d->redis == NULL)
            return -1;
    }
    if (open_journal(d, s, err) != 0)
        return -1;
    d->accountant = accountant_start(s, d->journal, err);
    if (d->accountant == NULL || open_throttle(d, err) != 0 || open_dispatch(d, err) != 0 ||
        control_start(&d->control, &d->dispatch, d->accountant, &d->maintenance, s->state_dir,
                      err) != 0 ||
        questions_start(&d->questions, s, err) != 0 ||
        telling_start(&d->telling, &d->dispatch, err) != 0)
        return -1;
    if (pthread_create(&d->engine_thread, NULL, run_engine, d) != 0)
        return err_set(err, EX_OSERR, "cannot start a thread");
    d->has_engine = true;
    return 0;
}

int tollgated_open(struct tollgated *d, const char *file, struct settings *settings,
                   struct err *err)
{
    int done;

    memset(d, 0, sizeof *d);
    d->file = file;
    d->is_idle = true;
    d->engine = engine_find(settings);
    d->shared = snapshot_settings_new(settings, err);
    if (d->shared == NULL)
        return -1;
    signals_block();
    done = open_all(d, err);
    signals_unblock();
    return done;
}

/* --- serve
 * ------------------------------------------------------------------------------------------- */

/* The next event; the engine's end is taken care of here, wherever it is seen. */
static enum signal_event next_event(struct tollgated *d, int64_t wait_ms)
{
    enum signal_event event = signals_next(wait_ms);

    if (event == EVENT_ENGINE_ENDED) {
        (void)pthread_join(d->engine_thread, NULL);
        d->has_engine = false;
    }
    return event;
}

static bool has_yielded(const struct tollgated *d)
{
    return d->engine->has_yielded == NULL || d->engine->has_yielded();
}

/* Waits until no message is under way, twice in a row: then the answer to the last one is sent. A
 * second signal, the end of the engine, or the end of the time cuts it short. */
static bool drain(struct tollgated *d)
{
    int64_t begun = clock_monotonic_ms();
    int idle = 0;

    while (d->has_engine) {
        int64_t past = clock_monotonic_ms() - begun;

        idle = atomic_load(&d->dispatch.open_messages) == 0 && has_yielded(d) ? idle + 1 : 0;
        if (idle >= 2)
            return true;
        if (past >= DRAIN_GRACE_MS)
            dispatch_drain(&d->dispatch);
        if (past >= DRAIN_MS || next_event(d, DRAIN_STEP_MS) == EVENT_STOP)
            break;
    }
    return false;
}

static void stop_engine(struct tollgated *d)
{
    int64_t until = clock_monotonic_ms() + ENGINE_END_MS;

    if (d->has_engine)
        d->engine->stop();
    while (d->has_engine && clock_monotonic_ms() < until) {
        d->engine->nudge();
        (void)next_event(d, NUDGE_MS);
    }
}

/* Shuts out the sessions. Only where none is left in a call may anything be freed that they use. */
static void shut(struct tollgated *d, bool drained, unsigned open_messages)
{
    bool clean;

    d->is_idle = dispatch_close(&d->dispatch, CALLS_END_MS);
    clean = drained && d->is_idle && !d->has_engine;
    if (d->is_idle)
        dispatch_detach(&d->dispatch, clean);
    dispatch_tick(&d->dispatch);
    if (open_messages > 0)
        log_event(LOG_WARNING, "stopped with messages under way",
                  LOG_NUM("open_messages", open_messages));
}

static void stop(struct tollgated *d)
{
    unsigned open_messages;
    bool drained;

    log_event(LOG_NOTICE, "stopping", LOG_NUM("sessions", atomic_load(&d->dispatch.sessions)),
              LOG_NUM("open_messages", atomic_load(&d->dispatch.open_messages)));
    if (d->engine->yield != NULL)
        d->engine->yield();
    drained = drain(d);
    dispatch_drain(&d->dispatch);
    open_messages =
        atomic_load(&d->dispatch.open_messages); /* those that the engine's end cuts off */
    stop_engine(d);
    shut(d, drained, open_messages);
}

int tollgated_serve(struct tollgated *d, struct err *err)
{
    for (;;) {
        switch (next_event(d, -1)) {
        case EVENT_RELOAD:
            maintenance_reload(&d->maintenance);
            break;
        case EVENT_STOP:
            stop(d);
            return 0;
        case EVENT_ENGINE_ENDED:
            shut(d, false, atomic_load(&d->dispatch.open_messages));
            *err = d->engine_err;
            return -1;
        case EVENT_NONE:
            break;
        }
    }
}

/* --- close
 * ------------------------------------------------------------------------------------------- */

/* The one order, and its reasons: HACKING, "Shutdown". The dispatch stays, since libmilter's
 * threads may call it until the process ends. A journal that stays open names the messages in doubt
 * at the next start. */
void tollgated_close(struct tollgated *d)
{
    if (d->engine != NULL)
        d->engine->close();
    control_stop(&d->control);
    questions_stop(&d->questions);
    telling_stop(&d->telling, TELLING_WAIT_MS);
    maintenance_stop(&d->maintenance, RELOAD_WAIT_MS);
    if (d->is_idle) {
        violation_log_free(d->violations);
        throttle_free(d->throttle);
    }
    accountant_stop(d->accountant, PUSH_WAIT_MS);
    if (d->redis != NULL)
        own_server_stop(d->redis, REDIS_WAIT_MS);
    if (d->is_idle)
        journal_close(d->journal);
}
