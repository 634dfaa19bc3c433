#include "milter/maintenance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/mutex.h"

enum {
    POLL_MS = 2000,
    TICK_MS = 250, /* the longest delay before mail is accepted again once the disk has room */
    REDIS_TICK_MS = 1000,
    METER_TICK_MS = 1000,
    MINUTE_MS = 60 * 1000,
};

struct journal_config maintenance_journal_config(const struct settings *s, const char *dir)
{
    return (struct journal_config){.dir = dir,
                                   .min_free_bytes = s->ledger.min_free_bytes,
                                   .sync = (int)s->ledger.sync,
                                   .sync_ms = s->ledger.sync_ms};
}

/* --- reload
 * ----------------------------------------------------------------------------------------- */

static void log_lines(int level, const char *event, char *text)
{
    struct slice rest = slice_str(text), line;

    while (slice_cut(&rest, '\n', &line)) {
        if (line.len > 0)
            log_event(level, event, LOG_TEXT("what", line));
    }
}

static struct hosted *load_world(const struct settings *s, struct err *err)
{
    char *text = NULL;
    size_t len;
    FILE *warnings = open_memstream(&text, &len);
    struct hosted *w = source_load(s, warnings, err);

    if (warnings != NULL && fclose(warnings) == 0 && w != NULL)
        log_lines(LOG_WARNING, "source line ignored", text);
    free(text);
    return w;
}

struct snapshot *maintenance_snapshot_load(struct snapshot_settings *shared,
                                           const struct snapshot *before, struct err *err)
{
    struct resolver *r = resolver_new(shared->settings, err);
    struct hosted *w = r != NULL ? load_world(shared->settings, err) : NULL;
    struct snapshot *snapshot;

    if (w == NULL) {
        resolver_free(r);
        snapshot_settings_drop(shared);
        return NULL;
    }
    if (before != NULL && before->resolver != NULL)
        resolver_inherit(r, before->resolver);
    snapshot = snapshot_new(shared, r, w);
    if (snapshot == NULL)
        (void)err_set(err, EX_OSERR, "cannot load the hosted domains: out of memory");
    return snapshot;
}

static struct settings *load_settings(const char *file)
{
    char *text = NULL;
    size_t len;
    FILE *faults = open_memstream(&text, &len);
    struct err err;
    struct settings *s = settings_load(file, faults, &err);

    if (faults != NULL)
        (void)fclose(faults);
    if (s == NULL) {
        if (text == NULL || text[0] == '\0')
            log_event(LOG_ERR, "configuration fault", LOG_ERROR("what", &err));
        else
            log_lines(LOG_ERR, "configuration fault", text);
    }
    free(text);
    return s;
}

/* Settings that need a restart keep their old value and are named in the log. */
static int keep_fixed(struct settings *fresh, const struct settings *old, struct err *err)
{
    struct arena arena;
    struct slice names;

    arena_init(&arena, 1 << 16);
    names = settings_fixed_changes(old, fresh, &arena);
    if (names.len > 0)
        log_event(LOG_WARNING, "these settings need a restart; their old values stay in force",
                  LOG_TEXT("settings", names));
    arena_fini(&arena);
    return settings_keep_fixed(fresh, old, err);
}

static void settings_apply(struct maintenance *k, const struct settings *s)
{
    struct journal_config config = maintenance_journal_config(s, "");

    log_open("tollgated", (enum log_target)s->log.target, s->log.facility, s->log.level);
    journal_configure(k->parts.journal, &config);
    accountant_reload(k->parts.accountant, s);
    throttle_reload(k->parts.throttle, s);
    violation_log_reload(k->parts.violations, s);
}

/* False: a stop was requested meanwhile, and nothing may be touched any more. */
static bool apply_begin(struct maintenance *k)
{
    bool may_apply;

    maintenance_lock_take(&k->lock);
    may_apply = k->applying = !k->stop_wanted;
    maintenance_lock_give(&k->lock);
    return may_apply;
}

static void apply_end(struct maintenance *k)
{
    maintenance_lock_take(&k->lock);
    k->applying = false;
    (void)pthread_cond_broadcast(&k->wake);
    maintenance_lock_give(&k->lock);
}

/* Everything that can fail is done before anything is in force. */
static int apply(struct maintenance *k, struct snapshot *after, const struct settings *fresh,
                 struct err *err)
{
    if (!apply_begin(k)) {
        snapshot_drop(after);
        return err_set(err, EX_TEMPFAIL, "tollgated is stopping");
    }
    if (fresh != NULL)
        settings_apply(k, fresh);
    dispatch_snapshot_swap(k->parts.dispatch, after);
    apply_end(k);
    return 0;
}

/* Empty: what is on disk is in force. Returns whether the reason is a new one. */
static bool keep_why(struct maintenance *k, const char *why)
{
    bool is_new;

    maintenance_lock_take(&k->lock);
    is_new = strcmp(k->kept_why, why) != 0;
    (void)snprintf(k->kept_why, sizeof k->kept_why, "%s", why);
    maintenance_lock_give(&k->lock);
    return is_new;
}

