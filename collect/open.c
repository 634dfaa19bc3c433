#include "collect/open.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/hash.h"

#define ROOM_FIRST 256

struct open_table {
    struct open_thing type;
    struct open_entry **slots;
    size_t room, count; /* room: 0 or a power of two */
    struct open_entry *oldest, *newest;
};

struct open_book {
    struct open_table tables[OPEN_KINDS];
    struct open_entry *changed;
    struct buf text;
};

struct open_book *open_new(void)
{
    struct open_book *b = calloc(1, sizeof *b);

    if (b != NULL)
        buf_init(&b->text, (size_t)16 << 20);
    return b;
}

static void entry_free(const struct open_table *t, struct open_entry *e)
{
    if (e->thing != NULL)
        t->type.release(e->thing);
    free(e);
}

void open_free(struct open_book *b)
{
    if (b == NULL)
        return;
    open_saved(b);
    for (size_t i = 0; i < OPEN_KINDS; i++) {
        struct open_table *t = &b->tables[i];

        while (t->oldest != NULL) {
            struct open_entry *e = t->oldest;

            t->oldest = e->newer;
            entry_free(t, e);
        }
        free(t->slots);
    }
    buf_fini(&b->text);
    free(b);
}

void open_type(struct open_book *b, enum open_kind kind, const struct open_thing *type)
{
    b->tables[kind].type = *type;
}

/* --- the table ---------------------------------------------------------------------------------
 */

static struct open_entry **slot_of(const struct open_table *t, uint64_t hash)
{
    return &t->slots[hash & (t->room - 1)];
}

struct open_entry *open_entry(const struct open_book *b, enum open_kind kind, struct slice key)
{
    const struct open_table *t = &b->tables[kind];
    uint64_t hash = hash_add(HASH_BEGIN, key);
    struct open_entry *e = t->room > 0 ? *slot_of(t, hash) : NULL;

    while (e != NULL && (e->hash != hash || !slice_equal(e->key, key)))
        e = e->next_in_slot;
    return e;
}

void *open_find(const struct open_book *b, enum open_kind kind, struct slice key)
{
    struct open_entry *e = open_entry(b, kind, key);

    return e != NULL ? e->thing : NULL;
}

static bool table_grow(struct open_table *t)
{
    size_t room = t->room > 0 ? 2 * t->room : ROOM_FIRST;
    struct open_entry **slots = calloc(room, sizeof(struct open_entry *));

    if (slots == NULL)
        return t->room > 0; /* chains grow longer */
    free(t->slots);
    t->slots = slots;
    t->room = room;
    for (struct open_entry *e = t->oldest; e != NULL; e = e->newer) {
        struct open_entry **slot = slot_of(t, e->hash);

        e->next_in_slot = *slot;
        *slot = e;
    }
    return true;
}

static void slot_leave(struct open_table *t, struct open_entry *e)
{
    struct open_entry **at = slot_of(t, e->hash);

    while (*at != e)
        at = &(*at)->next_in_slot;
    *at = e->next_in_slot;
}

static void order_leave(struct open_table *t, struct open_entry *e)
{
    *(e->older != NULL ? &e->older->newer : &t->oldest) = e->newer;
    *(e->newer != NULL ? &e->newer->older : &t->newest) = e->older;
}

static void order_enter(struct open_table *t, struct open_entry *e, int64_t now_ms)
{
    e->touched_ms = now_ms;
    e->newer = NULL;
    e->older = t->newest;
    *(t->newest != NULL ? &t->newest->newer : &t->oldest) = e;
    t->newest = e;
}

static struct open_entry *entry_new(enum open_kind kind, struct slice key)
{
    struct open_entry *e = calloc(1, sizeof *e + key.len);

    if (e == NULL)
        return NULL;
    e->kind = kind;
    e->hash = hash_add(HASH_BEGIN, key);
    e->key = (struct slice){(char *)(e + 1), key.len};
    if (key.len > 0)
        memcpy(e + 1, key.ptr, key.len);
    return e;
}

