#include "web/figures_cache.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/core/buf.h"
#include "lib/sys/mutex.h"

#define NAME_BYTES 4096

MUTEX_NAME(figures_lock)

enum cached_state { CACHED_READING, CACHED_READ, CACHED_FAILED };

struct figures_cached {
    struct figures_entry entry;  /* of the thread that reads it; then nobody changes it */
    struct figures_cached *next; /* the newest first */
    struct buf name;
    enum cached_state state;
    struct err err; /* CACHED_FAILED */
    unsigned holders;
    bool is_listed;
};

struct figures_cache {
    struct mutex lock; /* of the list, and of all of an entry but what was read */
    pthread_cond_t read;
    struct figures_cached *first MUTEX_GUARDS(figures_lock);
};

/* --- entries --------------------------------------------------------------------------------- */

static void cached_free(struct figures_cached *e)
{
    report_grid_fini(&e->entry.grid);
    arena_fini(&e->entry.arena);
    buf_fini(&e->name);
    free(e);
}

static struct figures_cached *cached_new(struct slice name, size_t arena_bytes, int64_t now_ms)
{
    struct figures_cached *e = calloc(1, sizeof *e);

    if (e == NULL)
        return NULL;
    e->entry.at_ms = now_ms;
    arena_init(&e->entry.arena, arena_bytes);
    buf_init(&e->name, NAME_BYTES);
    buf_add(&e->name, name);
    if (!e->name.failed)
        return e;
    cached_free(e);
    return NULL;
}

static size_t bytes_of(const struct figures_cached *e)
{
    return e->entry.arena.used_bytes + e->entry.grid.arena.used_bytes;
}

/* With the last holder it goes. */
static void release(struct figures_cached *e) TG_REQUIRES(figures_lock)
{
    if (--e->holders == 0)
        cached_free(e);
}

/* --- the list -------------------------------------------------------------------------------- */

static void unlist(struct figures_cache *c, struct figures_cached *e) TG_REQUIRES(figures_lock)
{
    struct figures_cached **at = &c->first;

    if (!e->is_listed)
        return;
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    e->is_listed = false;
    release(e);
}

static void list(struct figures_cache *c, struct figures_cached *e) TG_REQUIRES(figures_lock)
{
    e->next = c->first;
    c->first = e;
    e->is_listed = true;
    e->holders++;
}

/* Forgets what is too old, and of what was read the oldest, until the rest is small enough. */
static void tidy(struct figures_cache *c, int64_t now_ms) TG_REQUIRES(figures_lock)
{
    size_t bytes = 0;
    struct figures_cached *next;

    for (struct figures_cached *e = c->first; e != NULL; e = next) {
        next = e->next;
        if (e->state == CACHED_READING)
            continue;
        bytes += bytes_of(e);
        if (now_ms - e->entry.at_ms >= FIGURES_CACHE_MS || bytes > FIGURES_CACHE_BYTES)
            unlist(c, e);
    }
}

static struct figures_cached *find(struct figures_cache *c, struct slice name)
    TG_REQUIRES(figures_lock)
{
    struct figures_cached *e = c->first;

    while (e != NULL && !slice_equal(buf_slice(&e->name), name))
        e = e->next;
    return e;
}

/* --- asking ---------------------------------------------------------------------------------- */

/* What another one reads, or has read. */
static struct figures_cached *join(struct figures_cache *c, struct figures_cached *e,
                                   struct err *err) TG_REQUIRES(figures_lock)
{
    e->holders++;
    while (e->state == CACHED_READING)
        figures_lock_wait(&c->lock, &c->read);
    if (e->state == CACHED_READ)
        return e;
    *err = e->err;
    release(e);
    return NULL;
}

/* By the thread that has put it into the list, and holds it. */
static struct figures_cached *settle(struct figures_cache *c, struct figures_cached *e, int result,
                                     int64_t now_ms, struct err *err) TG_REQUIRES(figures_lock)
{
    e->state = result == 0 ? CACHED_READ : CACHED_FAILED;
    if (result != 0)
        e->err = *err;
    (void)pthread_cond_broadcast(&c->read);
    if (result != 0 || e->entry.cost < FIGURES_CACHE_COST)
        unlist(c, e);
    tidy(c, now_ms);
    if (result == 0)
        return e;
    release(e);
    return NULL;
}

const struct figures_entry *figures_cache_take(struct figures_cache *c, struct slice name,
                                               size_t arena_bytes, int64_t now_ms,
                                               figures_fill *fill, void *context, struct err *err)
{
    struct figures_cached *e;
    int result;

    figures_lock_take(&c->lock);
    tidy(c, now_ms);
    e = find(c, name);
    if (e != NULL) {
        e = join(c, e, err);
    } else if ((e = cached_new(name, arena_bytes, now_ms)) == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
    } else {
        e->holders = 1;
        list(c, e);
        figures_lock_give(&c->lock);
        result = fill(context, &e->entry, err);
        figures_lock_take(&c->lock);
        e = settle(c, e, result, now_ms, err);
    }
    figures_lock_give(&c->lock);
    return e != NULL ? &e->entry : NULL;
}

void figures_cache_give(struct figures_cache *c, const struct figures_entry *entry)
{
    struct figures_cached *e = (struct figures_cached *)(uintptr_t)entry; /* its first member */

    figures_lock_take(&c->lock);
    release(e);
    figures_lock_give(&c->lock);
}

/* --- the whole ------------------------------------------------------------------------------- */

/* No other thread has it yet. */
struct figures_cache *figures_cache_new(void)
{
    struct figures_cache *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    mutex_init(&c->lock);
    mutex_condition_init(&c->read);
    return c;
}

void figures_cache_free(struct figures_cache *c)
{
    if (c == NULL)
        return;
    figures_lock_take(&c->lock);
    while (c->first != NULL)
        unlist(c, c->first);
    figures_lock_give(&c->lock);
    (void)pthread_cond_destroy(&c->read);
    mutex_fini(&c->lock);
    free(c);
}
