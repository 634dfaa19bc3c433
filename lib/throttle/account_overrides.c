#include "lib/throttle/account_overrides.h"

#include <sysexits.h>

#include "lib/core/hash.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"

#define PRINTED_BYTES ((size_t)64 << 10)

/* In whatever order the store gives them. */
static uint64_t stamp_of(const struct limit *l)
{
    struct buf b;
    uint64_t sum;

    buf_init(&b, PRINTED_BYTES);
    limit_field(l, &b);
    buf_add_char(&b, ' ');
    limit_print_override(l, &b);
    sum = hash_add(HASH_BEGIN, buf_slice(&b));
    buf_fini(&b);
    return sum;
}

uint64_t account_overrides_stamp(const struct account_overrides *o, const struct limit *name)
{
    uint64_t sum = 0;

    if (name == NULL)
        return hash_add(HASH_BEGIN, o->plan);
    for (size_t i = 0; i < o->count; i++)
        sum += limit_same_name(&o->overrides[i], name) ? stamp_of(&o->overrides[i]) : 0;
    return sum;
}

uint64_t account_overrides_stamp_all(const struct account_overrides *o)
{
    uint64_t sum = account_overrides_stamp(o, NULL);

    for (size_t i = 0; i < o->count; i++)
        sum += stamp_of(&o->overrides[i]);
    return sum;
}

int account_overrides_take(const redisReply *reply, struct arena *arena,
                           struct account_overrides *out, struct buf *warnings)
{
    struct err err = {0};

    out->overrides = arena_array(arena, reply->elements / 2 + 1, sizeof *out->overrides);
    out->count = 0;
    if (out->overrides == NULL)
        return -1;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct slice field = arena_copy(arena, link_reply_text(reply->element[i]));
        struct slice value = arena_copy(arena, link_reply_text(reply->element[i + 1]));

        if (field.ptr == NULL || value.ptr == NULL)
            return -1;
        if (limit_parse_override(field, value, arena, &out->overrides[out->count], &err) == 0)
            out->count++;
        else if (warnings != NULL)
            buf_addf(warnings, "%s\n", err.text);
    }
    return 0;
}

static int wrong(const struct buf *key, const redisReply *reply, struct err *err)
{
    return err_set(err, EX_DATAERR, "key %.*s: %.*s", SLICE_FMT(buf_slice(key)),
                   SLICE_FMT(link_reply_text(reply)));
}

static int replies_take(redisReply *const *replies, const struct buf *keys, struct arena *arena,
                        struct account_overrides *out, struct buf *warnings, struct err *err)
{
    if (replies[0]->type == REDIS_REPLY_ERROR)
        return wrong(&keys[0], replies[0], err);
    if (replies[1]->type != REDIS_REPLY_ARRAY)
        return wrong(&keys[1], replies[1], err);
    out->plan = arena_copy(arena, link_reply_text(replies[0]));
    if (out->plan.ptr == NULL || account_overrides_take(replies[1], arena, out, warnings) != 0)
        return err_set(err, EX_DATAERR, "key %.*s: too many overrides",
                       SLICE_FMT(buf_slice(&keys[1])));
    return 0;
}

int account_overrides_read(struct store *st, const char *prefix, struct slice holder,
                           int64_t timeout_ms, struct arena *arena, struct account_overrides *out,
                           struct buf *warnings, struct err *err)
{
    struct buf keys[2];
    redisReply *replies[2];
    int result;

    buf_init(&keys[0], 1024);
    buf_init(&keys[1], 1024);
    key_plan(&keys[0], prefix, holder);
    key_limits(&keys[1], prefix, holder);
    store_pipe_add(st, 2, (struct slice[]){SLICE("GET"), buf_slice(&keys[0])});
    store_pipe_add(st, 2, (struct slice[]){SLICE("HGETALL"), buf_slice(&keys[1])});
    result = store_pipe_run(st, replies, timeout_ms, err);
    if (result == 0) {
        result = replies_take(replies, keys, arena, out, warnings, err);
        freeReplyObject(replies[0]);
        freeReplyObject(replies[1]);
    }
    buf_fini(&keys[0]);
    buf_fini(&keys[1]);
    return result;
}
