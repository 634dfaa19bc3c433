#include "lib/read/read_adjustments.h"

#include <stdlib.h>

#include "lib/read/read_reply.h"
#include "lib/redis/keys.h"

#define KEY_BYTES 4096

static int by_time(const void *left, const void *right)
{
    const struct adjustment_entry *a = left, *b = right;

    if (a->adjustment.at_s != b->adjustment.at_s)
        return a->adjustment.at_s < b->adjustment.at_s ? -1 : 1;
    return slice_compare(a->adjustment.id, b->adjustment.id);
}

static int add(struct slice account, const redisReply *field, const redisReply *value,
               struct arena *arena, struct adjustment_list *out, struct err *err)
{
    struct slice name = arena_copy(arena, link_reply_text(field)),
                 text = arena_copy(arena, link_reply_text(value));
    struct adjustment_entry *items =
        arena_grow(arena, out->items, out->count, &out->room, sizeof *items);
    struct err ignored = {0};

    if (items == NULL || name.ptr == NULL || text.ptr == NULL)
        return read_no_memory(err);
    out->items = items;
    items[out->count].account = account;
    if (adjustment_parse(name, text, arena, &items[out->count].adjustment, &ignored) == 0)
        out->count++;
    return 0;
}

/* A field is the month, a blank and the id. */
static int take(const struct reader *r, const redisReply *reply, struct slice account,
                struct slice month, struct arena *arena, struct adjustment_list *out,
                struct err *err)
{
    size_t first = out->count;

    if (read_expect(r, reply, REDIS_REPLY_ARRAY, account, err) != 0)
        return -1;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct slice field = link_reply_text(reply->element[i]);

        if (month.len > 0 &&
            (field.len <= month.len || field.ptr[month.len] != ' ' || !slice_starts(field, month)))
            continue;
        if (add(account, reply->element[i], reply->element[i + 1], arena, out, err) != 0)
            return -1;
    }
    if (out->count - first > 1)
        qsort(out->items + first, out->count - first, sizeof *out->items, by_time);
    return 0;
}

static int read_batch(struct reader *r, const struct slice *accounts, size_t count,
                      struct slice month, struct arena *arena, struct adjustment_list *out,
                      struct err *err)
{
    redisReply *replies[READ_BATCH];
    int result = 0;

    for (size_t i = 0; i < count; i++) {
        struct buf key;

        buf_init(&key, KEY_BYTES);
        key_adjust(&key, r->prefix, accounts[i]);
        store_pipe_add(r->store, 2, (const struct slice[]){SLICE("HGETALL"), buf_slice(&key)});
        buf_fini(&key);
    }
    if (read_trip(r, replies, err) != 0)
        return -1;
    for (size_t i = 0; i < count && result == 0; i++)
        result = take(r, replies[i], accounts[i], month, arena, out, err);
    read_free(replies, count);
    return result;
}

int read_adjustments(struct reader *r, const struct name_list *accounts, struct slice month,
                     struct arena *arena, struct adjustment_list *out, struct err *err)
{
    *out = (struct adjustment_list){.count = 0};
    for (size_t at = 0; at < accounts->count; at += READ_BATCH) {
        size_t count = accounts->count - at < READ_BATCH ? accounts->count - at : READ_BATCH;

        if (read_batch(r, accounts->items + at, count, month, arena, out, err) != 0)
            return -1;
    }
    return 0;
}
