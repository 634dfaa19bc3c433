#include "lib/core/strmap.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/err.h"

void strmap_init(struct strmap *m)
{
    *m = (struct strmap){0};
}

void strmap_fini(struct strmap *m)
{
    free(m->slots);
    *m = (struct strmap){0};
}

/* Eight bytes a step, each multiplied and folded: quick, and good enough in the low bits. */
static uint32_t hash_of(struct slice key)
{
    uint64_t h = key.len * UINT64_C(0x9e3779b97f4a7c15), part;
    size_t at = 0;

    for (; at + 8 <= key.len; at += 8) {
        memcpy(&part, key.ptr + at, 8);
        h = (h ^ part) * UINT64_C(0xbf58476d1ce4e5b9);
        h ^= h >> 32;
    }
    part = 0;
    if (at < key.len)
        memcpy(&part, key.ptr + at, key.len - at);
    h = (h ^ part) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(h ^ (h >> 29) ^ (h >> 41));
}

static struct strmap_slot *slot_of(const struct strmap *m, struct slice key, uint32_t hash)
{
    size_t at = hash & (m->room - 1);

    for (;; at = (at + 1) & (m->room - 1)) {
        struct strmap_slot *slot = &m->slots[at];

        if (slot->key == NULL)
            return slot;
        if (slot->hash == hash && slot->len == key.len && memcmp(slot->key, key.ptr, key.len) == 0)
            return slot;
    }
}

static bool grow(struct strmap *m)
{
    struct strmap bigger = {.room = m->room == 0 ? 16 : m->room * 2, .count = m->count};

    bigger.slots = calloc(bigger.room, sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return false;
    for (size_t i = 0; i < m->room; i++) {
        struct strmap_slot *old = &m->slots[i];

        if (old->key != NULL)
            *slot_of(&bigger, (struct slice){old->key, old->len}, old->hash) = *old;
    }
    free(m->slots);
    *m = bigger;
    return true;
}

void **strmap_find(const struct strmap *m, struct slice key)
{
    struct strmap_slot *slot;

    if (m->count == 0)
        return NULL;
    slot = slot_of(m, key, hash_of(key));
    return slot->key == NULL ? NULL : &slot->value;
}

void **strmap_add(struct strmap *m, struct slice key, bool *added)
{
    uint32_t hash = hash_of(key);
    struct strmap_slot *slot;

    TG_ASSERT(key.len <= UINT32_MAX);
    if (m->count >= m->room / 4 * 3 && !grow(m))
        return NULL;
    slot = slot_of(m, key, hash);
    if (added != NULL)
        *added = slot->key == NULL;
    if (slot->key == NULL) {
        *slot = (struct strmap_slot){
            .key = key.ptr != NULL ? key.ptr : "", .len = (uint32_t)key.len, .hash = hash};
        m->count++;
    }
    return &slot->value;
}

bool strmap_next(const struct strmap *m, size_t *at, struct slice *key, void **value)
{
    for (; *at < m->room; (*at)++) {
        const struct strmap_slot *slot = &m->slots[*at];

        if (slot->key == NULL)
            continue;
        *key = (struct slice){slot->key, slot->len};
        *value = slot->value;
        (*at)++;
        return true;
    }
    return false;
}
