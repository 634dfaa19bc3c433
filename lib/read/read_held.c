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
