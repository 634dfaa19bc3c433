#include "t/bench/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/core/milter_wire.h"
#include "lib/sys/clock.h"
#include "lib/sys/net.h"

enum { EVENTS = 256, READ_BYTES = 16384, TIMEOUT_MS = 60000, US = 1000000 };

struct peer {
    struct peer *next_free; /* in the list of those without a message */
    struct load_talk *talk;
    struct buf in;
    size_t written; /* of what the talk has to send */
    int fd;
    bool is_busy, is_free, awaits_room;
    unsigned in_session;
    int64_t began_us;
};

static struct {
    struct load_options options;
    struct peer *peers, *free;
    int epoll, timer;
    int64_t from_us;
    uint64_t begun, ends[LOAD_ENDS], ended;
    struct load_times times;
    char *body;
} load;

static int64_t now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * US + t.tv_nsec / 1000;
}

static void give_up(const char *what)
{
    (void)fprintf(stderr, "load: %s\n", what);
    exit(EX_UNAVAILABLE);
}

/* --- which message comes next, and when ------------------------------------------------------- */

/* When the next message is to begin. */
static int64_t due_us(void)
{
    if (load.options.rate <= 0)
        return 0;
    return load.from_us + (int64_t)((double)load.begun / load.options.rate * (double)US);
}

static bool is_over(void)
{
    int64_t from = load.options.rate > 0 ? due_us() : now_us();

    return load.begun >= load.options.messages ||
           (load.options.seconds > 0 &&
            from - load.from_us >= (int64_t)(load.options.seconds * (double)US));
}

static void timer_set(void)
{
    int64_t at = due_us();
    struct itimerspec when = {.it_value = {at / US, at % US * 1000}};

    if (load.options.rate > 0 && !is_over())
        (void)timerfd_settime(load.timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void peer_idle(struct peer *p)
{
    p->is_free = true;
    p->next_free = load.free;
    load.free = p;
}

/* --- one connection --------------------------------------------------------------------------- */

/* A full backlog is waited for: the server is there. */
static int socket_open(void)
{
    int64_t deadline = clock_monotonic_ms() + TIMEOUT_MS;
    struct err err;
    int fd;

    while ((fd = net_connect(load.options.socket, deadline, &err)) < 0 && errno == EAGAIN &&
           clock_monotonic_ms() < deadline)
        clock_sleep_ms(1);
    if (fd < 0)
        give_up(err.text);
    return fd;
}

static void peer_go(struct peer *p);

static void peer_open(struct peer *p)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = p};

    p->fd = socket_open();
    p->written = p->in_session = 0;
    p->awaits_room = false;
    buf_reset(&p->in);
    load_talk_open(p->talk);
    if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, p->fd, &e) != 0)
        give_up(strerror(errno));
    peer_go(p);
}

static void peer_close(struct peer *p)
{
    struct buf *out = load_talk_out(p->talk);

    load_talk_close(p->talk);
    (void)!send(p->fd, out->data + p->written, out->len - p->written, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)close(p->fd);
    buf_reset(out);
    p->fd = -1;
}

static void room_await(struct peer *p, bool wanted)
{
    struct epoll_event e = {.events = EPOLLIN | (wanted ? EPOLLOUT : 0u), .data.ptr = p};

    if (wanted != p->awaits_room && epoll_ctl(load.epoll, EPOLL_CTL_MOD, p->fd, &e) != 0)
        give_up(strerror(errno));
    p->awaits_room = wanted;
}

/* True: all is sent. */
static bool peer_send(struct peer *p)
{
    struct buf *out = load_talk_out(p->talk);

    if (out->failed)
        give_up("out of memory");
    while (p->written < out->len) {
        ssize_t n = send(p->fd, out->data + p->written, out->len - p->written, MSG_NOSIGNAL);

        if (n >= 0)
            p->written += (size_t)n;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            give_up(strerror(errno));
    }
    room_await(p, p->written < out->len);
    if (p->awaits_room)
        return false;
    buf_reset(out);
    p->written = 0;
    return true;
}

static void message_begin(struct peer *p)
{
    p->began_us = load.options.rate > 0 ? due_us() : now_us();
    p->is_busy = true;
    load_talk_message(p->talk, load.begun++);
}

static void message_end(struct peer *p, enum load_end end)
{
    load.ends[end]++;
    load.ended++;
    load_times_add(&load.times, now_us() - p->began_us);
    p->is_busy = false;
    p->in_session++;
}

/* A connection that is ready takes the next message, if it is due. True: it did. */
static bool message_next(struct peer *p)
{
    if (p->is_busy || p->is_free || !load_talk_is_ready(p->talk))
        return false;
    if (!is_over() && due_us() <= now_us()) {
        message_begin(p);
        return true;
    }
    peer_idle(p);
    return false;
}

/* As far as it goes without an answer. */
static void peer_go(struct peer *p)
{
    do {
        enum load_end end;

        while (load_talk_go(p->talk, &end) == LOAD_MESSAGE_DONE) {
            message_end(p, end);
            if (p->in_session >= load.options.per_session && !is_over()) {
                peer_close(p);
                peer_open(p);
                return;
            }
            if (!message_next(p))
                break;
        }
        if (load_talk_out(p->talk)->len == 0 && !message_next(p))
            return;
    } while (load_talk_out(p->talk)->len == 0 || peer_send(p));
}

