#include "lib/throttle/account_overrides.h"

#include <sysexits.h>

#include "lib/core/hash.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"

#define PRINTED_BYTES ((size_t)64 << 10)
#define KEY_BYTES     1024

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
    out->overrides = NULL;
    out->count = out->skipped = 0;
    if (reply->elements == 0)
        return 0;
    out->overrides = arena_array(arena, reply->elements / 2 + 1, sizeof *out->overrides);
    if (out->overrides == NULL)
        return -1;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct slice field = arena_copy(arena, link_reply_text(reply->element[i]));
        struct slice value = arena_copy(arena, link_reply_text(reply->element[i + 1]));
        struct err err = {0};

        if (field.ptr == NULL || value.ptr == NULL)
            return -1;
        if (limit_parse_override(field, value, arena, &out->overrides[out->count], &err) == 0)
            out->count++;
        else
            out->skipped++;
        if (warnings != NULL && err.text[0] != '\0')
            buf_addf(warnings, "%s\n", err.text);
    }
    return 0;
}

static int wrong(const struct buf *key, const redisReply *reply, struct err *err)
{
    return err_set(err, EX_DATAERR, "key %.*s: %.*s", SLICE_FMT(buf_slice(key)),
                   SLICE_FMT(link_reply_text(reply)));
}

int account_overrides_answer(redisReply *const *replies, const char *prefix, struct slice holder,
                             struct arena *arena, struct account_overrides *out,
                             struct buf *warnings, struct err *err)
{
    struct buf key;
    int result = 0;

    buf_init(&key, KEY_BYTES);
    if (replies[0]->type == REDIS_REPLY_ERROR) {
        key_plan(&key, prefix, holder);
        result = wrong(&key, replies[0], err);
    } else if (replies[1]->type != REDIS_REPLY_ARRAY) {
        key_limits(&key, prefix, holder);
        result = wrong(&key, replies[1], err);
    } else {
        out->plan = arena_copy(arena, link_reply_text(replies[0]));
        if (out->plan.ptr == NULL ||
            account_overrides_take(replies[1], arena, out, warnings) != 0) {
            key_limits(&key, prefix, holder);
            result = err_set(err, EX_DATAERR, "key %.*s: too many overrides",
                             SLICE_FMT(buf_slice(&key)));
        }
    }
    buf_fini(&key);
    return result;
}

static void ask(struct store *st, const char *prefix, struct slice holder)
{
    struct buf key;

    buf_init(&key, KEY_BYTES);
    key_plan(&key, prefix, holder);
    store_pipe_add(st, 2, (struct slice[]){SLICE("GET"), buf_slice(&key)});
    buf_reset(&key);
    key_limits(&key, prefix, holder);
    store_pipe_add(st, 2, (struct slice[]){SLICE("HGETALL"), buf_slice(&key)});
    buf_fini(&key);
}

static int read_all(struct store *st, const char *prefix, const struct slice *holders, size_t count,
                    int64_t timeout_ms, struct arena *arena, struct account_overrides *out,
                    struct buf *warnings, struct err *err)
{
    redisReply *replies[2 * ACCOUNT_OVERRIDES_MOST];
    int result = 0;

    TG_ASSERT(count <= ACCOUNT_OVERRIDES_MOST);
    for (size_t i = 0; i < count; i++)
        ask(st, prefix, holders[i]);
    if (store_pipe_run(st, replies, timeout_ms, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (result == 0)
            result = account_overrides_answer(&replies[2 * i], prefix, holders[i], arena, &out[i],
                                              warnings, err);
        freeReplyObject(replies[2 * i]);
        freeReplyObject(replies[2 * i + 1]);
    }
    return result;
}

int account_overrides_read_many(struct store *st, const char *prefix, const struct slice *holders,
                                size_t count, int64_t timeout_ms, struct arena *arena,
                                struct account_overrides *out, struct err *err)
{
    return read_all(st, prefix, holders, count, timeout_ms, arena, out, NULL, err);
}

int account_overrides_read(struct store *st, const char *prefix, struct slice holder,
                           int64_t timeout_ms, struct arena *arena, struct account_overrides *out,
                           struct buf *warnings, struct err *err)
{
    return read_all(st, prefix, &holder, 1, timeout_ms, arena, out, warnings, err);
}
