#include "lib/redis/link.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"

#define READ_BYTES     ((size_t)16 << 10)
#define GREETING_BYTES ((size_t)64 << 10)
#define GREETING_MAX   5

#define LENGTH_BYTES   ((size_t)24)

/* RESP's "*3\r\n" and "$5\r\n", at the end of `room`. */
static struct slice length_text(char kind, size_t n, char room[LENGTH_BYTES])
{
    size_t at = LENGTH_BYTES;

    room[--at] = '\n';
    room[--at] = '\r';
    do
        room[--at] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    room[--at] = kind;
    return (struct slice){room + at, LENGTH_BYTES - at};
}

void link_head_add(struct buf *out, size_t argc)
{
    char room[LENGTH_BYTES];

    buf_add(out, length_text('*', argc, room));
}

/* A command has some thirty words: each is written at once. */
void link_word_add(struct buf *out, struct slice word)
{
    char room[LENGTH_BYTES];
    struct slice length = length_text('$', word.len, room);
    size_t whole = length.len + word.len + 2;
    char *p = buf_space(out, whole);

    if (p == NULL)
        return;
    memcpy(p, length.ptr, length.len);
    if (word.len > 0)
        memcpy(p + length.len, word.ptr, word.len);
    memcpy(p + whole - 2, "\r\n", sizeof "\r\n");
    out->len += whole;
}

void link_command_add(struct buf *out, size_t argc, const struct slice *argv)
{
    link_head_add(out, argc);
    for (size_t i = 0; i < argc; i++)
        link_word_add(out, argv[i]);
}

struct slice link_reply_text(const redisReply *reply)
{
    bool has_text = reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS ||
                    reply->type == REDIS_REPLY_ERROR;

    return has_text ? (struct slice){reply->str, (size_t)reply->len} : SLICE_NONE;
}

/* --- the reader ------------------------------------------------------------------------------ */

/* Since its version 1.0 hiredis nests as deep as the server likes, and frees that by recursion. */
static bool is_too_deep(const redisReadTask *task)
{
    int depth = 0;

    for (; task != NULL && depth <= LINK_DEPTH_MAX; task = task->parent)
        depth++;
    return depth > LINK_DEPTH_MAX;
}

/* hiredis reserves memory for as many elements as the server announces. */
static void *array_within_limits(const redisReadTask *task, link_element_count elements)
{
    const struct redis_link *l = task->privdata;

    if ((size_t)elements > l->array_max || is_too_deep(task))
        return NULL;
    return l->usual.createArray(task, elements);
}

