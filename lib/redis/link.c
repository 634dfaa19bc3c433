#include "lib/redis/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#define READ_BYTES     ((size_t)16 << 10)
#define GREETING_BYTES ((size_t)64 << 10)
#define GREETING_MAX   4

void link_command_add(struct buf *out, size_t argc, const struct slice *argv)
{
    const char **ptrs = calloc(argc + 1, sizeof *ptrs);
    size_t *lens = calloc(argc + 1, sizeof *lens);
    char *bytes = NULL;
    int len = -1;

    if (ptrs != NULL && lens != NULL && argc < INT32_MAX) {
        for (size_t i = 0; i < argc; i++) {
            ptrs[i] = argv[i].ptr != NULL ? argv[i].ptr : "";
            lens[i] = argv[i].len;
        }
        len = redisFormatCommandArgv(&bytes, (int)argc, ptrs, lens);
    }
    if (len >= 0)
        buf_add(out, (struct slice){bytes, (size_t)len});
    else
        out->failed = true;
    free(bytes);
    free(lens);
    free(ptrs);
}

struct slice link_reply_text(const redisReply *reply)
{
    bool has_text = reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS ||
                    reply->type == REDIS_REPLY_ERROR;

    return has_text ? (struct slice){reply->str, (size_t)reply->len} : SLICE_NONE;
}

/* --- one trip: all commands out, all replies in
 * --------------------------------------------------- */

static int protocol_error(struct err *err, const char *what)
{
    return err_set(err, EX_UNAVAILABLE, "not a Redis server: %s", what);
}

static bool has_leftover(const struct redis_link *l)
{
    return l->reader->pos < l->reader->len;
}

/* Takes the complete replies out of the reader. */
static int take_replies(struct redis_link *l, redisReply **replies, size_t want, size_t *have,
                        struct err *err)
{
    while (*have < want) {
        void *reply = NULL;

        if (redisReaderGetReply(l->reader, &reply) != REDIS_OK)
            return protocol_error(err, l->reader->errstr);
        if (reply == NULL)
            return 0;
        replies[(*have)++] = reply;
    }
    return has_leftover(l) ? protocol_error(err, "more replies than commands") : 0;
}

static int read_some(struct redis_link *l, size_t *total, struct err *err)
{
    char bytes[READ_BYTES];
    ptrdiff_t n = transport_read(&l->transport, bytes, sizeof bytes, err);

    if (n < 0)
        return -1;
    *total += (size_t)n;
    if (*total > LINK_TRIP_MAX_BYTES)
        return err_set(err, EX_UNAVAILABLE, "replies of more than %zu MB in one trip",
                       LINK_TRIP_MAX_BYTES >> 20);
    if (n > 0 && redisReaderFeed(l->reader, bytes, (size_t)n) != REDIS_OK)
        return protocol_error(err, l->reader->errstr);
    return 0;
}

/* Reads while it writes: with a long pipeline both sides' buffers would fill up otherwise. */
static int exchange(struct redis_link *l, struct slice out, redisReply **replies, size_t want,
                    size_t *have, int64_t deadline_ms, struct err *err)
{
    size_t total = 0;

    while (*have < want) {
        ptrdiff_t n = 0;

        if (transport_wait(&l->transport, out.len > 0, deadline_ms, err) != 0)
            return -1;
        if (out.len > 0)
            n = transport_write(&l->transport, out.ptr, out.len, err);
        if (n < 0)
            return -1;
        out = slice_from(out, (size_t)n);
        if (read_some(l, &total, err) != 0 || take_replies(l, replies, want, have, err) != 0)
            return -1;
    }
    return 0;
}

/* A server that turns a client away says why in one error reply and closes. */
static void tell_refusal(redisReply **replies, size_t have, struct err *err)
{
    if (have > 0 && replies[0]->type == REDIS_REPLY_ERROR)
        (void)err_prefix(err, "%.*s", SLICE_FMT(slice_to(link_reply_text(replies[0]), 200)));
}

int link_trip(struct redis_link *l, struct slice out, redisReply **replies, size_t want,
              int64_t deadline_ms, struct err *err)
{
    size_t have = 0;

    if (exchange(l, out, replies, want, &have, deadline_ms, err) == 0)
        return 0;
    tell_refusal(replies, have, err);
    for (size_t i = 0; i < have; i++)
        freeReplyObject(replies[i]);
    link_close(l);
    return -1;
}

/* --- the greeting
 * --------------------------------------------------------------------------------- */

/* AUTH and SELECT where they are needed, then INFO and PING; returns how many. PING finds a server
 * that is still loading or wants a password. */
static size_t add_greeting(struct buf *out, const struct link_login *login)
{
    struct slice auth[3] = {SLICE("AUTH"), login->username, login->password};
    struct slice info[2] = {SLICE("INFO"), SLICE("server")}, ping = SLICE("PING");
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

static int check_greeting(redisReply **replies, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        struct slice text = link_reply_text(replies[i]);
        bool is_info = i + 2 == count;

        if (replies[i]->type != REDIS_REPLY_ERROR || is_info)
            continue;
        text = slice_to(text, 200);
        if (slice_starts_nocase(text, SLICE("NOAUTH")) ||
            slice_starts_nocase(text, SLICE("WRONGPASS")) ||
            slice_starts_nocase(text, SLICE("ERR invalid password")))
            return err_set(err, EX_UNAVAILABLE,
                           "login rejected: %.*s (check store.username and store.password_file)",
                           SLICE_FMT(text));
        return err_set(err, EX_UNAVAILABLE, "rejected: %.*s", SLICE_FMT(text));
    }
    return 0;
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
    result = check_greeting(replies, count, err);
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
    l->reader = redisReaderCreate();
    if (l->reader == NULL)
        (void)err_set(err, EX_OSERR, "out of memory");
    else if (greet(l, login, deadline_ms, err) == 0)
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
