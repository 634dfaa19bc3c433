#include "lib/core/answers.h"

#include <string.h>
#include <sysexits.h>

void answers_init(struct answers *a, struct arena *arena)
{
    *a = (struct answers){.arena = arena};
    strmap_init(&a->known);
}

void answers_fini(struct answers *a)
{
    strmap_fini(&a->known);
}

void answers_none_open(struct answers *a)
{
    a->open = NULL;
    a->open_count = a->open_room = 0;
}

/* The table's key: the kind as a letter, then the question's. In `room` where it fits. */
static struct slice key_make(struct answers *a, enum question_kind kind, struct slice key,
                             char *room, size_t size)
{
    char *p = key.len + 1 <= size ? room : arena_alloc(a->arena, key.len + 1);

    if (p == NULL)
        return SLICE_NONE;
    p[0] = QUESTION_LETTERS[kind];
    if (key.len > 0)
        memcpy(p + 1, key.ptr, key.len);
    return (struct slice){p, key.len + 1};
}

/* Where the answer to that question stands, added if need be: then *added is the key kept. */
static void **entry_add(struct answers *a, enum question_kind kind, struct slice key,
                        struct slice *added)
{
    char room[ADDRESS_TEXT_ROOM + 1];
    struct slice look = key_make(a, kind, key, room, sizeof room);
    void **entry = look.ptr == NULL ? NULL : strmap_find(&a->known, look);

    *added = SLICE_NONE;
    if (entry != NULL || look.ptr == NULL)
        return entry;
    look = arena_copy(a->arena, look);
    if (look.ptr == NULL)
        return NULL;
    *added = (struct slice){look.ptr + 1, look.len - 1};
    return strmap_add(&a->known, look, NULL);
}

static bool open_add(struct answers *a, enum question_kind kind, struct slice key)
{
    struct question *grown =
        arena_grow(a->arena, a->open, a->open_count, &a->open_room, sizeof *grown);

    if (grown == NULL)
        return false;
    a->open = grown;
    a->open[a->open_count++] = (struct question){kind, key};
    return true;
}

const struct answer *answers_get(struct answers *a, enum question_kind kind, struct slice key)
{
    struct slice added;
    void **entry = entry_add(a, kind, key, &added);

    if (entry == NULL || (added.ptr != NULL && !open_add(a, kind, added))) {
        a->failed = true;
        return NULL;
    }
    return *entry;
}

const struct answer *answers_find(struct answers *a, enum question_kind kind, struct slice key)
{
    char room[ADDRESS_TEXT_ROOM + 1];
    struct slice look = key_make(a, kind, key, room, sizeof room);
    void **entry = look.ptr == NULL ? NULL : strmap_find(&a->known, look);

    return entry != NULL ? *entry : NULL;
}

/* Most answers have nothing to keep. */
static bool text_copy(struct arena *arena, struct slice from, struct slice *to)
{
    *to = from.len == 0 ? SLICE("") : arena_copy(arena, from);
    return to->ptr != NULL;
}

static bool targets_copy(struct arena *arena, const struct forward_targets *from,
                         struct forward_targets *to)
{
    to->count = from->count;
    to->list = arena_array(arena, from->count, sizeof *to->list);
    if (to->list == NULL)
        return false;
    for (size_t i = 0; i < from->count; i++) {
        if (!text_copy(arena, from->list[i], &to->list[i]))
            return false;
    }
    return true;
}

int answers_put(struct answers *a, enum question_kind kind, struct slice key,
                const struct answer *answer)
{
    struct slice added;
    void **entry = entry_add(a, kind, key, &added);
    struct answer *kept = arena_alloc(a->arena, sizeof *kept);

    if (entry == NULL || kept == NULL)
        return -1;
    kept->found = answer->found;
    if (!text_copy(a->arena, answer->owner, &kept->owner) ||
        !text_copy(a->arena, answer->wildcard, &kept->wildcard) ||
        !text_copy(a->arena, answer->login, &kept->login) ||
        !targets_copy(a->arena, &answer->targets, &kept->targets))
        return -1;
    *entry = kept;
    return 0;
}