int link_reader_make(struct redis_link *l, struct err *err)
{
    l->reader = redisReaderCreate();
    if (l->reader == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    l->usual = l->bounded = *l->reader->fn;
    l->bounded.createArray = array_within_limits;
    l->array_max = LINK_ARRAY_MAX;
    l->reader->fn = &l->bounded;
    l->reader->privdata = l;
    return 0;
}

/* --- a trip: all commands out, all replies in ------------------------------------------------ */

static int protocol_error(struct err *err, const char *what)
{
    return err_set(err, EX_UNAVAILABLE, "not a Redis server: %s", what);
}

static bool has_leftover(const struct redis_link *l)
{
    return l->reader->pos < l->reader->len;
}

/* Takes the complete replies out of the reader. */
static int take_replies(struct link_trip *t)
{
    redisReader *reader = t->link->reader;

    while (t->have < t->want) {
        void *reply = NULL;

        if (redisReaderGetReply(reader, &reply) != REDIS_OK)
            return protocol_error(&t->err, reader->errstr);
        if (reply == NULL)
            return 0;
        t->replies[t->have++] = reply;
    }
    return has_leftover(t->link) ? protocol_error(&t->err, "more replies than commands") : 0;
}

static int read_some(struct link_trip *t)
{
    char bytes[READ_BYTES];
    ptrdiff_t n = transport_read(&t->link->transport, bytes, sizeof bytes, &t->err);

    if (n < 0)
        return -1;
    t->bytes += (size_t)n;
    if (t->bytes > LINK_TRIP_MAX_BYTES)
        return err_set(&t->err, EX_UNAVAILABLE, "replies of more than %zu MB in one trip",
                       LINK_TRIP_MAX_BYTES >> 20);
    if (n > 0 && redisReaderFeed(t->link->reader, bytes, (size_t)n) != REDIS_OK)
        return protocol_error(&t->err, t->link->reader->errstr);
    return 0;
}

static bool is_finished(const struct link_trip *t)
{
    return t->is_failed || t->have == t->want;
}

/* A server that turns a client away says why in one error reply and closes. */
static void tell_refusal(struct link_trip *t)
{
    if (t->have > 0 && t->replies[0]->type == REDIS_REPLY_ERROR)
        (void)err_prefix(&t->err, "%.*s", SLICE_FMT(slice_to(link_reply_text(t->replies[0]), 200)));
}

static void trip_fail(struct link_trip *t)
{
    tell_refusal(t);
    for (size_t i = 0; i < t->have; i++)
        freeReplyObject(t->replies[i]);
    t->have = 0;
    t->is_failed = true;
    link_close(t->link);
}

/* What goes without waiting. Reads while it writes: with a long pipeline both sides' buffers would
 * fill up otherwise. */
static void trip_step(struct link_trip *t)
{
    ptrdiff_t n = 0;

    if (t->out.len > 0)
        n = transport_write(&t->link->transport, t->out.ptr, t->out.len, &t->err);
    if (n >= 0)
        t->out = slice_from(t->out, (size_t)n);
    if (n < 0 || read_some(t) != 0 || take_replies(t) != 0)
        trip_fail(t);
}

static int trip_make(struct link_trip *t, int64_t deadline_ms)
{
    while (!is_finished(t)) {
        if (transport_wait(&t->link->transport, t->out.len > 0, deadline_ms, &t->err) == 0)
            trip_step(t);
        else
            trip_fail(t);
    }
    return t->is_failed ? -1 : 0;
}

int link_trip(struct redis_link *l, struct slice out, redisReply **replies, size_t want,
              int64_t deadline_ms, struct err *err)
{
    struct link_trip t = {.link = l, .out = out, .replies = replies, .want = want};

    if (trip_make(&t, deadline_ms) != 0)
        return err_set(err, t.err.code, "%s", t.err.text);
    return 0;
}

/* Waits until one of the trips can go on; fills polls[i] of each that is not finished. False: the
 * deadline has come. */
static bool wait_any(const struct link_trip *trips, size_t count, struct pollfd *polls,
                     int64_t deadline_ms)
{
    int64_t left = deadline_ms - clock_monotonic_ms();
    bool is_ready = false;

    for (size_t i = 0; i < count; i++) {
        polls[i] = (struct pollfd){.fd = -1};
        if (!is_finished(&trips[i]) &&
            transport_poll(&trips[i].link->transport, trips[i].out.len > 0, &polls[i])) {
            polls[i].revents = POLLIN;
            is_ready = true;
        }
    }
    if (left <= 0)
        return false;
    if (is_ready)
        return true;
    (void)poll(polls, count, left > INT_MAX ? INT_MAX : (int)left);
    return true;
}

static size_t unfinished(const struct link_trip *trips, size_t count)
{
    size_t left = 0;

    for (size_t i = 0; i < count; i++)
        left += !is_finished(&trips[i]);
    return left;
}

static void trips_fail(struct link_trip *trips, size_t count, const char *why)
{
    for (size_t i = 0; i < count; i++) {
        if (is_finished(&trips[i]))
            continue;
        (void)err_set(&trips[i].err, EX_UNAVAILABLE, "%s", why);
        trip_fail(&trips[i]);
    }
}

void link_trips(struct link_trip *trips, size_t count, int64_t deadline_ms)
{
    struct pollfd *polls = calloc(count + 1, sizeof *polls);

    if (polls == NULL)
        trips_fail(trips, count, "out of memory");
    while (unfinished(trips, count) > 0) {
        if (!wait_any(trips, count, polls, deadline_ms))
            trips_fail(trips, count, "no answer in time");
        for (size_t i = 0; i < count; i++)
            if (!is_finished(&trips[i]) && polls[i].revents != 0)
                trip_step(&trips[i]);
    }
    free(polls);
}

/* --- the greeting ---------------------------------------------------------------------------- */

/* AUTH, SELECT and ROLE where they are needed, then INFO and PING; returns how many. PING finds a
 * server that is still loading or wants a password. */
static size_t add_greeting(struct buf *out, const struct link_login *login)
{
    struct slice auth[3] = {SLICE("AUTH"), login->username, login->password};
    struct slice info[2] = {SLICE("INFO"), SLICE("server")}, ping = SLICE("PING");
    struct slice role = SLICE("ROLE");
    char db[16];
    size_t count = 2;

    if (login->password.len > 0 && login->username.len > 0) {
        link_command_add(out, 3, auth);
        count++;
    } else if (login->password.len > 0) {
        auth[1] = login->password;
        link_command_add(out, 2, auth);
        count++;
    }
    if (login->db != 0) {
        (void)snprintf(db, sizeof db, "%u", login->db);
        link_command_add(out, 2, (struct slice[2]){SLICE("SELECT"), slice_str(db)});
        count++;
    }
    if (login->wants_master) {
        link_command_add(out, 1, &role);
        count++;
    }
    link_command_add(out, 2, info);
    link_command_add(out, 1, &ping);
    return count;
}

/* The value of run_id: in the text of INFO. A user without permission for INFO has none. */
static void keep_run_id(struct redis_link *l, const redisReply *reply)
{
    struct slice rest = link_reply_text(reply), line;

    l->run_id[0] = '\0';
    while (reply->type == REDIS_REPLY_STRING && slice_cut(&rest, '\n', &line))
        if (slice_starts_nocase(line, SLICE("run_id:"))) {
            line = slice_trim(slice_from(line, 7));
            (void)snprintf(l->run_id, sizeof l->run_id, "%.*s", SLICE_FMT(line));
        }
}

static int rejected(struct slice text, struct err *err)
{
    text = slice_to(text, 200);
    if (slice_starts_nocase(text, SLICE("NOAUTH")) ||
        slice_starts_nocase(text, SLICE("WRONGPASS")) ||
        slice_starts_nocase(text, SLICE("ERR invalid password")))
        return err_set(err, EX_UNAVAILABLE,
                       "login rejected: %.*s (check store.username and store.password_file)",
                       SLICE_FMT(text));
    return err_set(err, EX_UNAVAILABLE, "rejected: %.*s", SLICE_FMT(text));
}

static int check_role(const redisReply *reply, struct err *err)
{
    struct slice role = SLICE("of an unknown role");

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0)
        role = link_reply_text(reply->element[0]);
    if (slice_equal(role, SLICE("master")))
        return 0;
    return err_set(err, EX_UNAVAILABLE, "the server is no master now, but %.*s",
                   SLICE_FMT(slice_to(role, 40)));
}

