#include "lib/throttle/account_limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/mutex.h"
#include "lib/throttle/account_overrides.h"

#define NAMES_MAX_BYTES ((size_t)32 << 20)
#define ENTRY_MAX_BYTES ((size_t)256 << 10)
#define READ_TIMEOUT_MS 250

/* The store's last answer about one holder. */
struct account_limits_entry {
    struct arena arena;
    struct account_overrides said;
    int64_t read_ms; /* monotonic */
};

struct account_limits {
    struct mutex lock;
    struct arena names TG_GUARDED_BY(lock); /* keys of the table: they outlive an entry */
    /* holder -> struct account_limits_entry *, which the lock guards, too */
    struct strmap entries TG_GUARDED_BY(lock);
    char *prefix; /* store.prefix */
};

struct account_limits *account_limits_new(const char *prefix,
                                          struct err *err) TG_NO_THREAD_SAFETY /* not shared yet */
{
    struct account_limits *a = calloc(1, sizeof *a);

    if (a != NULL)
        a->prefix = strdup(prefix);
    if (a == NULL || a->prefix == NULL) {
        free(a);
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    mutex_init(&a->lock);
    arena_init(&a->names, NAMES_MAX_BYTES);
    strmap_init(&a->entries);
    return a;
}

static void entry_free(struct account_limits_entry *e)
{
    if (e == NULL)
        return;
    arena_fini(&e->arena);
    free(e);
}

static void entries_drop(struct account_limits *a) TG_REQUIRES(a->lock)
{
    size_t at = 0;
    struct slice key;
    void *value;

    while (strmap_next(&a->entries, &at, &key, &value))
        entry_free(value);
    strmap_fini(&a->entries);
    arena_reset(&a->names);
}

void account_limits_free(struct account_limits *a) TG_NO_THREAD_SAFETY /* the last holder */
{
    if (a == NULL)
        return;
    entries_drop(a);
    arena_fini(&a->names);
    mutex_fini(&a->lock);
    free(a->prefix);
    free(a);
}

static struct account_limits_entry *entry_read(struct account_limits *a, struct pool *pool,
                                               struct slice holder, int64_t now_ms)
{
    struct account_limits_entry *e = calloc(1, sizeof *e);
    struct err err = {0};
    struct store *st;
    int result;

    if (e == NULL)
        return NULL;
    arena_init(&e->arena, ENTRY_MAX_BYTES);
    e->read_ms = now_ms;
    st = pool_take(pool, &err);
    if (st == NULL) {
        entry_free(e);
        return NULL;
    }
    result = account_overrides_read(st, a->prefix, holder, READ_TIMEOUT_MS, &e->arena, &e->said,
                                    NULL, &err);
    pool_give(pool, st, result == 0 || err.code == EX_DATAERR);
    if (result == 0)
        return e;
    entry_free(e);
    return NULL;
}

/* The holder's place in the table; NULL when memory is out. */
static void **entry_place(struct account_limits *a, struct slice holder) TG_REQUIRES(a->lock)
{
    void **place = strmap_find(&a->entries, holder);

    if (place != NULL)
        return place;
    if (a->entries.count >= ACCOUNT_LIMITS_MAX)
        entries_drop(a);
    holder = arena_copy(&a->names, holder);
    return holder.ptr == NULL ? NULL : strmap_add(&a->entries, holder, NULL);
}

static struct account_limits_entry *entry_now(const struct account_limits *a, struct slice holder)
    TG_REQUIRES(a->lock)
{
    void **place = strmap_find(&a->entries, holder);

    return place == NULL ? NULL : *place;
}

/* Reads what is missing or too old; the lock is released meanwhile. Where that fails the old entry
 * stays and is read again after its next age. */
static void entry_refresh(struct account_limits *a, struct pool *pool, struct slice holder,
                          int64_t now_ms) TG_REQUIRES(a->lock)
{
    struct account_limits_entry *e = entry_now(a, holder), *fresh;
    void **place;

    if (e != NULL && now_ms - e->read_ms < ACCOUNT_LIMITS_AGE_MS)
        return;
    if (e != NULL)
        e->read_ms = now_ms; /* one thread is enough */
    mutex_unlock(&a->lock);
    fresh = entry_read(a, pool, holder, now_ms);
    mutex_lock(&a->lock);
    if (fresh == NULL)
        return;
    place = entry_place(a, holder);
    if (place == NULL) {
        entry_free(fresh);
        return;
    }
    entry_free(*place);
    *place = fresh;
}

/* A limit that no longer borrows from the entry. */
static int limits_own(struct limit *limits, size_t count, struct arena *arena)
{
    for (size_t i = 0; i < count; i++) {
        limits[i].per = arena_copy(arena, limits[i].per);
        limits[i].subject = arena_copy(arena, limits[i].subject);
        limits[i].reason = limits[i].author = SLICE_NONE;
        if (limits[i].per.ptr == NULL || limits[i].subject.ptr == NULL)
            return -1;
    }
    return 0;
}

static int limits_of(const struct account_limits_entry *e, const struct limit_rules *rules,
                     struct slice assigned, int64_t now_s, struct arena *arena,
                     struct limit_list *out)
{
    const struct plan *plan =
        limit_rules_plan_of(rules, e == NULL ? SLICE_NONE : e->said.plan, assigned);
    struct limit *limits;

    if (limits_merge(plan, e == NULL ? NULL : e->said.overrides, e == NULL ? 0 : e->said.count,
                     now_s, arena, &limits, &out->count) != 0)
        return -1;
    out->limits = limits;
    return limits_own(limits, out->count, arena);
}

int account_limits_get(struct account_limits *a, struct pool *pool, const struct limit_rules *rules,
                       struct slice holder, struct slice assigned, int64_t now_ms, int64_t now_s,
                       struct arena *arena, struct limit_list *out, struct err *err)
{
    int result;

    mutex_lock(&a->lock);
    entry_refresh(a, pool, holder, now_ms);
    result = limits_of(entry_now(a, holder), rules, assigned, now_s, arena, out);
    mutex_unlock(&a->lock);
    return result == 0 ? 0 : err_set(err, EX_TEMPFAIL, "too many limits for one message");
}
