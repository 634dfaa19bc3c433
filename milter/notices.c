#include "milter/notices.h"

#include <string.h>

/* How many places a key may take: its own and those behind it. */
enum { PLACES = 16 };

void notices_init(struct notices *n)
{
    memset(n->list, 0, sizeof n->list);
    (void)pthread_mutex_init(&n->lock, NULL);
}

void notices_fini(struct notices *n)
{
    (void)pthread_mutex_destroy(&n->lock);
}

/* FNV-1a; never 0, which marks a free place. */
static uint64_t hash_of(struct slice key)
{
    uint64_t h = 14695981039346656037ULL;

    for (size_t i = 0; i < key.len; i++)
        h = (h ^ (uint8_t)key.ptr[i]) * 1099511628211ULL;
    return h != 0 ? h : 1;
}

/* The key's place, else a free or overdue one, else NULL. */
static struct notice *place(struct notices *n, uint64_t hash, int64_t now_ms)
{
    struct notice *usable = NULL;

    for (uint64_t i = 0; i < PLACES; i++) {
        struct notice *at = &n->list[(hash + i) % NOTICES_MAX];

        if (at->hash == hash)
            return at;
        if (usable == NULL && (at->hash == 0 || at->until_ms <= now_ms))
            usable = at;
    }
    return usable;
}

bool notices_due(struct notices *n, struct slice key, int64_t now_ms, int64_t every_ms,
                 uint64_t *held_back)
{
    uint64_t hash = hash_of(key);
    struct notice *at;
    bool due;

    (void)pthread_mutex_lock(&n->lock);
    at = place(n, hash, now_ms);
    due = at != NULL && (at->hash != hash || at->until_ms <= now_ms);
    if (due) {
        if (held_back != NULL)
            *held_back = at->hash == hash ? at->held_back : 0;
        *at = (struct notice){.hash = hash, .until_ms = now_ms + every_ms};
    } else if (at != NULL) {
        at->held_back++;
    }
    (void)pthread_mutex_unlock(&n->lock);
    return due;
}
