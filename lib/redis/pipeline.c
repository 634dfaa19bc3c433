#include "lib/redis/pipeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/redis/cluster_map.h"
#include "lib/redis/pipeline_work.h"
#include "lib/sys/clock.h"

#define READ_BYTES    ((size_t)16 << 10)
#define OUT_MAX_BYTES ((size_t)64 << 20)
#define ARRAY_MAX     ((size_t)64 << 10)

/* --- the timer -------------------------------------------------------------------------------- */

static void timer_set(struct pipeline *p, int64_t at_ms, int64_t now_ms)
{
    int64_t ms = at_ms > now_ms ? at_ms - now_ms : 1;
    struct itimerspec t = {
        .it_value = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000}};

    p->timer_ms = at_ms;
    (void)timerfd_settime(p->timer, 0, &t, NULL);
}

static void timer_need(struct pipeline *p, int64_t at_ms, int64_t now_ms)
{
    if (p->timer_ms == 0 || at_ms < p->timer_ms)
        timer_set(p, at_ms, now_ms);
}

static struct pipeline_sent sent_take(struct pipeline *p)
{
    struct pipeline_sent s = *pipeline_sent_at(p, 0);

    p->head = (p->head + 1) % PIPELINE_UNDER_WAY;
    p->under_way--;
    return s;
}

/* --- trips that fail -------------------------------------------------------------------------- */

static void trip_add(struct pipeline_trip **first, struct pipeline_trip **last,
                     struct pipeline_trip *t)
{
    t->next = NULL;
    if (*first == NULL)
        *first = t;
    else
        (*last)->next = t;
    *last = t;
}

/* Out of the ring: what comes for it is skipped. */
static void trip_give_up(struct pipeline *p, const struct pipeline_trip *t)
{
    for (size_t i = 0; i < p->under_way; i++) {
        if (pipeline_sent_at(p, i)->trip == t)
            pipeline_sent_at(p, i)->trip = NULL;
    }
}

static void trips_end(struct pipeline_trip *list, const struct err *err)
{
    while (list != NULL) {
        struct pipeline_trip *t = list;

        list = t->next;
        for (size_t i = 0; i < t->count; i++) {
            if (t->replies[i] != NULL)
                freeReplyObject(t->replies[i]);
        }
        t->ended(t, err);
    }
}

/* Those under way, then those that wait. */
static struct pipeline_trip *trips_take(struct pipeline *p)
{
    struct pipeline_trip *first = NULL, *last = NULL, *t;

    while (p->under_way > 0) {
        t = sent_take(p).trip;
        if (t == NULL)
            continue;
        trip_give_up(p, t);
        trip_add(&first, &last, t);
    }
    while ((t = p->first) != NULL) {
        p->first = t->next;
        trip_add(&first, &last, t);
    }
    return first;
}

static void link_drop(struct pipeline *p)
{
    link_close(&p->store->redis); /* and out of the epoll set */
    p->state = PIPELINE_CLOSED;
    buf_reset(&p->out);
    p->out_sent = p->reply_bytes = 0;
    p->is_writing = p->is_broken = false;
}

/* The connection has failed, or could not be made. One that closes while nothing is asked is no
 * failure: the next trip makes another. */
static void fail(struct pipeline *p, struct err *err)
{
    bool is_idle = p->under_way == 0 && p->first == NULL;

    link_drop(p);
    if (is_idle)
        return;
    pool_break(p->pool);
    trips_end(trips_take(p), err);
}

static void fail_named(struct pipeline *p, struct err *err)
{
    (void)err_prefix(err, "redis at %s", p->where);
    fail(p, err);
}

/* --- trips ------------------------------------------------------------------------------------ */

static void connect_want(struct pipeline *p, int64_t now_ms)
{
    p->state = PIPELINE_CONNECTING;
    p->wanted_ms = now_ms;
    pipeline_connect_want(&p->connect, pool_timeout_ms(p->pool));
}

static void send_now(struct pipeline *p, int64_t now_ms)
{
    p->is_due = p->is_gathering;
    if (p->is_gathering && !p->is_writing) /* what has begun to go out goes on */
        return;
    pipeline_send(p, now_ms);
    if (p->is_broken)
        timer_set(p, now_ms, now_ms); /* pipeline_run tells of it */
}

void pipeline_gather(struct pipeline *p, bool on)
{
    p->is_gathering = on;
    if (!on && p->is_due && p->state == PIPELINE_OPEN)
        send_now(p, clock_monotonic_ms());
}

