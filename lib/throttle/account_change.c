#include "lib/throttle/account_change.h"

#include <sysexits.h>

#include "lib/redis/keys.h"
#include "lib/redis/link.h"

#define KEY_BYTES    1024
#define VALUE_BYTES  ((size_t)64 << 10)
#define FIELDS_BYTES ((size_t)1 << 20)

static int refused(const struct account_change *c, const struct buf *key, const redisReply *reply,
                   struct err *err)
{
    bool type = slice_starts_nocase(link_reply_text(reply), SLICE("WRONGTYPE"));

    return err_set(err, type ? EX_DATAERR : EX_UNAVAILABLE, "redis at %s, %.*s: %.*s",
                   store_where(c->store), SLICE_FMT(buf_slice(key)),
                   SLICE_FMT(link_reply_text(reply)));
}

/* Runs the `count` commands in the pipeline. *sum: of their integer replies. */
static int run(const struct account_change *c, const struct buf *key, size_t count, size_t *sum,
               struct err *err)
{
    redisReply *replies[2];
    int result = store_pipe_run(c->store, replies, c->timeout_ms, err);

    *sum = 0;
    if (result != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (result == 0 && replies[i]->type == REDIS_REPLY_ERROR)
            result = refused(c, key, replies[i], err);
        else if (replies[i]->type == REDIS_REPLY_INTEGER)
            *sum += (size_t)replies[i]->integer;
        freeReplyObject(replies[i]);
    }
    return result;
}

/* --- overrides ------------------------------------------------------------------------------- */

static bool names_same(struct slice field, struct slice name, struct arena *arena)
{
    struct limit a, b;

    if (slice_equal(field, name))
        return true;
    return limit_parse_name(field, arena, &a, NULL) == 0 &&
           limit_parse_name(name, arena, &b, NULL) == 0 && limit_same_name(&a, &b);
}

/* Adds an HDEL of all fields that name the limit, except `keep`. *count: how many. */
static int fields_add(const struct account_change *c, const struct buf *key, struct slice name,
                      struct slice keep, struct arena *arena, size_t *count, struct err *err)
{
    redisReply *reply = store_command(
        c->store, 2, (const struct slice[]){SLICE("HKEYS"), buf_slice(key)}, c->timeout_ms, err);
    struct slice *argv;

    *count = 0;
    if (reply == NULL)
        return -1;
    argv = arena_array(arena, reply->elements + 2, sizeof *argv);
    if (argv == NULL || reply->type != REDIS_REPLY_ARRAY) {
        int result =
            argv == NULL ? err_set(err, EX_OSERR, "out of memory") : refused(c, key, reply, err);

        freeReplyObject(reply);
        return result;
    }
    argv[0] = SLICE("HDEL");
    argv[1] = buf_slice(key);
    for (size_t i = 0; i < reply->elements; i++) {
        struct slice field = link_reply_text(reply->element[i]);

        if (!slice_equal(field, keep) && names_same(field, name, arena))
            argv[2 + (*count)++] = arena_copy(arena, field);
    }
    if (*count > 0)
        store_pipe_add(c->store, 2 + *count, argv);
    freeReplyObject(reply);
    return 0;
}

static int change(const struct account_change *c, struct slice name, struct slice value,
                  struct arena *arena, size_t *removed, struct err *err)
{
    struct buf key;
    size_t fields;
    int result;

    buf_init(&key, KEY_BYTES);
    key_limits(&key, c->prefix, c->holder);
    result = fields_add(c, &key, name, value.len > 0 ? name : SLICE_NONE, arena, &fields, err);
    *removed = 0;
    if (result == 0 && value.len > 0)
        store_pipe_add(c->store, 4, (struct slice[]){SLICE("HSET"), buf_slice(&key), name, value});
    if (result == 0 && store_pipe_count(c->store) > 0)
        result = run(c, &key, store_pipe_count(c->store), removed, err);
    buf_fini(&key);
    return result;
}

int account_change_override_set(const struct account_change *c, const struct limit *limit,
                                struct err *err)
{
    struct arena arena;
    struct buf name, value;
    size_t unused;
    int result;

    arena_init(&arena, FIELDS_BYTES);
    buf_init(&name, KEY_BYTES);
    buf_init(&value, VALUE_BYTES);
    limit_name(limit, &name);
    limit_print_override(limit, &value);
    result = value.failed ? err_set(err, EX_USAGE, "the reason is too long")
                          : change(c, buf_slice(&name), buf_slice(&value), &arena, &unused, err);
    buf_fini(&value);
    buf_fini(&name);
    arena_fini(&arena);
    return result;
}

int account_change_override_unset(const struct account_change *c, struct slice name,
                                  size_t *removed, struct err *err)
{
    struct arena arena;
    int result;

    arena_init(&arena, FIELDS_BYTES);
    result = change(c, name, SLICE_NONE, &arena, removed, err);
    arena_fini(&arena);
    return result;
}

/* --- the plan -------------------------------------------------------------------------------- */

int account_change_plan_set(const struct account_change *c, struct slice plan, struct err *err)
{
    struct buf key;
    size_t unused;
    int result;

    buf_init(&key, KEY_BYTES);
    key_plan(&key, c->prefix, c->holder);
    store_pipe_add(c->store, 3, (struct slice[]){SLICE("SET"), buf_slice(&key), plan});
    result = run(c, &key, 1, &unused, err);
    buf_fini(&key);
    return result;
}

int account_change_plan_unset(const struct account_change *c, bool *removed, struct err *err)
{
    struct buf key;
    size_t count;
    int result;

    buf_init(&key, KEY_BYTES);
    key_plan(&key, c->prefix, c->holder);
    store_pipe_add(c->store, 2, (struct slice[]){SLICE("DEL"), buf_slice(&key)});
    result = run(c, &key, 1, &count, err);
    *removed = count > 0;
    buf_fini(&key);
    return result;
}
