#include "web/login_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/read/read_reply.h"
#include "lib/redis/keys.h"

#define KEY_BYTES   1024
#define VALUE_BYTES 2048
#define FORM        "1" /* of the value; another one is no session */

/* --- trips ----------------------------------------------------------------------------------- */

static void key_of(struct buf *b, const struct reader *r, struct slice digest)
{
    buf_init(b, KEY_BYTES);
    key_web_session(b, r->prefix, digest);
}

static void list_key_of(struct buf *b, const struct reader *r, struct slice name)
{
    buf_init(b, KEY_BYTES);
    key_web_sessions(b, r->prefix, name);
}

/* Adds a command of a key and further words. */
static void add(struct reader *r, const char *command, const struct buf *key, size_t count,
                const struct slice *words)
{
    struct slice argv[8] = {slice_str(command), buf_slice(key)};

    for (size_t i = 0; i < count; i++)
        argv[2 + i] = words[i];
    store_pipe_add(r->store, 2 + count, argv);
}

/* Runs what was added, where only errors matter. */
static int run(struct reader *r, struct slice key, struct err *err)
{
    size_t count = store_pipe_count(r->store);
    redisReply *replies[16];
    int result;

    if (read_trip(r, replies, err) != 0)
        return -1;
    result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        if (replies[i]->type == REDIS_REPLY_ERROR)
            result = read_expect(r, replies[i], REDIS_REPLY_STATUS, key, err);
    }
    read_free(replies, count);
    return result;
}

/* --- the value ------------------------------------------------------------------------------- */

static void write_value(struct buf *b, const struct login_session *s)
{
    buf_add_str(b, FORM "\n");
    buf_add(b, s->name);
    buf_add_char(b, '\n');
    buf_add(b, s->stamp);
    buf_add_char(b, '\n');
    buf_add(b, s->token);
    buf_add_char(b, '\n');
    buf_add(b, s->client);
    buf_addf(b, "\n%" PRId64 "\n", s->since_s);
}

static bool read_value(struct slice text, struct login_session *s)
{
    struct slice form, since;
    uint64_t n;

    if (!slice_cut(&text, '\n', &form) || !slice_equal(form, SLICE(FORM)) ||
        !slice_cut(&text, '\n', &s->name) || !slice_cut(&text, '\n', &s->stamp) ||
        !slice_cut(&text, '\n', &s->token) || !slice_cut(&text, '\n', &s->client) ||
        !slice_cut(&text, '\n', &since) || !slice_number(since, &n))
        return false;
    s->since_s = (int64_t)n;
    return s->name.len > 0 && s->token.len > 0;
}

/* --- the life of one ------------------------------------------------------------------------- */

/* Those that are over leave the list of a name, and the oldest where there are too many. */
static void add_to_list(struct reader *r, const struct login_session *s, const struct buf *list)
{
    char until[24], now[24], most[24], keep[24];

    (void)snprintf(until, sizeof until, "%" PRId64, s->since_s + LOGIN_SESSION_MAX_S);
    (void)snprintf(now, sizeof now, "%" PRId64, s->since_s);
    (void)snprintf(most, sizeof most, "%d", -1 - LOGIN_SESSIONS_MAX);
    (void)snprintf(keep, sizeof keep, "%" PRId64, LOGIN_SESSION_MAX_S);
    add(r, "ZREMRANGEBYSCORE", list, 2, (struct slice[]){SLICE("-inf"), slice_str(now)});
    add(r, "ZADD", list, 2, (struct slice[]){slice_str(until), slice_str(s->digest)});
    add(r, "ZREMRANGEBYRANK", list, 2, (struct slice[]){SLICE("0"), slice_str(most)});
    add(r, "EXPIRE", list, 1, (struct slice[]){slice_str(keep)});
}

