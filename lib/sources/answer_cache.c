#include "lib/sources/answer_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/err.h"
#include "lib/sys/mutex.h"

#define HALF_COUNT      50000
#define HALF_BYTES      ((size_t)32 << 20)
#define VALUE_MAX_BYTES ((size_t)64 << 10)
#define KEY_ROOM        (ADDRESS_TEXT_ROOM + 1)

struct answer_cache_entry {
    struct slice value;
    int64_t fresh_until_ms;
    bool found;
};

struct half {
    struct strmap map; /* kind letter and key -> struct answer_cache_entry * */
    struct arena arena;
};

MUTEX_NAME(answer_cache_lock)

struct answer_cache {
    struct mutex lock;
    struct half young MUTEX_GUARDS(answer_cache_lock), old MUTEX_GUARDS(answer_cache_lock);
    size_t references MUTEX_GUARDS(answer_cache_lock);
};

static void half_init(struct half *h)
{
    strmap_init(&h->map);
    arena_init(&h->arena, HALF_BYTES);
}

static void half_fini(struct half *h)
{
    strmap_fini(&h->map);
    arena_fini(&h->arena);
}

/* No other thread has it yet. */
struct answer_cache *answer_cache_new(void) TG_NO_THREAD_SAFETY
{
    struct answer_cache *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    mutex_init(&c->lock);
    half_init(&c->young);
    half_init(&c->old);
    c->references = 1;
    return c;
}

struct answer_cache *answer_cache_share(struct answer_cache *c)
{
    answer_cache_lock_take(&c->lock);
    c->references++;
    answer_cache_lock_give(&c->lock);
    return c;
}

/* Whoever drops the last reference is alone with it. */
void answer_cache_free(struct answer_cache *c) TG_NO_THREAD_SAFETY
{
    bool last;

    if (c == NULL)
        return;
    answer_cache_lock_take(&c->lock);
    last = --c->references == 0;
    answer_cache_lock_give(&c->lock);
    if (!last)
        return;
    half_fini(&c->young);
    half_fini(&c->old);
    mutex_fini(&c->lock);
    free(c);
}

/* Empty for a key that is too long to be kept. */
static struct slice make_key(enum question_kind kind, struct slice key, char room[KEY_ROOM])
{
    if (key.len + 1 > KEY_ROOM)
        return SLICE_NONE;
    room[0] = QUESTION_LETTERS[kind];
    if (key.len > 0)
        memcpy(room + 1, key.ptr, key.len);
    return (struct slice){room, key.len + 1};
}

static const struct answer_cache_entry *find(const struct answer_cache *c, struct slice key)
    TG_REQUIRES(answer_cache_lock)
{
    void **entry = strmap_find(&c->young.map, key);

    if (entry == NULL)
        entry = strmap_find(&c->old.map, key);
    return entry != NULL ? *entry : NULL;
}

static bool add(struct half *h, struct slice key, const struct answer_cache_entry *from)
{
    struct answer_cache_entry *e = arena_alloc(&h->arena, sizeof *e);
    void **place = strmap_find(&h->map, key);

    if (e == NULL)
        return false;
    *e = *from;
    e->value = arena_copy(&h->arena, from->value);
    if (e->value.ptr == NULL)
        return false;
    if (place == NULL) {
        struct slice kept = arena_copy(&h->arena, key);

        place = kept.ptr != NULL ? strmap_add(&h->map, kept, NULL) : NULL;
    }
    if (place != NULL)
        *place = e;
    return place != NULL;
}

/* Into the young half, which makes room by becoming the old one. */
static void put(struct answer_cache *c, struct slice key, const struct answer_cache_entry *from)
    TG_REQUIRES(answer_cache_lock)
{
    if (c->young.map.count < HALF_COUNT && add(&c->young, key, from))
        return;
    half_fini(&c->old);
    c->old = c->young;
    half_init(&c->young);
    (void)add(&c->young, key, from);
}

void answer_cache_put(struct answer_cache *c, enum question_kind kind, struct slice key, bool found,
                      struct slice value, int64_t fresh_until_ms)
{
    struct answer_cache_entry e = {found ? value : SLICE_NONE, fresh_until_ms, found};
    char room[KEY_ROOM];
    struct slice whole = make_key(kind, key, room);

    if (whole.len == 0 || e.value.len > VALUE_MAX_BYTES)
        return;
    answer_cache_lock_take(&c->lock);
    put(c, whole, &e);
    answer_cache_lock_give(&c->lock);
}

enum cached answer_cache_get(struct answer_cache *c, enum question_kind kind, struct slice key,
                             int64_t now_ms, bool *found, struct buf *value)
{
    char room[KEY_ROOM];
    struct slice whole = make_key(kind, key, room);
    enum cached result = CACHED_NOT;
    const struct answer_cache_entry *e;

    if (whole.len == 0)
        return CACHED_NOT;
    answer_cache_lock_take(&c->lock);
    e = find(c, whole);
    if (e != NULL) {
        result = now_ms < e->fresh_until_ms ? CACHED_FRESH : CACHED_STALE;
        *found = e->found;
        buf_add(value, e->value);
    }
    answer_cache_lock_give(&c->lock);
    return result;
}
