#include "milter/visited.h"

#include <string.h>

#define KEY_BYTES 2048

void visited_init(struct visited *v, size_t cap_bytes)
{
    memset(v, 0, sizeof *v);
    arena_init_small(&v->arena, cap_bytes);
    strmap_init(&v->map);
}

void visited_fini(struct visited *v)
{
    strmap_fini(&v->map);
    arena_fini(&v->arena);
}

void visited_reset(struct visited *v)
{
    if (v->first == NULL)
        return;
    strmap_fini(&v->map);
    strmap_init(&v->map);
    arena_reset(&v->arena);
    v->first = v->pending = NULL;
}

static struct visited_place *place_new(struct visited *v, struct slice key, size_t account_len)
{
    struct slice kept = arena_copy(&v->arena, key);
    struct visited_place *p = arena_alloc(&v->arena, sizeof *p);
    void **entry = kept.ptr != NULL && p != NULL ? strmap_add(&v->map, kept, NULL) : NULL;

    if (entry == NULL)
        return NULL;
    *entry = p;
    p->account = slice_to(kept, account_len);
    p->user = slice_from(kept, account_len + 1);
    p->next = v->first;
    v->first = p;
    return p;
}

struct visited_place *visited_find(struct visited *v, struct slice account, struct slice user)
{
    struct visited_place *p = NULL;
    struct buf key;
    void **entry;

    buf_init(&key, KEY_BYTES);
    buf_add(&key, account);
    buf_add_char(&key, '\0');
    buf_add(&key, user);
    if (!key.failed) {
        entry = strmap_find(&v->map, buf_slice(&key));
        p = entry != NULL ? *entry : place_new(v, buf_slice(&key), account.len);
    }
    buf_fini(&key);
    return p;
}

void visited_charge(struct visited *v, struct record *r)
{
    visited_settle(v, false);
    for (size_t i = 0; i < r->leg_count; i++) {
        struct leg *leg = &r->legs[i];
        struct visited_place *p;

        if (slice_equal(leg->account, SLICE(ACCOUNT_NODE)))
            continue;
        p = visited_find(v, leg->account, leg->user);
        if (p == NULL || p->is_counted || p->is_pending)
            continue;
        leg->opens = p->is_pending = true;
        p->next_pending = v->pending;
        v->pending = p;
    }
}

void visited_settle(struct visited *v, bool is_written)
{
    for (; v->pending != NULL; v->pending = v->pending->next_pending) {
        v->pending->is_counted = is_written;
        v->pending->is_pending = false;
    }
}

const struct visited_place *visited_next(const struct visited *v, const struct visited_place *at)
{
    at = at == NULL ? v->first : at->next;
    while (at != NULL && !at->is_counted)
        at = at->next;
    return at;
}

void visited_save(const struct visited *v, struct buf *out)
{
    for (const struct visited_place *p = NULL; (p = visited_next(v, p)) != NULL;) {
        buf_add_text(out, p->account);
        buf_add_text(out, p->user);
    }
    buf_add_text(out, SLICE_NONE);
}

/* The last account is empty. */
bool visited_restore(struct visited *v, struct slice *in)
{
    struct slice account, user;
    struct visited_place *p;

    while (slice_take_text(in, &account)) {
        if (account.len == 0)
            return true;
        if (!slice_take_text(in, &user))
            return false;
        p = visited_find(v, account, user);
        if (p != NULL)
            p->is_counted = true;
    }
    return false;
}