int login_session_start(struct reader *r, struct login_session *s, struct arena *arena,
                        char cookie[SECRET_TEXT], struct err *err)
{
    char token[SECRET_TEXT], idle[24];
    struct buf key, list, value;
    int result;

    secret_random(cookie);
    secret_random(token);
    secret_digest(slice_str(cookie), s->digest);
    s->token = arena_copy(arena, slice_str(token));
    key_of(&key, r, slice_str(s->digest));
    list_key_of(&list, r, s->name);
    buf_init(&value, VALUE_BYTES);
    write_value(&value, s);
    (void)snprintf(idle, sizeof idle, "%" PRId64, LOGIN_SESSION_IDLE_S);
    add(r, "SET", &key, 3, (struct slice[]){buf_slice(&value), SLICE("EX"), slice_str(idle)});
    add_to_list(r, s, &list);
    result = key.failed || list.failed || value.failed || s->token.ptr == NULL
                 ? read_no_memory(err)
                 : run(r, buf_slice(&key), err);
    store_pipe_reset(r->store);
    buf_fini(&key);
    buf_fini(&list);
    buf_fini(&value);
    return result;
}

/* Reads one; its life is prolonged where `is_used`. */
static int fetch(struct reader *r, struct slice digest, bool is_used, struct slice *value,
                 struct arena *arena, struct err *err)
{
    redisReply *replies[2];
    size_t count = is_used ? 2 : 1;
    struct buf key;
    char idle[24];
    int result;

    *value = SLICE_NONE;
    (void)snprintf(idle, sizeof idle, "%" PRId64, LOGIN_SESSION_IDLE_S);
    key_of(&key, r, digest);
    add(r, "GET", &key, 0, NULL);
    if (is_used)
        add(r, "EXPIRE", &key, 1, (struct slice[]){slice_str(idle)});
    result = read_trip(r, replies, err);
    if (result == 0 && replies[0]->type != REDIS_REPLY_NIL) {
        result = read_expect(r, replies[0], REDIS_REPLY_STRING, buf_slice(&key), err);
        if (result == 0)
            *value = arena_copy(arena, (struct slice){replies[0]->str, replies[0]->len});
        read_free(replies, count);
    } else if (result == 0) {
        read_free(replies, count);
    }
    buf_fini(&key);
    return result;
}

static bool goes_on(const struct login_session *s, int64_t now_s)
{
    return now_s < s->since_s + LOGIN_SESSION_MAX_S;
}

int login_session_find(struct reader *r, struct slice cookie, int64_t now_s, struct arena *arena,
                       struct login_session *s, bool *found, struct err *err)
{
    struct slice value;

    *found = false;
    secret_digest(cookie, s->digest);
    if (fetch(r, slice_str(s->digest), true, &value, arena, err) != 0)
        return -1;
    *found = value.ptr != NULL && read_value(value, s) && goes_on(s, now_s);
    return 0;
}

int login_session_end(struct reader *r, struct slice name, struct slice digest, struct err *err)
{
    struct buf key, list;
    int result;

    key_of(&key, r, digest);
    list_key_of(&list, r, name);
    add(r, "DEL", &key, 0, NULL);
    add(r, "ZREM", &list, 1, &digest);
    result = run(r, buf_slice(&key), err);
    buf_fini(&key);
    buf_fini(&list);
    return result;
}

static int take_one(struct reader *r, const redisReply *digest, int64_t now_s, struct arena *arena,
                    struct login_session_list *out, struct err *err)
{
    struct login_session *s = &out->items[out->count];
    struct slice value;

    if (digest->type != REDIS_REPLY_STRING || digest->len != SECRET_TEXT - 1)
        return 0;
    memcpy(s->digest, digest->str, SECRET_TEXT);
    if (fetch(r, slice_str(s->digest), false, &value, arena, err) != 0)
        return -1;
    out->count += value.ptr != NULL && read_value(value, s) && goes_on(s, now_s) ? 1 : 0;
    return 0;
}

int login_session_of(struct reader *r, struct slice name, int64_t now_s, struct arena *arena,
                     struct login_session_list *out, struct err *err)
{
    struct buf list;
    redisReply *reply;
    int result;

    out->count = 0;
    list_key_of(&list, r, name);
    add(r, "ZREVRANGE", &list, 2, (struct slice[]){SLICE("0"), SLICE("-1")});
    result = read_trip(r, &reply, err);
    if (result == 0) {
        result = read_expect(r, reply, REDIS_REPLY_ARRAY, buf_slice(&list), err);
        for (size_t i = 0; result == 0 && i < reply->elements && out->count < LOGIN_SESSIONS_MAX;
             i++)
            result = take_one(r, reply->element[i], now_s, arena, out, err);
        read_free(&reply, 1);
    }
    buf_fini(&list);
    return result;
}