int pipeline_begin(struct pipeline *p, struct pipeline_trip *t, struct err *err)
{
    int64_t now_ms = clock_monotonic_ms();

    if (pool_is_open(p->pool) || p->is_ending)
        return err_set(err, EX_UNAVAILABLE, "the store is unreachable");
    if (t->count > PIPELINE_UNDER_WAY)
        return err_set(err, EX_TEMPFAIL, "too many commands for one trip to the store");
    if (t->deadline_ms <= now_ms)
        return err_set(err, EX_UNAVAILABLE, "the store: no answer in time");
    t->have = 0;
    memset(t->replies, 0, t->count * sizeof *t->replies);
    trip_add(&p->first, &p->last, t);
    timer_need(p, t->deadline_ms, now_ms);
    if (p->state == PIPELINE_CLOSED)
        connect_want(p, now_ms);
    else if (p->state == PIPELINE_OPEN && p->under_way == 0)
        send_now(p, now_ms);
    return 0;
}

/* --- receiving -------------------------------------------------------------------------------- */

static bool is_noscript(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR &&
           slice_starts_nocase(link_reply_text(reply), SLICE("NOSCRIPT"));
}

/* -1: the connection is of no use any more. */
static int reply_take(struct pipeline *p, redisReply *reply, struct err *err)
{
    bool is_replica = p->store->url.scheme == STORE_SENTINEL && cluster_map_is_read_only(reply);
    struct pipeline_sent s;

    p->reply_bytes = 0;
    if (p->under_way == 0 || is_replica) {
        freeReplyObject(reply);
        return err_set(err, EX_UNAVAILABLE,
                       is_replica ? "READONLY: the server is no master any more"
                                  : "not a Redis server: more replies than commands");
    }
    s = sent_take(p);
    if (s.trip != NULL && is_noscript(reply) && !s.with_source &&
        s.trip->commands[s.index].script != NULL) {
        freeReplyObject(reply);
        pipeline_command_add(p, s.trip, s.index, true, clock_monotonic_ms());
        return 0;
    }
    if (s.trip == NULL) {
        freeReplyObject(reply);
        return 0;
    }
    s.trip->replies[s.index] = reply;
    if (++s.trip->have == s.trip->count)
        s.trip->ended(s.trip, NULL);
    return 0;
}

static int protocol_error(struct pipeline *p, struct err *err)
{
    return err_set(err, EX_UNAVAILABLE, "not a Redis server: %s", p->store->redis.reader->errstr);
}

static int replies_take(struct pipeline *p, struct err *err)
{
    redisReader *reader = p->store->redis.reader;
    void *reply = NULL;

    for (;;) {
        if (redisReaderGetReply(reader, &reply) != REDIS_OK)
            return protocol_error(p, err);
        if (reply == NULL)
            return 0;
        if (reply_take(p, reply, err) != 0)
            return -1;
    }
}

/* All that is there: TLS may hold bytes that no descriptor tells of. */
static int receive(struct pipeline *p, struct err *err)
{
    struct redis_link *l = &p->store->redis;
    char bytes[READ_BYTES];

    for (;;) {
        ptrdiff_t n = transport_read(&l->transport, bytes, sizeof bytes, err);

        if (n <= 0)
            return n < 0 ? -1 : 0;
        p->reply_bytes += (size_t)n;
        if (p->reply_bytes > PIPELINE_REPLY_BYTES)
            return err_set(err, EX_UNAVAILABLE, "a reply of more than %zu MB",
                           PIPELINE_REPLY_BYTES >> 20);
        if (redisReaderFeed(l->reader, bytes, (size_t)n) != REDIS_OK)
            return protocol_error(p, err);
        if (replies_take(p, err) != 0)
            return -1;
        if ((size_t)n < sizeof bytes && l->transport.ssl == NULL)
            return 0;
    }
}

/* --- time ------------------------------------------------------------------------------------- */

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
    return a_ms == 0 || b_ms < a_ms ? b_ms : a_ms;
}

/* The server is silent, or no connection comes. */
static bool is_stuck(struct pipeline *p, int64_t now_ms)
{
    int64_t timeout_ms = pool_timeout_ms(p->pool);

    if (p->state == PIPELINE_OPEN)
        return p->under_way > 0 && pipeline_sent_at(p, 0)->sent_ms + timeout_ms <= now_ms;
    return p->state == PIPELINE_CONNECTING && p->wanted_ms + timeout_ms <= now_ms;
}

/* Takes out the trips whose time is over; *next_ms: when the next one's is, or the server's. */
static struct pipeline_trip *late_take(struct pipeline *p, int64_t now_ms, int64_t *next_ms)
{
    struct pipeline_trip *first = NULL, *last = NULL, *waiting = p->first, *t;

