#include "lib/throttle/account_limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/mutex.h"
#include "lib/throttle/account_overrides.h"

#define MEMORY_MAX_BYTES ((size_t)64 << 20)
#define ENTRY_MAX_BYTES  ((size_t)256 << 10)
#define READ_TIMEOUT_MS  250

/* What was set at run time for one holder. */
struct account_limits_said {
    struct arena arena;
    struct account_overrides overrides;
};

/* The store's last answer about one holder. */
struct account_limits_entry {
    int64_t read_ms;                  /* monotonic; 0: none yet */
    struct account_limits_said *said; /* NULL: nothing, as for most holders */
};

struct generation {
    struct arena memory;   /* of keys and entries */
    struct strmap entries; /* holder -> struct account_limits_entry * */
};

MUTEX_NAME(account_limits_lock)

struct account_limits {
    struct mutex lock;
    size_t most; /* holders, in both generations */
    struct generation young MUTEX_GUARDS(account_limits_lock), old
        MUTEX_GUARDS(account_limits_lock);
    struct generation dropped MUTEX_GUARDS(account_limits_lock); /* to be freed without the lock */
    char *prefix;                                                /* store.prefix */
};

static void generation_init(struct generation *g)
{
    arena_init(&g->memory, MEMORY_MAX_BYTES);
    strmap_init(&g->entries);
}

static void said_free(struct account_limits_said *said)
{
    if (said == NULL)
        return;
    arena_fini(&said->arena);
    free(said);
}

static void generation_fini(struct generation *g)
{
    size_t at = 0;
    struct slice key;
    void *value;

    while (strmap_next(&g->entries, &at, &key, &value))
        said_free(((struct account_limits_entry *)value)->said);
    strmap_fini(&g->entries);
    arena_fini(&g->memory);
}

struct account_limits *account_limits_new(const char *prefix, size_t most,
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
    a->most = most;
    mutex_init(&a->lock);
    generation_init(&a->young);
    generation_init(&a->old);
    generation_init(&a->dropped);
    return a;
}

void account_limits_free(struct account_limits *a) TG_NO_THREAD_SAFETY /* the last holder */
{
    if (a == NULL)
        return;
    generation_fini(&a->young);
    generation_fini(&a->old);
    generation_fini(&a->dropped);
    mutex_fini(&a->lock);
    free(a->prefix);
    free(a);
}

static struct account_limits_said *said_new(void)
{
    struct account_limits_said *s = calloc(1, sizeof *s);

    if (s != NULL)
        arena_init(&s->arena, ENTRY_MAX_BYTES);
    return s;
}

/* What is worth keeping of it: most holders have nothing. */
static struct account_limits_said *said_or_nothing(struct account_limits_said *s)
{
    if (s->overrides.plan.len > 0 || s->overrides.count > 0)
        return s;
    said_free(s);
    return NULL;
}

/* 0: *said is what the store has for the holder; NULL: nothing. */
static int said_read(struct account_limits *a, struct pool *pool, struct slice holder,
                     struct account_limits_said **said)
{
    struct account_limits_said *s = said_new();
    struct err err = {0};
    struct store *st = pool_take(pool, &err);
    int result = -1;

    *said = NULL;
    if (st != NULL && s != NULL)
        result = account_overrides_read(st, a->prefix, holder, READ_TIMEOUT_MS, &s->arena,
                                        &s->overrides, NULL, &err);
    if (st != NULL)
        pool_give(pool, st, result == 0 || err.code == EX_DATAERR);
    if (result == 0)
        *said = said_or_nothing(s);
    else
        said_free(s);
    return result;
}

static struct account_limits_entry *entry_in(const struct generation *g, struct slice holder)
{
    void **place = strmap_find(&g->entries, holder);

    return place == NULL ? NULL : *place;
}

/* What was set for a holder stays, so that it is in force also while the store is away. */
static void said_keep(struct account_limits *a) TG_REQUIRES(account_limits_lock)
{
    struct slice key;
    size_t at = 0;
    void *value;

    while (a->young.entries.count < a->most / 4 &&
           strmap_next(&a->dropped.entries, &at, &key, &value)) {
        struct account_limits_entry *before = value, *e;
        void **place;

        if (before->said == NULL)
            continue;
        e = arena_alloc(&a->young.memory, sizeof *e);
        key = arena_copy(&a->young.memory, key);
        place = e == NULL || key.ptr == NULL ? NULL : strmap_add(&a->young.entries, key, NULL);
        if (place == NULL)
            return;
        *e = *before;
        before->said = NULL;
        *place = e;
    }
}

/* When the young are half of all, they become the old, and what was old is dropped: holders that
 * were not asked about since, and for which nothing was set. */
static void generations_turn(struct account_limits *a) TG_REQUIRES(account_limits_lock)
{
    if (a->young.entries.count < a->most / 2)
        return;
    generation_fini(&a->dropped); /* mostly empty: whoever turned before has freed it */
    a->dropped = a->old;
    a->old = a->young;
    generation_init(&a->young);
    said_keep(a);
}

