#include "lib/throttle/account_change.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/throttle/account_overrides.h"
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
    return *version < 0 ? 1 : 0;
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

/* A limit by a field that names it; the field to keep, if any. */
struct change_name {
    struct slice name, keep;
    struct arena *arena;
};

static bool names_same(struct slice field, struct slice name, struct arena *arena)
{
    struct limit a, b;

    if (slice_equal(field, name))
        return true;
    return limit_parse_field(field, arena, &a, NULL) == 0 &&
           limit_parse_field(name, arena, &b, NULL) == 0 && limit_same_name(&a, &b);
}

/* Binds the change to that value, where it is to be bound. */
static void expect_add(const struct account_change *c, struct change_call *call, struct slice name,
                       struct slice value, struct arena *arena)
{
    struct buf b;

    if (c->seen == NULL)
        return;
    buf_init(&b, KEY_BYTES);
    buf_add_str(&b, "expect ");
    buf_add(&b, name);
    pair_add(call, arena_copy(arena, buf_slice(&b)), value);
    buf_fini(&b);
}

/* One field of the hash: is it what was seen, and does it have to go? */
static void other_add(const struct account_change *c, struct change_call *call,
                      const struct change_name *n, struct slice field, struct slice value)
{
    struct slice name = arena_copy(n->arena, field);

    if (!names_same(name, n->name, n->arena))
        return;
    expect_add(c, call, name, arena_copy(n->arena, value), n->arena);
    if (!slice_equal(field, n->keep))
        pair_add(call, name, SLICE_NONE);
}

static bool has_field(const redisReply *reply, struct slice name)
{
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        if (slice_equal(link_reply_text(reply->element[i]), name))
            return true;
    }
    return false;
}

/* Is what stands there what was seen? */
static bool is_as_seen(const struct account_change *c, const redisReply *reply,
                       const struct change_name *n)
{
    struct account_overrides there = {.count = 0};
    struct limit name;

    if (c->seen == NULL || limit_parse_field(n->name, n->arena, &name, NULL) != 0)
        return true;
    return account_overrides_take(reply, n->arena, &there, NULL) == 0 &&
           account_overrides_stamp(&there, &name) == *c->seen;
}

/* A removal of all fields that name the limit but the one to keep, in a call with room for one
 * more. */
static int others_add(const struct account_change *c, struct change_call *call,
                      const struct change_name *n, struct err *err)
{
    const struct buf *key = &call->keys[1];
    redisReply *reply = store_command(
        c->store, 2, (const struct slice[]){SLICE("HGETALL"), buf_slice(key)}, c->timeout_ms, err);
    int result = 0;

    if (reply == NULL)
        return -1;
    if (reply->type != REDIS_REPLY_ARRAY)
        result = refused(c, key, reply, err);
    else if (!call_make(call, reply->elements + 2, n->arena))
        result = err_set(err, EX_OSERR, "out of memory");
    else if (!is_as_seen(c, reply, n))
        result = 1;
    for (size_t i = 0; result == 0 && i + 1 < reply->elements; i += 2)
        other_add(c, call, n, link_reply_text(reply->element[i]),
                  link_reply_text(reply->element[i + 1]));
    if (result == 0 && !has_field(reply, n->name))
        expect_add(c, call, n->name, SLICE_NONE, n->arena);
    freeReplyObject(reply);
    return result;
}

static int change(const struct account_change *c, struct slice name, struct slice value,
                  struct arena *arena, size_t *removed, struct err *err)
{
    struct change_name n = {name, value.len > 0 ? name : SLICE_NONE, arena};
    struct change_call call;
    int result;

    *removed = 0;
    keys_make(c, &call);
    result = others_add(c, &call, &n, err);
    if (result == 0 && value.len > 0)
        pair_add(&call, name, value);
    if (result == 0 && call.argc > KEYS) /* what is to be done, or to be so */
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

/* The plan there is, where the change is bound to it; 1: it is not what was seen. */
static int plan_seen(const struct account_change *c, struct arena *arena, struct slice *plan,
                     struct err *err)
{
    struct account_overrides there;

    *plan = SLICE_NONE;
    if (c->seen == NULL)
        return 0;
    if (account_overrides_read(c->store, c->prefix, c->holder, c->timeout_ms, arena, &there, NULL,
                               err) != 0)
        return -1;
    *plan = there.plan;
    return account_overrides_stamp(&there, NULL) == *c->seen ? 0 : 1;
}

static int plan_change(const struct account_change *c, struct slice value, size_t *removed,
                       struct err *err)
{
    struct change_call call;
    struct slice plan;
    struct arena arena;
    int result;

    *removed = 0;
    arena_init(&arena, FIELDS_BYTES);
    keys_make(c, &call);
    result = plan_seen(c, &arena, &plan, err);
    if (result == 0 && call_make(&call, 2, &arena)) {
        expect_add(c, &call, SLICE("plan"), plan, &arena);
        pair_add(&call, SLICE("plan"), value);
        result = call_run(c, &call, removed, err);
    } else if (result == 0) {
        result = err_set(err, EX_OSERR, "out of memory");
    }
    keys_fini(&call);
    arena_fini(&arena);
    return result;
}

int account_change_plan_set(const struct account_change *c, struct slice plan, struct err *err)
{
    size_t unused;

    return plan_change(c, plan, &unused, err);
}

int account_change_plan_unset(const struct account_change *c, bool *removed, struct err *err)
{
    size_t count = 0;
    int result = plan_change(c, SLICE_NONE, &count, err);

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