static void peer_take(struct peer *p)
{
    struct slice in = buf_slice(&p->in);
    size_t before = in.len;

    if (load_talk_take(p->talk, &in) == LOAD_BROKEN)
        give_up(load_talk_problem(p->talk));
    if (in.len == before)
        return;
    if (in.len > 0)
        memmove(p->in.data, in.ptr, in.len);
    p->in.len = in.len;
    peer_go(p);
}

static void peer_read(struct peer *p)
{
    char *room = buf_space(&p->in, READ_BYTES);
    ssize_t n = room != NULL ? recv(p->fd, room, READ_BYTES, 0) : -1;

    if (n == 0)
        give_up("the server has closed a connection");
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        give_up(strerror(errno));
    if (n <= 0)
        return;
    p->in.len += (size_t)n;
    peer_take(p);
}

/* --- all of them ------------------------------------------------------------------------------ */

static void due_begin(void)
{
    uint64_t expired;

    (void)!read(load.timer, &expired, sizeof expired);
    while (load.free != NULL && !is_over() && due_us() <= now_us()) {
        struct peer *p = load.free;

        load.free = p->next_free;
        p->is_free = false;
        message_begin(p);
        peer_go(p);
    }
    timer_set();
}

static void event_handle(const struct epoll_event *e)
{
    struct peer *p = e->data.ptr;

    if (p == NULL) {
        due_begin();
        return;
    }
    if ((e->events & EPOLLOUT) != 0 && peer_send(p))
        peer_go(p);
    if ((e->events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        peer_read(p);
}

static void run(void)
{
    struct epoll_event events[EVENTS];

    while (!is_over() || load.ended < load.begun) {
        int count = epoll_wait(load.epoll, events, EVENTS, TIMEOUT_MS);

        if (count == 0)
            give_up("no answer for a minute");
        for (int i = 0; i < count; i++)
            event_handle(&events[i]);
    }
}

static void *room_of(size_t count, size_t size)
{
    void *p = calloc(count, size);

    if (p == NULL)
        give_up("out of memory");
    return p;
}

static void load_open(void)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};

    load.body = room_of(1, MILTER_CHUNK_BYTES);
    memset(load.body, 'x', MILTER_CHUNK_BYTES);
    load.peers = room_of(load.options.connections, sizeof *load.peers);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (load.epoll < 0 || load.timer < 0 ||
        epoll_ctl(load.epoll, EPOLL_CTL_ADD, load.timer, &e) != 0)
        give_up(strerror(errno));
    load.from_us = now_us();
    for (unsigned i = 0; i < load.options.connections; i++) {
        struct peer *p = &load.peers[i];

        p->talk = load_talk_new(&load.options, load.body);
        buf_init(&p->in, (size_t)1 << 20);
        if (p->talk == NULL)
            give_up("out of memory");
        peer_open(p);
    }
    timer_set();
}

static void load_close(void)
{
    for (unsigned i = 0; i < load.options.connections; i++) {
        peer_close(&load.peers[i]);
        load_talk_free(load.peers[i].talk);
        buf_fini(&load.peers[i].in);
    }
    free(load.peers);
    free(load.body);
    load_times_fini(&load.times);
    (void)close(load.timer);
    (void)close(load.epoll);
}

static int64_t cpu_us(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return ((int64_t)u.ru_utime.tv_sec + u.ru_stime.tv_sec) * US + u.ru_utime.tv_usec +
           u.ru_stime.tv_usec;
}

static void print(double seconds)
{
    const struct load_options *o = &load.options;

    (void)printf(
        "{\"connections\": %u, \"recipients\": %u, \"headers\": %u, \"body_bytes\": %llu, "
        "\"rate\": %g, \"messages\": %llu, \"accepted\": %llu, \"refused\": %llu, "
        "\"deferred\": %llu, \"held\": %llu, \"seconds\": %.6f, \"per_second\": %.1f, "
        "\"client_cpu_us\": %.2f, \"latency_us\": ",
        o->connections, o->recipients, o->headers, (unsigned long long)o->body_bytes, o->rate,
        (unsigned long long)load.ended, (unsigned long long)load.ends[LOAD_ACCEPTED],
        (unsigned long long)load.ends[LOAD_REFUSED], (unsigned long long)load.ends[LOAD_DEFERRED],
        (unsigned long long)load.ends[LOAD_HELD], seconds, (double)load.ended / seconds,
        load.ended > 0 ? (double)cpu_us() / (double)load.ended : 0);
    load_times_print(&load.times);
    (void)printf("}\n");
}

int main(int argc, char **argv)
{
    load_options_read(&load.options, argc, argv);
    load_open();
    run();
    print((double)(now_us() - load.from_us) / (double)US);
    load_close();
    return load.ends[LOAD_REFUSED] + load.ends[LOAD_DEFERRED] == 0 ? EX_OK : EX_TEMPFAIL;
}