/* The holder's entry among the young; NULL when memory is out. */
static struct account_limits_entry *entry_of(struct account_limits *a, struct slice holder)
    TG_REQUIRES(account_limits_lock)
{
    struct account_limits_entry *e = entry_in(&a->young, holder), *before;
    void **place;

    if (e != NULL)
        return e;
    generations_turn(a);
    before = entry_in(&a->old, holder);
    e = arena_alloc(&a->young.memory, sizeof *e);
    holder = arena_copy(&a->young.memory, holder);
    place = e == NULL || holder.ptr == NULL ? NULL : strmap_add(&a->young.entries, holder, NULL);
    if (place == NULL)
        return NULL;
    *e = (struct account_limits_entry){.read_ms = 0};
    if (before != NULL) {
        *e = *before;
        before->said = NULL;
    }
    *place = e;
    return e;
}

/* Reads what is missing or too old; the lock is released meanwhile. Where that fails the old answer
 * stays and is read again after its next age. */
static void entry_refresh(struct account_limits *a, struct pool *pool, struct slice holder,
                          int64_t now_ms) TG_REQUIRES(account_limits_lock)
{
    struct account_limits_entry *e = entry_of(a, holder);
    struct account_limits_said *said;
    int result;

    if (e != NULL && e->read_ms != 0 && now_ms - e->read_ms < ACCOUNT_LIMITS_AGE_MS)
        return;
    if (e != NULL && e->read_ms != 0)
        e->read_ms = now_ms; /* one thread is enough */
    account_limits_lock_give(&a->lock);
    result = said_read(a, pool, holder, &said);
    account_limits_lock_take(&a->lock);
    e = result == 0 ? entry_of(a, holder) : NULL;
    if (e == NULL) {
        said_free(said);
        return;
    }
    said_free(e->said);
    *e = (struct account_limits_entry){now_ms, said};
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
    const struct account_overrides none = {.count = 0};
    const struct account_overrides *said =
        e == NULL || e->said == NULL ? &none : &e->said->overrides;
    const struct plan *plan = limit_rules_plan_of(rules, said->plan, assigned);
    struct limit *limits;

    if (limits_merge(plan, said->overrides, said->count, now_s, arena, &limits, &out->count) != 0)
        return -1;
    out->limits = limits;
    return limits_own(limits, out->count, arena);
}

/* Gives the lock back, and frees without it what nobody needs. */
static void lock_end(struct account_limits *a)
    TG_THREAD_SAFETY(release_capability(account_limits_lock))
{
    struct generation dropped = a->dropped;

    generation_init(&a->dropped);
    account_limits_lock_give(&a->lock);
    generation_fini(&dropped);
}

static int too_many(struct err *err)
{
    return err_set(err, EX_TEMPFAIL, "too many limits for one message");
}

int account_limits_get(struct account_limits *a, struct pool *pool, const struct limit_rules *rules,
                       struct slice holder, struct slice assigned, int64_t now_ms, int64_t now_s,
                       struct arena *arena, struct limit_list *out, struct err *err)
{
    int result;

    account_limits_lock_take(&a->lock);
    entry_refresh(a, pool, holder, now_ms);
    result = limits_of(entry_in(&a->young, holder), rules, assigned, now_s, arena, out);
    lock_end(a);
    return result == 0 ? 0 : too_many(err);
}

int account_limits_known(struct account_limits *a, const struct limit_rules *rules,
                         struct slice holder, struct slice assigned, int64_t now_ms, int64_t now_s,
                         struct arena *arena, struct limit_list *out, bool *is_fresh,
                         struct err *err)
{
    const struct account_limits_entry *e;
    int result;

    account_limits_lock_take(&a->lock);
    e = entry_of(a, holder);
    *is_fresh = e != NULL && e->read_ms != 0 && now_ms - e->read_ms < ACCOUNT_LIMITS_AGE_MS;
    result = limits_of(e, rules, assigned, now_s, arena, out);
    lock_end(a);
    return result == 0 ? 0 : too_many(err);
}

const char *account_limits_prefix(const struct account_limits *a)
{
    return a->prefix;
}

void account_limits_learn(struct account_limits *a, struct slice holder, redisReply *const *replies,
                          int64_t now_ms)
{
    struct account_limits_said *said = replies == NULL ? NULL : said_new();
    struct account_limits_entry *e;

    if (said != NULL && account_overrides_answer(replies, a->prefix, holder, &said->arena,
                                                 &said->overrides, NULL, NULL) != 0) {
        said_free(said);
        said = NULL;
    }
    account_limits_lock_take(&a->lock);
    e = entry_of(a, holder);
    if (e != NULL && said != NULL) {
        said_free(e->said);
        *e = (struct account_limits_entry){now_ms, said_or_nothing(said)};
    } else {
        said_free(said);
        if (e != NULL && e->read_ms != 0)
            e->read_ms = now_ms;
    }
    lock_end(a);
}