static struct open_entry *entry_enter(struct open_table *t, enum open_kind kind, struct slice key,
                                      int64_t now_ms)
{
    struct open_entry *e, **slot;

    if (t->count >= t->room && !table_grow(t))
        return NULL;
    e = entry_new(kind, key);
    if (e == NULL)
        return NULL;
    slot = slot_of(t, e->hash);
    e->next_in_slot = *slot;
    *slot = e;
    order_enter(t, e, now_ms);
    t->count++;
    return e;
}

struct open_entry *open_add(struct open_book *b, enum open_kind kind, struct slice key, void *thing,
                            int64_t now_ms)
{
    struct open_table *t = &b->tables[kind];
    struct open_entry *e = open_entry(b, kind, key);

    if (e == NULL)
        e = entry_enter(t, kind, key, now_ms);
    if (e == NULL) {
        t->type.release(thing);
        return NULL;
    }
    if (e->thing != NULL)
        t->type.release(e->thing);
    e->thing = thing;
    open_touch(b, e, now_ms);
    return e;
}

void open_changed(struct open_book *b, struct open_entry *e)
{
    if (e->is_changed)
        return;
    e->is_changed = true;
    e->next_changed = b->changed;
    b->changed = e;
}

void open_touch(struct open_book *b, struct open_entry *e, int64_t now_ms)
{
    struct open_table *t = &b->tables[e->kind];

    order_leave(t, e);
    order_enter(t, e, now_ms);
    open_changed(b, e);
}

void open_drop(struct open_book *b, struct open_entry *e)
{
    struct open_table *t = &b->tables[e->kind];

    slot_leave(t, e);
    order_leave(t, e);
    t->count--;
    t->type.release(e->thing);
    e->thing = NULL;
    e->is_gone = true;
    open_changed(b, e);
}

struct open_entry *open_oldest(const struct open_book *b, enum open_kind kind)
{
    return b->tables[kind].oldest;
}

size_t open_count(const struct open_book *b, enum open_kind kind)
{
    return b->tables[kind].count;
}

/* --- saving ------------------------------------------------------------------------------------
 */

/* A key that was dropped and taken again is in the list twice: the one that is there counts. */
static bool is_taken_again(const struct open_book *b, const struct open_entry *e)
{
    return e->is_gone && open_entry(b, e->kind, e->key) != NULL;
}

int open_change_next(struct open_book *b, struct open_entry **at, struct open_change *out)
{
    struct open_entry *e = *at == NULL ? b->changed : (*at)->next_changed;

    while (e != NULL && is_taken_again(b, e))
        e = e->next_changed;
    if (e == NULL)
        return 0;
    *at = e;
    *out = (struct open_change){
        .kind = e->kind, .key = e->key, .is_gone = e->is_gone, .touched_ms = e->touched_ms};
    if (e->is_gone)
        return 1;
    buf_reset(&b->text);
    b->tables[e->kind].type.encode(e->thing, &b->text);
    out->bytes = buf_slice(&b->text);
    return b->text.failed ? -1 : 1;
}

void open_saved(struct open_book *b)
{
    while (b->changed != NULL) {
        struct open_entry *e = b->changed;

        b->changed = e->next_changed;
        e->is_changed = false;
        e->next_changed = NULL;
        if (e->is_gone)
            free(e);
    }
}

bool open_restore(struct open_book *b, const struct open_change *saved)
{
    struct open_table *t = &b->tables[saved->kind];
    void *thing = t->type.decode != NULL ? t->type.decode(saved->bytes) : NULL;
    struct open_entry *e =
        thing != NULL ? entry_enter(t, saved->kind, saved->key, saved->touched_ms) : NULL;

    if (e != NULL)
        e->thing = thing;
    else if (thing != NULL)
        t->type.release(thing);
    return e != NULL;
}