static int check_greeting(redisReply **replies, size_t count, const struct link_login *login,
                          struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        bool is_info = i + 2 == count, is_auth = i == 0 && login->password.len > 0;

        if (replies[i]->type == REDIS_REPLY_ERROR && !is_info && !(is_auth && login->is_optional))
            return rejected(link_reply_text(replies[i]), err);
    }
    return login->wants_master ? check_role(replies[count - 3], err) : 0;
}

static int greet(struct redis_link *l, const struct link_login *login, int64_t deadline_ms,
                 struct err *err)
{
    redisReply *replies[GREETING_MAX];
    struct buf out;
    size_t count;
    int result;

    buf_init(&out, GREETING_BYTES);
    count = add_greeting(&out, login);
    if (out.failed)
        result = err_set(err, EX_OSERR, "out of memory");
    else
        result = link_trip(l, buf_slice(&out), replies, count, deadline_ms, err);
    buf_fini(&out);
    if (result != 0)
        return -1;
    result = check_greeting(replies, count, login, err);
    keep_run_id(l, replies[count - 2]);
    for (size_t i = 0; i < count; i++)
        freeReplyObject(replies[i]);
    return result;
}

int link_open(struct redis_link *l, const struct endpoint *e, const struct link_login *login,
              int64_t deadline_ms, struct err *err)
{
    *l = LINK_CLOSED;
    if (transport_open(&l->transport, e, deadline_ms, err) != 0)
        return -1;
    if (link_reader_make(l, err) == 0 && greet(l, login, deadline_ms, err) == 0)
        return 0;
    link_close(l);
    return -1;
}

void link_close(struct redis_link *l)
{
    transport_close(&l->transport);
    if (l->reader != NULL)
        redisReaderFree(l->reader);
    l->reader = NULL;
}
