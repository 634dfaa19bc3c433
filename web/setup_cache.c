#include "web/setup_cache.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/mutex.h"

#define AGAIN_MS 10000 /* after a failure */

MUTEX_NAME(setup_lock)

struct setup_cache {
    struct mutex lock;
    struct setup_held *in_force MUTEX_GUARDS(setup_lock); /* NULL: none yet */
    /* The main thread's. */
    struct source_watch *watch;
    const struct site_settings *watched; /* held; NULL: none yet */
    bool is_due;
    int64_t due_ms; /* monotonic */
};

struct setup_cache *setup_cache_new(void)
{
    struct setup_cache *c = calloc(1, sizeof *c);

    if (c != NULL)
        mutex_init(&c->lock);
    return c;
}

/* --- what is in force ------------------------------------------------------------------------ */

static void drop(struct setup_held *held)
{
    if (held == NULL)
        return;
    setup_close(&held->setup);
    site_settings_drop(held->settings);
    free(held);
}

const struct setup_held *setup_cache_take(struct setup_cache *c, struct err *err)
{
    struct setup_held *held;

    setup_lock_take(&c->lock);
    held = c->in_force;
    if (held != NULL)
        held->holders++;
    setup_lock_give(&c->lock);
    if (held == NULL)
        (void)err_set(err, EX_CONFIG, "the hosted domains could not be read so far");
    return held;
}

void setup_cache_give(struct setup_cache *c, const struct setup_held *held)
{
    struct setup_held *mine = (struct setup_held *)(uintptr_t)held;
    bool last;

    setup_lock_take(&c->lock);
    last = --mine->holders == 0;
    setup_lock_give(&c->lock);
    if (last)
        drop(mine);
}

static void put_in_force(struct setup_cache *c, struct setup_held *fresh)
{
    struct setup_held *old;

    fresh->holders = 1;
    setup_lock_take(&c->lock);
    old = c->in_force;
    c->in_force = fresh;
    setup_lock_give(&c->lock);
    if (old != NULL)
        setup_cache_give(c, old);
}

/* At the end no other thread has it. */
void setup_cache_free(struct setup_cache *c) TG_NO_THREAD_SAFETY
{
    if (c == NULL)
        return;
    drop(c->in_force);
    source_watch_free(c->watch);
    if (c->watched != NULL)
        site_settings_drop(c->watched);
    mutex_fini(&c->lock);
    free(c);
}

/* --- loading --------------------------------------------------------------------------------- */

/* Watches the sources of the settings in force. */
static int watch(struct setup_cache *c, const struct site_settings *now, struct err *err)
{
    struct source_watch *fresh;

    if (now == c->watched)
        return 0;
    fresh = source_watch_new(now->settings, NULL, err);
    if (fresh == NULL)
        return -1;
    source_watch_free(c->watch);
    if (c->watched != NULL)
        site_settings_drop(c->watched);
    c->watch = fresh;
    c->watched = site_settings_hold(now);
    c->is_due = true;
    return 0;
}

static struct setup_held *load(struct setup_cache *c, struct err *err)
{
    struct setup_held *held = calloc(1, sizeof *held);

    if (held == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    held->settings = site_settings_hold(c->watched);
    if (setup_open(&held->setup, held->settings->settings, err) == 0 &&
        source_watch_still(c->watch, err) == 0)
        return held;
    drop(held);
    return NULL;
}

static int refresh(struct setup_cache *c, const struct site_settings *now, struct err *err)
{
    struct setup_held *fresh;

    if (watch(c, now, err) != 0)
        return -1;
    if (source_watch_look(c->watch) == SOURCES_CHANGED)
        c->is_due = true;
    if (!c->is_due)
        return 0;
    fresh = load(c, err);
    if (fresh == NULL)
        return -1;
    c->is_due = false;
    put_in_force(c, fresh);
    return 0;
}

void setup_cache_refresh(struct setup_cache *c, const struct site_settings *in_force)
{
    struct err err = {0};

    if (clock_monotonic_ms() < c->due_ms || refresh(c, in_force, &err) == 0)
        return;
    c->due_ms = clock_monotonic_ms() + AGAIN_MS;
    if (err.code != EX_TEMPFAIL) /* a file that is just being written */
        log_event(LOG_WARNING, "limits cannot be shown as they are: a source cannot be read",
                  LOG_ERROR("error", &err));
}
