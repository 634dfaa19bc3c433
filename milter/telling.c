#include "milter/telling.h"

#include <sysexits.h>

#include "lib/admin/threshold.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define COMPLAIN_MS INT64_C(60000)

static bool is_to_stop(void *context)
{
    struct telling *t = context;
    bool stop;

    telling_lock_take(&t->lock);
    stop = t->stop_wanted;
    telling_lock_give(&t->lock);
    return stop;
}

static int look(struct telling *t, const struct snapshot *snapshot, struct err *err)
{
    struct setup setup = {.settings = snapshot->settings,
                          .hosted = snapshot->hosted,
                          .resolver = snapshot->resolver,
                          .rules = snapshot->shared->rules,
                          .store = store_new(snapshot->settings, err)};
    struct reader reader = {.store = setup.store, .prefix = snapshot->settings->store.prefix};
    int result = -1;

    if (setup.store != NULL)
        result = threshold_look(&setup, &reader, clock_unix_ms() / 1000, is_to_stop, t, err);
    store_free(setup.store);
    return result;
}

static void complain(struct telling *t, const struct err *err)
{
    int64_t now_ms = clock_monotonic_ms();

    if (t->complained_ms != 0 && now_ms - t->complained_ms < COMPLAIN_MS)
        return;
    t->complained_ms = now_ms;
    log_event(LOG_WARNING, "admins are not told of thresholds", LOG_ERROR("why", err));
}

static bool is_wanted(const struct snapshot *snapshot)
{
    return snapshot->settings->throttle.notify[0] != '\0' && snapshot->hosted != NULL &&
           snapshot->hosted->admins.count > 0;
}

/* The time until the next look. */
static int64_t look_if_wanted(struct telling *t)
{
    struct snapshot *snapshot = dispatch_snapshot(t->dispatch);
    int64_t every_ms = snapshot->settings->throttle.notify_every_ms;
    struct err err = {0};

    if (is_wanted(snapshot) && look(t, snapshot, &err) != 0)
        complain(t, &err);
    snapshot_drop(snapshot);
    return every_ms;
}

static void *telling_run(void *argument)
{
    struct telling *t = argument;
    int64_t next_ms;

    while (!is_to_stop(t)) {
        next_ms = look_if_wanted(t) + clock_monotonic_ms();
        telling_lock_take(&t->lock);
        while (!t->stop_wanted && telling_lock_wait_until(&t->lock, &t->wake, next_ms))
            continue;
        telling_lock_give(&t->lock);
    }
    telling_lock_take(&t->lock);
    t->ended = true;
    (void)pthread_cond_broadcast(&t->wake);
    telling_lock_give(&t->lock);
    return NULL;
}

int telling_start(struct telling *t, struct dispatch *dispatch, struct err *err)
{
    t->dispatch = dispatch;
    mutex_init(&t->lock);
    mutex_condition_init(&t->wake);
    if (pthread_create(&t->thread, NULL, telling_run, t) != 0)
        return err_set(err, EX_OSERR, "cannot start a thread");
    t->has_thread = true;
    return 0;
}

void telling_stop(struct telling *t, int64_t wait_ms)
{
    int64_t until_ms = clock_monotonic_ms() + wait_ms;
    bool ended;

    if (!t->has_thread)
        return;
    telling_lock_take(&t->lock);
    t->stop_wanted = true;
    (void)pthread_cond_broadcast(&t->wake);
    while (!t->ended && telling_lock_wait_until(&t->lock, &t->wake, until_ms))
        continue;
    ended = t->ended;
    telling_lock_give(&t->lock);
    (void)(ended ? pthread_join(t->thread, NULL) : pthread_detach(t->thread));
    t->has_thread = false;
}
