#include "lib/throttle/account_change.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/throttle/scripts.h"

#define KEY_BYTES    1024
#define VALUE_BYTES  ((size_t)64 << 10)
#define FIELDS_BYTES ((size_t)1 << 20)
#define KEYS         5 /* of the script */

static const struct script change_script = {"change", script_change_source};

/* The script's keys, and then pairs of name and value. */
struct change_call {
    struct buf keys[KEYS];
    struct slice *argv;
    size_t argc;
};

static int refused(const struct account_change *c, const struct buf *key, const redisReply *reply,
                   struct err *err)
{
    struct slice text = link_reply_text(reply);
    bool type = memmem(text.ptr, text.len, "WRONGTYPE", 9) != NULL;

    return err_set(err, type ? EX_DATAERR : EX_UNAVAILABLE, "redis at %s, %.*s: %.*s",
                   store_where(c->store), SLICE_FMT(buf_slice(key)), SLICE_FMT(text));
}

/* --- one call -------------------------------------------------------------------------------- */

static void keys_make(const struct account_change *c, struct change_call *call)
{
    for (size_t i = 0; i < KEYS; i++)
        buf_init(&call->keys[i], KEY_BYTES);
    key_plan(&call->keys[0], c->prefix, c->holder);
    key_limits(&call->keys[1], c->prefix, c->holder);
    key_holder_changed(&call->keys[2], c->prefix, c->holder);
    key_holder_node(&call->keys[3], c->prefix, c->holder);
    key_adjust(&call->keys[4], c->prefix, c->holder);
}

static void keys_fini(struct change_call *call)
{
    for (size_t i = 0; i < KEYS; i++)
        buf_fini(&call->keys[i]);
}

/* Room for that many pairs; false when memory is out. */
static bool call_make(struct change_call *call, size_t pairs, struct arena *arena)
{
    call->argv = arena_array(arena, KEYS + 2 * pairs, sizeof *call->argv);
    if (call->argv == NULL)
        return false;
    for (call->argc = 0; call->argc < KEYS; call->argc++)
        call->argv[call->argc] = buf_slice(&call->keys[call->argc]);
    return true;
}

static void pair_add(struct change_call *call, struct slice name, struct slice value)
{
    call->argv[call->argc++] = name;
    call->argv[call->argc++] = value.len > 0 ? value : SLICE("");
}

/* In tg:changed every node sees which holders changed. The entry comes before the change, so that a
 * crash in between leaves a holder that is looked at for nothing. */
static void index_add(const struct account_change *c, long long version)
{
    struct slice argv[5] = {SLICE("ZADD")};
    size_t argc = 2;
    char score[24];
    struct buf key;

    buf_init(&key, KEY_BYTES);
    key_changed(&key, c->prefix);
    argv[1] = buf_slice(&key);
    if (version == 0)
        argv[argc++] = SLICE("NX");
    (void)snprintf(score, sizeof score, "%lld", version);
    argv[argc++] = slice_str(score);
    argv[argc++] = c->holder;
    store_pipe_add(c->store, argc, argv);
    buf_fini(&key);
}

static int reply_take(const struct account_change *c, const struct buf *key,
                      const redisReply *reply, long long *version, size_t *removed, struct err *err)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
        return refused(c, key, reply, err);
    *version = reply->element[0]->integer;
    *removed = (size_t)reply->element[1]->integer;
    return 0;
}

static int call_run(const struct account_change *c, struct change_call *call, size_t *removed,
                    struct err *err)
{
    long long version = 0;
    redisReply *replies[2];
    int result;

    *removed = 0;
    index_add(c, 0);
    store_pipe_add_script(c->store, &change_script, KEYS, call->argc, call->argv);
    if (store_pipe_run(c->store, replies, c->timeout_ms, err) != 0)
        return -1;
    result = reply_take(c, &call->keys[1], replies[1], &version, removed, err);
    freeReplyObject(replies[0]);
    freeReplyObject(replies[1]);
    if (result != 0 || version == 0)
        return result;
    index_add(c, version);
    if (store_pipe_run(c->store, replies, c->timeout_ms, err) != 0)
        return -1;
    freeReplyObject(replies[0]);
    return 0;
}

