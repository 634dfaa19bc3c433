#include "lib/read/read_held.h"

#include <stdlib.h>

#include "lib/read/read_reply.h"
#include "lib/redis/keys.h"

#define KEY_BYTES 4096

static int summary_take(const struct reader *r, redisReply *const *replies, struct slice key,
                        struct held_summary *out, struct err *err)
{
    if (read_expect(r, replies[0], REDIS_REPLY_INTEGER, key, err) != 0 ||
        read_expect(r, replies[1], REDIS_REPLY_ARRAY, key, err) != 0)
        return -1;
    *out = (struct held_summary){.count = (uint64_t)replies[0]->integer};
    if (replies[1]->elements == 2)
        out->oldest_s = (int64_t)strtod(replies[1]->element[1]->str, NULL);
    return 0;
}

int read_held(struct reader *r, struct slice account, struct held_summary *out, struct err *err)
{
    redisReply *replies[2];
    struct buf key;
    int result;

    buf_init(&key, KEY_BYTES);
    key_held(&key, r->prefix, account);
    store_pipe_add(r->store, 2, (const struct slice[]){SLICE("ZCARD"), buf_slice(&key)});
    store_pipe_add(r->store, 5,
                   (const struct slice[]){SLICE("ZRANGE"), buf_slice(&key), SLICE("0"), SLICE("0"),
                                          SLICE("WITHSCORES")});
    result = read_trip(r, replies, err);
    if (result == 0) {
        result = summary_take(r, replies, buf_slice(&key), out, err);
        read_free(replies, 2);
    }
    buf_fini(&key);
    return result;
}

/* --- the messages themselves ----------------------------------------------------------------- */

static int entry_compare(const void *a, const void *b)
{
    const struct held_entry *x = a, *y = b;

    if (x->time_s != y->time_s)
        return x->time_s < y->time_s ? -1 : 1;
    return slice_compare(x->queue_id, y->queue_id);
}

/* The member is `node/queue-id`; another is not ours. */
static int entry_add(struct slice account, struct slice member, struct slice score,
                     struct arena *arena, struct held_entries *out, struct err *err)
{
    struct held_entry *grown = arena_grow(arena, out->items, out->count, &out->room, sizeof *grown);
    struct slice id = arena_copy(arena, member), node;
    uint64_t time_s;

    if (grown == NULL || id.ptr == NULL)
        return read_no_memory(err);
    out->items = grown;
    if (slice_cut(&id, '/', &node) && id.len > 0 && slice_number(score, &time_s))
        grown[out->count++] = (struct held_entry){account, node, id, (int64_t)time_s};
    return 0;
}

static int set_take(const struct reader *r, const redisReply *reply, struct slice account,
                    struct arena *arena, struct held_entries *out, struct err *err)
{
    if (read_expect(r, reply, REDIS_REPLY_ARRAY, account, err) != 0)
        return -1;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        if (entry_add(account, link_reply_text(reply->element[i]),
                      link_reply_text(reply->element[i + 1]), arena, out, err) != 0)
            return -1;
    }
    return 0;
}

static int page_read(struct reader *r, const struct slice *accounts, size_t count,
                     struct arena *arena, struct held_entries *out, struct err *err)
{
    redisReply *replies[READ_BATCH];
    int result = 0;

    for (size_t i = 0; i < count; i++) {
        struct buf key;

        buf_init(&key, KEY_BYTES);
        key_held(&key, r->prefix, accounts[i]);
        store_pipe_add(r->store, 5,
                       (const struct slice[]){SLICE("ZRANGE"), buf_slice(&key), SLICE("0"),
                                              SLICE("-1"), SLICE("WITHSCORES")});
        buf_fini(&key);
    }
    if (read_trip(r, replies, err) != 0)
        return -1;
    for (size_t i = 0; i < count && result == 0; i++)
        result = set_take(r, replies[i], accounts[i], arena, out, err);
    read_free(replies, count);
    return result;
}

int read_held_entries(struct reader *r, const struct name_list *accounts, struct arena *arena,
                      struct held_entries *out, struct err *err)
{
    *out = (struct held_entries){.count = 0};
    for (size_t at = 0; at < accounts->count; at += READ_BATCH) {
        size_t count = accounts->count - at < READ_BATCH ? accounts->count - at : READ_BATCH;

        if (page_read(r, accounts->items + at, count, arena, out, err) != 0)
            return -1;
    }
    if (out->count > 1)
        qsort(out->items, out->count, sizeof *out->items, entry_compare);
    return 0;
}

/* --- one message ----------------------------------------------------------------------------- */

static int member_is_held(struct reader *r, struct slice key, struct slice node,
                          struct slice queue_id, bool *is_held, struct err *err)
{
    struct buf member;
    redisReply *reply;
    int result;

    buf_init(&member, KEY_BYTES);
    buf_addf(&member, "%.*s/%.*s", SLICE_FMT(node), SLICE_FMT(queue_id));
    store_pipe_add(r->store, 3, (const struct slice[]){SLICE("ZSCORE"), key, buf_slice(&member)});
    buf_fini(&member);
    if (read_trip(r, &reply, err) != 0)
        return -1;
    *is_held = reply->type == REDIS_REPLY_STRING;
    result =
        reply->type == REDIS_REPLY_ERROR ? read_expect(r, reply, REDIS_REPLY_STRING, key, err) : 0;
    freeReplyObject(reply);
    return result;
}

int read_held_id(struct reader *r, struct slice account, const struct name_list *nodes,
                 struct slice queue_id, bool *is_held, struct err *err)
{
    struct buf key;
    int result = 0;

    *is_held = false;
    buf_init(&key, KEY_BYTES);
    key_held(&key, r->prefix, account);
    for (size_t i = 0; result == 0 && !*is_held && i < nodes->count; i++)
        result = member_is_held(r, buf_slice(&key), nodes->items[i], queue_id, is_held, err);
    buf_fini(&key);
    return result;
}
