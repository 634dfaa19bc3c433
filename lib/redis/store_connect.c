/* How a store gets at its server: login, TLS, and the master that the sentinels name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/redis/store_work.h"
#include "lib/sys/clock.h"

#define PAUSE_MIN_MS       50
#define PAUSE_MAX_MS       5000
#define PASSWORD_MAX_BYTES 4096

/* --- one link -------------------------------------------------------------------------------- */

static int bad_password(const struct store *st, struct err *err, const char *what)
{
    return err_set(err, EX_CONFIG, "store.password_file %s: %s", st->password_file, what);
}

/* The password: the file's first line, else the URL's. */
static int read_password(const struct store *st, char text[PASSWORD_MAX_BYTES],
                         struct slice *password, struct err *err)
{
    struct slice rest;
    ssize_t n;
    int fd;

    *password = st->url.password;
    if (st->password_file[0] == '\0')
        return 0;
    fd = open(st->password_file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return bad_password(st, err, strerror(errno));
    n = read(fd, text, PASSWORD_MAX_BYTES);
    (void)close(fd);
    if (n < 0)
        return bad_password(st, err, strerror(errno));
    rest = (struct slice){text, (size_t)n};
    (void)slice_cut(&rest, '\n', password);
    *password = slice_trim(*password);
    if (password->len == 0 || n == PASSWORD_MAX_BYTES)
        return bad_password(st, err, "the first line has to be the password, and nothing else");
    return 0;
}

int store_link_open(const struct store *st, struct redis_link *l, const struct endpoint *e,
                    const struct link_login *how, int64_t deadline_ms, struct err *err)
{
    char text[PASSWORD_MAX_BYTES];
    struct link_login login = *how;
    int result;

    login.username = st->username;
    result = read_password(st, text, &login.password, err);
    if (result == 0)
        result = link_open(l, e, &login, deadline_ms, err);
    explicit_bzero(text, sizeof text);
    return result;
}

struct endpoint store_endpoint(const struct store *st, const char *host, const char *port)
{
    return (struct endpoint){.kind = ENDPOINT_TCP, .host = host, .port = port, .tls = st->tls};
}

/* --- sentinels ------------------------------------------------------------------------------- */

struct master {
    char host[256], port[8];
};

static int read_master(const struct store *st, const redisReply *reply, struct master *m,
                       struct err *err)
{
    struct slice host, port;
    uint64_t number;

    if (reply->type == REDIS_REPLY_NIL)
        return err_set(err, EX_UNAVAILABLE,
                       "it knows no master named \"%s\": correct the name in store.url",
                       st->url.master.ptr);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
        return err_set(err, EX_UNAVAILABLE, "it does not answer as a sentinel: %.*s",
                       SLICE_FMT(slice_to(link_reply_text(reply), 200)));
    host = link_reply_text(reply->element[0]);
    port = link_reply_text(reply->element[1]);
    if (host.len == 0 || host.len >= sizeof m->host || slice_find(host, '\0') >= 0 ||
        !slice_number(port, &number) || number == 0 || number > 65535)
        return err_set(err, EX_UNAVAILABLE, "the address of the master cannot be read");
    (void)snprintf(m->host, sizeof m->host, "%.*s", SLICE_FMT(host));
    (void)snprintf(m->port, sizeof m->port, "%u", (unsigned)number);
    return 0;
}

static int ask_link(const struct store *st, struct redis_link *l, struct master *m,
                    int64_t deadline_ms, struct err *err)
{
    redisReply *reply = NULL;
    struct buf out;
    int result;

    buf_init(&out, 4096);
    link_command_add(
        &out, 3,
        (struct slice[]){SLICE("SENTINEL"), SLICE("get-master-addr-by-name"), st->url.master});
    result = out.failed ? err_set(err, EX_OSERR, "out of memory")
                        : link_trip(l, buf_slice(&out), &reply, 1, deadline_ms, err);
    buf_fini(&out);
    if (result != 0)
        return -1;
    result = read_master(st, reply, m, err);
    freeReplyObject(reply);
    return result;
}

/* A sentinel may have a login of its own, the same, or none. */
static int ask_sentinel(const struct store *st, const struct endpoint *e, struct master *m,
                        int64_t deadline_ms, struct err *err)
{
    struct link_login how = {.is_optional = true};
    struct redis_link l;
    int result;

    if (store_link_open(st, &l, e, &how, deadline_ms, err) != 0)
        return -1;
    result = ask_link(st, &l, m, deadline_ms, err);
    link_close(&l);
    return result;
}

static int open_master(struct store *st, const struct master *m, int64_t deadline_ms,
                       struct err *err)
{
    struct link_login how = {.db = st->url.db, .wants_master = true};
    struct endpoint e = store_endpoint(st, m->host, m->port);