/* The snapshot that comes into force next; NULL with *err: the old one stays. */
static struct snapshot *load_next(struct maintenance *k, struct snapshot_settings *shared,
                                  struct source_watch *watch, const struct snapshot *before,
                                  bool is_asked_for, struct err *err)
{
    struct snapshot *after = maintenance_snapshot_load(snapshot_settings_hold(shared), before, err);

    if (after == NULL ||
        (source_watch_still(watch, err) == 0 &&
         hosted_guard_check(&k->guard, before->hosted, after->hosted, is_asked_for, err) == 0))
        return after;
    snapshot_drop(after);
    return NULL;
}

/* The snapshot of the new settings, put in force. The watch is made before the hosted set is
 * loaded, so that no change is missed. */
static int replace(struct maintenance *k, struct snapshot_settings *shared,
                   const struct snapshot *before, struct err *err)
{
    struct source_watch *watch = source_watch_new(shared->settings, k->parts.watch, err);
    struct snapshot *after;

    if (watch == NULL)
        return -1;
    after = load_next(k, shared, watch, before, true, err);
    if (after == NULL || apply(k, after, shared->settings, err) != 0) {
        source_watch_free(watch);
        return -1;
    }
    source_watch_free(k->parts.watch);
    k->parts.watch = watch;
    return 0;
}

static int replace_all(struct maintenance *k, struct settings *fresh, struct err *err)
{
    struct snapshot *before = dispatch_snapshot(k->parts.dispatch);
    int done = keep_fixed(fresh, before->settings, err);
    struct snapshot_settings *shared = snapshot_settings_new(fresh, err);

    if (shared == NULL)
        done = -1;
    if (done == 0)
        done = replace(k, shared, before, err);
    snapshot_settings_drop(shared);
    snapshot_drop(before);
    return done;
}

static bool reload_all(struct maintenance *k)
{
    struct settings *fresh = load_settings(k->parts.file);
    struct err err;

    if (fresh != NULL && replace_all(k, fresh, &err) == 0) {
        k->parts.hosted_is_due = false;
        (void)keep_why(k, "");
        log_event(LOG_NOTICE, "configuration reloaded", LOG_STR("file", k->parts.file));
        return true;
    }
    if (fresh != NULL) {
        (void)keep_why(k, err.text);
        log_event(LOG_ERR, "configuration fault", LOG_ERROR("what", &err));
    }
    log_event(LOG_ERR, "configuration not reloaded; the old one stays in force",
              LOG_STR("file", k->parts.file));
    return false;
}

static void reload_world(struct maintenance *k)
{
    struct snapshot *before = dispatch_snapshot(k->parts.dispatch), *after;
    struct err err;
    uint64_t held_back = 0;
    bool is_new;

    after = load_next(k, before->shared, k->parts.watch, before, false, &err);
    k->hosted_due_ms = clock_monotonic_ms() + (k->guard.complaint.code != 0 ? MINUTE_MS : 0);
    is_new = keep_why(k, after != NULL ? "" : err.text);
    if (after != NULL && apply(k, snapshot_hold(after), NULL, &err) == 0) {
        k->parts.hosted_is_due = false;
        log_event(LOG_INFO, "sources reloaded", LOG_NUM("domains", after->hosted->domains.count),
                  LOG_NUM("forwards", after->hosted->forwards.count),
                  LOG_NUM("logins", after->hosted->logins.count));
    } else if (log_limit_due(&k->parts.dispatch->log_limit, SLICE("hosted"), clock_monotonic_ms(),
                             MINUTE_MS, &held_back) ||
               is_new) {
        log_event(LOG_ERR,
                  before->hosted != NULL ? "sources not reloaded; the old ones stay in force"
                                         : "no hosted domains yet; all mail is deferred",
                  LOG_ERROR("error", &err), LOG_NUM("more_before", held_back));
    }
    snapshot_drop(after);
    snapshot_drop(before);
}

/* Waits, until a stop or (reload not NULL) a reload is requested at the latest. False: stop. */
static bool wait_a_while(struct maintenance *k, int64_t ms, bool *reload)
{
    int64_t at_ms = clock_monotonic_ms() + ms;
    bool stop;

    maintenance_lock_take(&k->lock);
    while (!k->stop_wanted && !(reload != NULL && k->reload_wanted) &&
           maintenance_lock_wait_until(&k->lock, &k->wake, at_ms))
        continue;
    if (reload != NULL) {
        *reload = k->reload_wanted;
        k->reload_wanted = false;
    }
    stop = k->stop_wanted;
    maintenance_lock_give(&k->lock);
    return !stop;
}