    *next_ms = p->under_way > 0 ? pipeline_sent_at(p, 0)->sent_ms + pool_timeout_ms(p->pool) : 0;
    for (size_t i = 0; i < p->under_way; i++) {
        t = pipeline_sent_at(p, i)->trip;
        if (t == NULL)
            continue;
        if (t->deadline_ms > now_ms) {
            *next_ms = earlier(*next_ms, t->deadline_ms);
            continue;
        }
        trip_give_up(p, t);
        trip_add(&first, &last, t);
    }
    p->first = NULL;
    while ((t = waiting) != NULL) {
        waiting = t->next;
        if (t->deadline_ms > now_ms) {
            *next_ms = earlier(*next_ms, t->deadline_ms);
            trip_add(&p->first, &p->last, t);
        } else {
            trip_add(&first, &last, t);
        }
    }
    return first;
}

static void expire(struct pipeline *p, int64_t now_ms)
{
    struct err err = {.code = EX_UNAVAILABLE, .text = "no answer in time"};
    struct pipeline_trip *late;
    uint64_t times;
    int64_t next_ms;

    (void)!read(p->timer, &times, sizeof times);
    p->timer_ms = 0;
    if (p->state == PIPELINE_OPEN && is_stuck(p, now_ms)) {
        fail_named(p, &err);
        return;
    }
    if (is_stuck(p, now_ms)) /* the connection's thread goes on */
        pool_break(p->pool);
    late = late_take(p, now_ms, &next_ms);
    if (next_ms != 0)
        timer_need(p, next_ms, now_ms);
    (void)err_prefix(&err, "redis at %s", p->where);
    trips_end(late, &err);
}

/* --- running ---------------------------------------------------------------------------------- */

static void connect_take(struct pipeline *p)
{
    struct err err = {0};
    int result = pipeline_connect_take(&p->connect, &err);

    if (result == 0)
        return;
    if (result < 0) {
        fail(p, &err);
        return;
    }
    p->state = PIPELINE_OPEN;
    p->store->redis.array_max = ARRAY_MAX;
    memcpy(p->where, p->store->where, sizeof p->where);
    pipeline_watch(p, EPOLL_CTL_ADD);
}

void pipeline_run(struct pipeline *p)
{
    struct err err = {0};
    int64_t now_ms;

    if (p->state == PIPELINE_CONNECTING)
        connect_take(p);
    if (p->state == PIPELINE_OPEN &&
        (p->is_broken ? err_set(&err, EX_UNAVAILABLE, "connection lost") : receive(p, &err)) != 0)
        fail_named(p, &err);
    now_ms = clock_monotonic_ms();
    if (p->timer_ms != 0 && p->timer_ms <= now_ms)
        expire(p, now_ms);
    if (p->state == PIPELINE_OPEN)
        send_now(p, now_ms);
}

/* --- the whole -------------------------------------------------------------------------------- */

bool pipeline_suits(const struct settings *s)
{
    struct store_url url;
    struct arena arena;
    bool suits;

    arena_init(&arena, 65536);
    suits = store_url_parse(slice_str(s->store.url), &arena, &url, NULL) == 0 &&
            url.scheme != STORE_CLUSTER;
    arena_fini(&arena);
    return suits;
}

static int watch_too(struct pipeline *p, int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = p->mark};

    return epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &e);
}

struct pipeline *pipeline_new(struct pool *pool, const struct settings *s, int epoll, void *mark,
                              struct err *err)
{
    struct pipeline *p = calloc(1, sizeof *p);

    if (p == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    p->pool = pool;
    p->epoll = epoll;
    p->mark = mark;
    p->timer = -1;
    p->connect.fd = -1;
    buf_init(&p->out, OUT_MAX_BYTES);
    p->store = store_new(s, err);
    if (p->store != NULL)
        memcpy(p->where, p->store->where, sizeof p->where);
    if (p->store != NULL && pipeline_connect_start(&p->connect, p->store, err) == 0) {
        p->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        if (p->timer >= 0 && watch_too(p, p->timer) == 0 && watch_too(p, p->connect.fd) == 0)
            return p;
        (void)err_set(err, EX_OSERR, "timerfd, epoll: %s", strerror(errno));
    }
    pipeline_free(p);
    return NULL;
}

void pipeline_free(struct pipeline *p)
{
    struct err err = {.code = EX_UNAVAILABLE, .text = "the store is not used any more"};

    if (p == NULL)
        return;
    if (p->store != NULL)
        pipeline_connect_stop(&p->connect);
    p->is_ending = true;
    trips_end(trips_take(p), &err);
    if (p->timer >= 0)
        (void)close(p->timer);
    store_free(p->store);
    buf_fini(&p->out);
    free(p);
}