    transport_endpoint_text(&e, st->where);
    return store_link_open(st, &st->redis, &e, &how, deadline_ms, err);
}

/* What is left of the time, in equal parts for those not yet asked. */
static int64_t part_of_time(int64_t deadline_ms, size_t left)
{
    int64_t now = clock_monotonic_ms();

    return deadline_ms > now ? now + (deadline_ms - now) / (int64_t)left : now;
}

/* Any sentinel will do, the one that answered last first; its word counts only if that server
 * takes itself for the master, since a sentinel that was cut off names the old one. */
static int open_by_sentinels(struct store *st, int64_t deadline_ms, struct err *err)
{
    size_t count = st->url.host_count, first = st->sentinel;

    for (size_t i = 0; i < count; i++) {
        size_t at = (first + i) % count;
        int64_t until_ms = part_of_time(deadline_ms, count - i);
        struct store_host *h = &st->url.hosts[at];
        struct endpoint e = store_endpoint(st, h->host.ptr, h->port.ptr);
        struct master m;

        transport_endpoint_text(&e, st->where);
        if (ask_sentinel(st, &e, &m, until_ms, err) != 0)
            continue;
        st->sentinel = at;
        if (open_master(st, &m, part_of_time(deadline_ms, count - i), err) == 0)
            return 0;
    }
    return -1;
}

/* --- the store's one link -------------------------------------------------------------------- */

static int open_link(struct store *st, int64_t deadline_ms, struct err *err)
{
    struct link_login how = {.db = st->url.db};
    int result = st->url.scheme == STORE_SENTINEL
                     ? open_by_sentinels(st, deadline_ms, err)
                     : store_link_open(st, &st->redis, &st->endpoint, &how, deadline_ms, err);

    if (result != 0)
        return -1;
    st->generation++;
    memcpy(st->run_id, st->redis.run_id, sizeof st->run_id);
    return 0;
}

void store_settle(struct store *st)
{
    st->pause_ms = 0;
    st->next_try_ms = 0;
}

int store_back_off(struct store *st, struct err *err)
{
    link_close(&st->redis);
    st->pause_ms = st->pause_ms == 0 ? PAUSE_MIN_MS : st->pause_ms * 2;
    if (st->pause_ms > PAUSE_MAX_MS)
        st->pause_ms = PAUSE_MAX_MS;
    st->next_try_ms = clock_monotonic_ms() + st->pause_ms;
    (void)snprintf(st->last_error, sizeof st->last_error, "%.255s", err->text);
    if (st->url.scheme == STORE_PRIVATE)
        return err_prefix(err, "redis at %s (tollgated runs it)", st->where);
    return err_prefix(err, "redis at %s", st->where);
}

bool store_is_worth_trying(const struct store *st)
{
    return st->next_try_ms == 0 || transport_is_open(&st->redis.transport) ||
           clock_monotonic_ms() >= st->next_try_ms;
}

/* An idle connection that the server has closed meanwhile is made again at once; that is no
 * failure. */
int store_be_connected(struct store *st, int64_t deadline_ms, struct err *err)
{
    if (transport_is_open(&st->redis.transport) && transport_is_stale(&st->redis.transport))
        link_close(&st->redis);
    if (transport_is_open(&st->redis.transport))
        return 0;
    if (!store_is_worth_trying(st))
        return err_set(err, EX_UNAVAILABLE, "redis at %s is unreachable: %s", st->where,
                       st->last_error);
    if (open_link(st, deadline_ms, err) != 0)
        return store_back_off(st, err);
    return 0;
}