/* A source that is being written holds every reload up until it rests. */
static void reload_what_is_due(struct maintenance *k)
{
    enum source_state state = source_watch_look(k->parts.watch);

    if (state == SOURCES_CHANGED) {
        k->parts.hosted_is_due = true;
        k->hosted_due_ms = 0;
    }
    if (state == SOURCES_WRITTEN)
        return;
    if (k->reload_is_due)
        k->reload_is_due = !reload_all(k) && source_watch_look(k->parts.watch) == SOURCES_WRITTEN;
    if (k->parts.hosted_is_due && clock_monotonic_ms() >= k->hosted_due_ms)
        reload_world(k);
}

static void *run_reloads(void *argument)
{
    struct maintenance *k = argument;
    bool reload;

    while (wait_a_while(k, POLL_MS, &reload)) {
        k->reload_is_due = k->reload_is_due || reload;
        reload_what_is_due(k);
    }
    maintenance_lock_take(&k->lock);
    k->reloader_ended = true;
    (void)pthread_cond_broadcast(&k->wake);
    maintenance_lock_give(&k->lock);
    return NULL;
}

/* --- ticks
 * ------------------------------------------------------------------------------------------- */

static int64_t tick_pause_ms(struct maintenance *k)
{
    struct snapshot *snapshot = dispatch_snapshot(k->parts.dispatch);
    int64_t sync_ms = snapshot->settings->ledger.sync == SYNC_TIMED
                          ? snapshot->settings->ledger.sync_ms
                          : TICK_MS;

    snapshot_drop(snapshot);
    return sync_ms < TICK_MS ? sync_ms : TICK_MS;
}

static void *run_ticks(void *argument)
{
    struct maintenance *k = argument;
    int64_t redis_ms = 0, meter_ms = 0;

    do {
        int64_t now_ms = clock_monotonic_ms();

        if (now_ms - meter_ms >= METER_TICK_MS) {
            dispatch_tick(k->parts.dispatch);
            meter_ms = now_ms;
        }
        journal_tick(k->parts.journal, now_ms);
        if (k->parts.redis != NULL && now_ms - redis_ms >= REDIS_TICK_MS) {
            own_server_tick(k->parts.redis);
            redis_ms = now_ms;
        }
    } while (wait_a_while(k, tick_pause_ms(k), NULL));
    return NULL;
}

/* --- start and stop
 * ------------------------------------------------------------------------------------ */

static void request_stop(struct maintenance *k)
{
    maintenance_lock_take(&k->lock);
    k->stop_wanted = true;
    (void)pthread_cond_broadcast(&k->wake);
    maintenance_lock_give(&k->lock);
}

int maintenance_start(struct maintenance *k, const struct maintenance_parts *parts, struct err *err)
{
    memset(k, 0, sizeof *k);
    k->parts = *parts;
    mutex_init(&k->lock);
    mutex_condition_init(&k->wake);
    if (pthread_create(&k->reloader, NULL, run_reloads, k) != 0) {
        source_watch_free(k->parts.watch);
        return err_set(err, EX_OSERR, "cannot start a thread");
    }
    if (pthread_create(&k->ticker, NULL, run_ticks, k) != 0) {
        request_stop(k);
        (void)pthread_join(k->reloader, NULL);
        source_watch_free(k->parts.watch);
        return err_set(err, EX_OSERR, "cannot start a thread");
    }
    k->has_threads = true;
    return 0;
}

void maintenance_reload(struct maintenance *k)
{
    maintenance_lock_take(&k->lock);
    k->reload_wanted = true;
    (void)pthread_cond_broadcast(&k->wake);
    maintenance_lock_give(&k->lock);
}

/* False: a reload is still loading; it will find that nothing may be touched any more. */
static bool wait_for_reloader(struct maintenance *k, int64_t until_ms)
{
    bool ended;

    maintenance_lock_take(&k->lock);
    while (!k->reloader_ended && maintenance_lock_wait_until(&k->lock, &k->wake, until_ms))
        continue;
    while (k->applying)
        maintenance_lock_wait(&k->lock, &k->wake);
    ended = k->reloader_ended;
    maintenance_lock_give(&k->lock);
    return ended;
}

void maintenance_kept_why(struct maintenance *k, struct buf *out)
{
    maintenance_lock_take(&k->lock);
    buf_add_str(out, k->kept_why);
    maintenance_lock_give(&k->lock);
}

void maintenance_stop(struct maintenance *k, int64_t wait_ms)
{
    if (!k->has_threads)
        return;
    request_stop(k);
    (void)pthread_join(k->ticker, NULL);
    if (wait_for_reloader(k, clock_monotonic_ms() + wait_ms)) {
        (void)pthread_join(k->reloader, NULL);
        source_watch_free(k->parts.watch);
    } else {
        (void)pthread_detach(k->reloader);
        log_plain(LOG_WARNING, "a reload was abandoned: a source does not answer");
    }
    k->has_threads = false;
}
