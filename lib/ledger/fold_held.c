#include "lib/ledger/fold_held.h"

#include <sysexits.h>

#include "lib/ledger/ledger_held.h"

#define BODY_MAX_BYTES ((size_t)64 << 20) /* no record of the journal is larger */

struct held_change {
    struct held_change *next;
    uint64_t number;
    struct held_row row;
    struct slice body;
    bool is_added;              /* by this batch */
    bool is_taken, is_released; /* released or forgotten by this batch */
    int64_t gone_s;             /* when it was released or forgotten, Unix time */
};

void fold_held_init(struct fold_held *b)
{
    buf_init(&b->body, BODY_MAX_BYTES);
    strmap_init(&b->by_number);
    fold_held_reset(b);
}

void fold_held_fini(struct fold_held *b)
{
    buf_fini(&b->body);
    strmap_fini(&b->by_number);
}

void fold_held_reset(struct fold_held *b)
{
    strmap_fini(&b->by_number);
    b->first = NULL;
    b->last = &b->first;
}

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory for held messages");
}

/* The key borrows from the change itself. */
static struct slice key_of(const uint64_t *number)
{
    return (struct slice){(const char *)number, sizeof *number};
}

static struct held_change *change_new(struct fold_held *b, uint64_t number, struct arena *arena)
{
    struct held_change *c = arena_alloc(arena, sizeof *c);
    void **place;

    if (c == NULL)
        return NULL;
    c->number = number;
    place = strmap_add(&b->by_number, key_of(&c->number), NULL);
    if (place == NULL)
        return NULL;
    *place = c;
    *b->last = c;
    b->last = &c->next;
    return c;
}

int fold_held_add(struct fold_held *b, const struct record *r, struct slice account,
                  struct arena *arena, struct err *err)
{
    struct held_change *c = change_new(b, r->number, arena);

    if (c == NULL)
        return no_memory(err);
    buf_reset(&b->body);
    record_encode(r, &b->body);
    if (b->body.failed)
        return no_memory(err);
    c->is_added = true;
    c->row.number = r->number;
    c->row.time_ms = r->time_ms;
    c->row.queue_id = arena_copy(arena, r->queue_id);
    c->row.account = arena_copy(arena, account);
    c->body = arena_copy(arena, buf_slice(&b->body));
    if (c->row.queue_id.ptr == NULL || c->row.account.ptr == NULL || c->body.ptr == NULL)
        return no_memory(err);
    return 0;
}

/* The change of that message in this batch; NULL: there is none. */
static struct held_change *change_find(struct fold_held *b, const uint64_t *number)
{
    void **place = strmap_find(&b->by_number, key_of(number));

    return place != NULL ? *place : NULL;
}

/* A message that an earlier batch wrote to the ledger; *c: its change, or NULL. */
static int take_earlier(struct fold_held *b, struct ledger *l, uint64_t number, struct arena *arena,
                        struct held_change **c, struct err *err)
{
    int rc;

    buf_reset(&b->body);
    rc = ledger_held_body(l, number, &b->body, err);
    if (rc != 1)
        return rc;
    if (*c == NULL || b->body.failed)
        *c = b->body.failed ? NULL : change_new(b, number, arena);
    if (*c == NULL)
        return no_memory(err);
    (*c)->body = buf_slice(&b->body);
    return 1;
}

int fold_held_take(struct fold_held *b, struct ledger *l, const struct record *r,
                   struct arena *arena, struct slice *body, struct err *err)
{
    struct held_change *c = change_find(b, &r->held_number);
    int rc = 1;

    if (c != NULL && c->is_taken)
        return 0;
    if (c == NULL || !c->is_added)
        rc = take_earlier(b, l, r->held_number, arena, &c, err);
    if (rc != 1)
        return rc;
    c->is_taken = true;
    c->is_released = r->kind == RECORD_RELEASE;
    c->gone_s = r->time_ms / 1000;
    *body = c->body;
    return 1;
}

int fold_held_place(struct fold_held *b, const struct record *r, struct arena *arena,
                    struct err *err)
{
    struct held_change *c = change_find(b, &r->held_number);

    if (c == NULL)
        c = change_new(b, r->held_number, arena);
    if (c == NULL)
        return no_memory(err);
    c->row.place = arena_copy(arena, r->place);
    return c->row.place.ptr != NULL ? 0 : no_memory(err);
}

int fold_held_apply(const struct fold_held *b, struct ledger *l, struct err *err)
{
    for (const struct held_change *c = b->first; c != NULL; c = c->next) {
        int rc = 0;

        /* Redis may show even one that came and went: a ledger of before a backup pushed it. */
        if (c->is_added)
            rc = ledger_held_add(l, &c->row, c->body, err);
        if (rc == 0 && c->is_taken)
            rc = ledger_held_remove(l, c->number, c->gone_s, c->is_released, err);
        else if (rc == 0 && !c->is_added)
            rc = ledger_held_place(l, c->number, c->row.place, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}