/* --- overrides ------------------------------------------------------------------------------- */

static bool names_same(struct slice field, struct slice name, struct arena *arena)
{
    struct limit a, b;

    if (slice_equal(field, name))
        return true;
    return limit_parse_field(field, arena, &a, NULL) == 0 &&
           limit_parse_field(name, arena, &b, NULL) == 0 && limit_same_name(&a, &b);
}

/* A removal of all fields that name the limit but `keep`, in a call with room for one more. */
static int others_add(const struct account_change *c, struct change_call *call, struct slice name,
                      struct slice keep, struct arena *arena, struct err *err)
{
    const struct buf *key = &call->keys[1];
    redisReply *reply = store_command(
        c->store, 2, (const struct slice[]){SLICE("HKEYS"), buf_slice(key)}, c->timeout_ms, err);
    int result = 0;

    if (reply == NULL)
        return -1;
    if (reply->type != REDIS_REPLY_ARRAY)
        result = refused(c, key, reply, err);
    else if (!call_make(call, reply->elements + 1, arena))
        result = err_set(err, EX_OSERR, "out of memory");
    for (size_t i = 0; result == 0 && i < reply->elements; i++) {
        struct slice field = link_reply_text(reply->element[i]);

        if (!slice_equal(field, keep) && names_same(field, name, arena))
            pair_add(call, arena_copy(arena, field), SLICE_NONE);
    }
    freeReplyObject(reply);
    return result;
}

static int change(const struct account_change *c, struct slice name, struct slice value,
                  struct arena *arena, size_t *removed, struct err *err)
{
    struct change_call call;
    int result;

    *removed = 0;
    keys_make(c, &call);
    result = others_add(c, &call, name, value.len > 0 ? name : SLICE_NONE, arena, err);
    if (result == 0 && value.len > 0)
        pair_add(&call, name, value);
    if (result == 0 && call.argc > KEYS)
        result = call_run(c, &call, removed, err);
    keys_fini(&call);
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
    limit_field(limit, &name);
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

/* --- the plan, and a node -------------------------------------------------------------------- */

static int value_change(const struct account_change *c, struct slice name, struct slice value,
                        size_t *removed, struct err *err)
{
    struct change_call call;
    struct arena arena;
    int result;

    arena_init(&arena, FIELDS_BYTES);
    keys_make(c, &call);
    if (call_make(&call, 1, &arena)) {
        pair_add(&call, name, value);
        result = call_run(c, &call, removed, err);
    } else {
        result = err_set(err, EX_OSERR, "out of memory");
    }
    keys_fini(&call);
    arena_fini(&arena);
    return result;
}

int account_change_plan_set(const struct account_change *c, struct slice plan, struct err *err)
{
    size_t unused;

    return value_change(c, SLICE("plan"), plan, &unused, err);
}

int account_change_plan_unset(const struct account_change *c, bool *removed, struct err *err)
{
    size_t count = 0;
    int result = value_change(c, SLICE("plan"), SLICE_NONE, &count, err);

    *removed = count > 0;
    return result;
}

int account_change_node_retire(const struct account_change *c, int64_t now_s, struct err *err)
{
    char text[24];
    size_t unused;

    (void)snprintf(text, sizeof text, "%" PRId64, now_s);
    return value_change(c, SLICE("retired"), slice_str(text), &unused, err);
}

int account_change_adjustment_add(const struct account_change *c, const struct adjustment *a,
                                  struct err *err)
{
    struct buf name, value;
    size_t unused;
    int result;

    buf_init(&name, KEY_BYTES);
    buf_init(&value, VALUE_BYTES);
    buf_add_str(&name, "adjust ");
    adjustment_field(a, &name);
    result = adjustment_print(a, &value, err);
    if (result == 0)
        result = value_change(c, buf_slice(&name), buf_slice(&value), &unused, err);
    buf_fini(&value);
    buf_fini(&name);
    return result;
}
