#include "collect/clamd.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/core/arena.h"
#include "lib/sys/log.h"
#include "lib/sys/socket_name.h"

#define NAME_BYTES 4096

static const char question[] = "zSTATS"; /* the NUL ends it */

/* --- the address -------------------------------------------------------------------------------
 */

static int address_unix(struct clamd *c, const char *path)
{
    struct sockaddr_un *a = (struct sockaddr_un *)&c->address;

    a->sun_family = AF_UNIX;
    (void)snprintf(a->sun_path, sizeof a->sun_path, "%s", path);
    c->address_len = sizeof *a;
    return 0;
}

static int address_inet(struct clamd *c, const struct socket_name *name, struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char port[8];

    (void)snprintf(port, sizeof port, "%u", (unsigned)name->port);
    if (getaddrinfo(name->host, port, &hints, &list) != 0)
        return err_set(err, EX_CONFIG, "collect.clamd: \"%s\" is not an IP address", name->host);
    memcpy(&c->address, list->ai_addr, list->ai_addrlen);
    c->address_len = list->ai_addrlen;
    freeaddrinfo(list);
    return 0;
}

int clamd_init(struct clamd *c, const char *where, struct err *err)
{
    struct socket_name name;
    struct arena arena;
    int rc;

    *c = (struct clamd){.where = where,
                        .fd = -1,
                        .problem = {"clamd does not answer; how long it scans is not counted",
                                    "clamd answers again", LOG_WARNING, .times = 0}};
    if (where[0] == '\0')
        return 0;
    arena_init(&arena, NAME_BYTES);
    rc = socket_name_parse(slice_str(where), &arena, &name, err);
    if (rc == 0)
        rc = name.family == SOCKET_UNIX ? address_unix(c, name.path) : address_inet(c, &name, err);
    arena_fini(&arena);
    return rc;
}

static void hang_up(struct clamd *c)
{
    if (c->fd >= 0)
        (void)close(c->fd);
    c->fd = -1;
    c->is_sent = false;
    c->len = 0;
}

void clamd_fini(struct clamd *c)
{
    if (c->address_len > 0)
        hang_up(c);
}

/* --- asking ------------------------------------------------------------------------------------
 */

static void fail(struct clamd *c, int64_t now_ms, const char *what, const char *fix)
{
    struct err e;

    (void)err_set(&e, EX_UNAVAILABLE, "%s: %s: %s", c->where, what, fix);
    log_problem_raise(&c->problem, &e, now_ms);
    hang_up(c);
}

static void fail_errno(struct clamd *c, int64_t now_ms, int error)
{
    if (error == EACCES || error == EPERM)
        fail(c, now_ms, strerror(error), "add the account of tollgate-collect to clamd's group");
    else
        fail(c, now_ms, strerror(error), "start clamd, or correct collect.clamd");
}

static void ask(struct clamd *c, int64_t now_ms)
{
    c->next_ms = now_ms + CLAMD_EVERY_MS;
    c->deadline_ms = now_ms + CLAMD_DEADLINE_MS;
    c->fd = socket(c->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0 || (connect(c->fd, (const struct sockaddr *)&c->address, c->address_len) < 0 &&
                      errno != EINPROGRESS))
        fail_errno(c, now_ms, errno);
}

/* --- the answer --------------------------------------------------------------------------------
 */

/* "live 3  idle 1 max 10 idle-timeout 30" */
static bool pool_working(struct slice line, uint64_t *threads)
{
    struct slice word;
    uint64_t live, idle;

    if (!slice_word(&line, " ", &word) || !slice_equal(word, SLICE("live")) ||
        !slice_word(&line, " ", &word) || !slice_number(word, &live) ||
        !slice_word(&line, " ", &word) || !slice_equal(word, SLICE("idle")) ||
        !slice_word(&line, " ", &word) || !slice_number(word, &idle) || live < idle ||
        live > CLAMD_THREADS)
        return false;
    *threads += live - idle;
    return true;
}

bool clamd_working(struct slice reply, uint64_t *threads)
{
    static const struct slice mark = {"THREADS: ", 9}, end = {"END", 3};
    bool is_known = false, is_whole = false;
    struct slice line;

    *threads = 0;
    while (slice_word(&reply, "\n", &line)) {
        is_whole = slice_equal(line, end);
        if (!slice_starts(line, mark))
            continue;
        if (!pool_working(slice_from(line, mark.len), threads))
            return false;
        is_known = true;
    }
    return is_known && is_whole && *threads > 0 && *threads <= CLAMD_THREADS;
}

static bool answer_take(struct clamd *c, int64_t now_ms, int64_t time_ms, const struct sink *sink)
{
    int64_t past_ms = now_ms - c->answered_ms;
    uint64_t threads;

    if (!clamd_working((struct slice){c->reply, c->len}, &threads)) {
        fail(c, now_ms, "not an answer of clamd's to zSTATS", "correct collect.clamd");
        return false;
    }
    if (c->answered_ms != 0 && past_ms <= CLAMD_LATE_MS)
        c->rest_ms += (threads - 1) * (uint64_t)past_ms;
    if (c->rest_ms >= 1000)
        sink->count(sink->to, time_ms, &PAYER_NONE, COUNTER_CLAMD_CONNECTION_SECONDS,
                    c->rest_ms / 1000);
    c->rest_ms %= 1000;
    c->answered_ms = now_ms;
    log_problem_clear(&c->problem);
    hang_up(c);
    return true;
}

/* Sends the question, which a new socket takes as a whole. False: not yet, or it failed. */
static bool question_send(struct clamd *c, int64_t now_ms)
{
    ssize_t n = send(c->fd, question, sizeof question, MSG_NOSIGNAL);

    if (n == (ssize_t)sizeof question)
        c->is_sent = true;
    else if (n >= 0 || (errno != EAGAIN && errno != EINTR))
        fail_errno(c, now_ms, n >= 0 ? EIO : errno);
    return c->is_sent;
}

/* True: the reply is complete; its end, a NUL or that of the connection, is not a part of it. */
static bool reply_read(struct clamd *c, int64_t now_ms)
{
    ssize_t n;

    while ((n = recv(c->fd, c->reply + c->len, sizeof c->reply - c->len, 0)) > 0) {
        const char *end = memchr(c->reply + c->len, '\0', (size_t)n);

        c->len = end != NULL ? (size_t)(end - c->reply) : c->len + (size_t)n;
        if (end != NULL || c->len == sizeof c->reply)
            return true;
    }
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        fail_errno(c, now_ms, errno);
    return n == 0;
}

/* --- turns -------------------------------------------------------------------------------------
 */

struct pollfd clamd_pollfd(const struct clamd *c)
{
    return (struct pollfd){.fd = c->fd, .events = c->is_sent ? POLLIN : POLLOUT};
}

bool clamd_turn(struct clamd *c, int64_t now_ms, int64_t time_ms, const struct sink *sink)
{
    if (c->address_len == 0)
        return false;
    if (c->fd < 0 && now_ms >= c->next_ms)
        ask(c, now_ms);
    if (c->fd < 0)
        return false;
    if ((c->is_sent || question_send(c, now_ms)) && reply_read(c, now_ms))
        return answer_take(c, now_ms, time_ms, sink);
    if (c->fd >= 0 && now_ms >= c->deadline_ms)
        fail(c, now_ms, "no answer in time", "see whether clamd is overloaded");
    return false;
}
