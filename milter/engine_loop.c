#include "milter/engine_loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"

enum {
    EVENTS_MAX = 64, /* of a turn */
    ACCEPTS_MAX = 4, /* in a row: the other loops want some, too */
    SWEEP_MS = 1000,
    PAUSE_MS = 100, /* where nothing can be accepted */
    MINUTE_MS = 60 * 1000,
    OUT_BYTES = 1 << 20,
    ERRANDS_END_MS = 5000,
};

/* --- sockets
 * ------------------------------------------------------------------------------------------- */

static bool accept_on(struct engine_loop *l)
{
    if (!l->is_accepting && engine_loop_poll(l, EPOLL_CTL_ADD, l->shared->listener,
                                             EPOLLIN | EPOLLEXCLUSIVE, &l->shared) == 0)
        l->is_accepting = true;
    return l->is_accepting;
}

static void accept_pause(struct engine_loop *l)
{
    if (l->is_accepting)
        (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, l->shared->listener, NULL);
    l->is_accepting = false;
    l->accept_ms = l->now_ms + PAUSE_MS;
}

int engine_loop_open(struct engine_loop *l, struct engine_shared *shared, struct err *err)
{
    *l = (struct engine_loop){.shared = shared};
    buf_init(&l->out, OUT_BYTES);
    l->in = malloc(ENGINE_READ_BYTES);
    l->errands = dispatch_errands_new(shared->dispatch, err);
    l->epoll = l->errands != NULL ? errands_fd(l->errands) : -1;
    if (l->errands != NULL && l->in != NULL &&
        engine_loop_poll(l, EPOLL_CTL_ADD, shared->wake, EPOLLIN | EPOLLET, &shared->wake) == 0 &&
        accept_on(l))
        return 0;
    (void)err_set(err, EX_OSERR, "cannot make a loop of the milter engine: %s", strerror(errno));
    engine_loop_close(l);
    return -1;
}

void engine_loop_close(struct engine_loop *l)
{
    struct engine_connection *c;

    while ((c = l->spare) != NULL) {
        l->spare = c->next;
        engine_connection_fini(c);
        free(c);
    }
    while (l->spare_buf_count > 0)
        buf_fini(&l->spare_bufs[--l->spare_buf_count]);
    /* One that hangs stays: dispatch_close finds its call under way. */
    if (l->errands != NULL)
        (void)!errands_free(l->errands, ERRANDS_END_MS);
    free(l->in);
    buf_fini(&l->out);
}

/* --- connections
 * ------------------------------------------------------------------------------------------- */

/* At the end of a turn. */
static void spare_over(struct engine_loop *l)
{
    struct engine_connection *c;

    while ((c = l->over) != NULL) {
        l->over = c->next;
        if (l->spares >= ENGINE_SPARES) {
            engine_connection_fini(c);
            free(c);
            continue;
        }
        l->spares++;
        c->next = l->spare;
        l->spare = c;
    }
}

static struct engine_connection *connection_take(struct engine_loop *l)
{
    struct engine_connection *c = l->spare;

    if (c != NULL) {
        l->spare = c->next;
        l->spares--;
    } else {
        c = calloc(1, sizeof *c);
        if (c == NULL)
            return NULL;
        milter_server_init(&c->server);
    }
    c->previous = NULL;
    c->next = l->connections;
    if (c->next != NULL)
        c->next->previous = c;
    l->connections = c;
    (void)atomic_fetch_add(&l->shared->sessions, 1);
    return c;
}

/* --- accepting
 * ------------------------------------------------------------------------------------------- */

/* No more for now: MTAs wait in the queue of the listening socket. */
static void accept_later(struct engine_loop *l, const char *event)
{
    accept_pause(l);
    if (log_limit_due(&l->shared->log_limit, slice_str(event), l->now_ms, MINUTE_MS, NULL))
        log_plain(LOG_ERR, event);
}

static void begin(struct engine_loop *l, int fd)
{
    struct engine_connection *c = connection_take(l);
    int yes = 1;

    if (c == NULL) {
        (void)close(fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    engine_connection_begin(c, l, fd);
    if (engine_loop_poll(l, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, c) != 0)
        engine_connection_end(c);
    else
        engine_connection_serve(c);
}

static void accept_some(struct engine_loop *l)
{
    static const char no_files[] =
        "no open files left for new sessions: raise LimitNOFILE (ulimit -n)";
    struct engine_shared *s = l->shared;

    for (int i = 0; i < ACCEPTS_MAX; i++) {
        int fd;

        if (s->sessions_max > 0 && atomic_load(&s->sessions) >= s->sessions_max) {
            accept_later(l, no_files);
            return;
        }
        fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            begin(l, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            accept_later(l, no_files);
            return;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            accept_later(l, "sessions cannot be accepted");
            return;
        }
    }
}

bool engine_loop_adopt(struct engine_loop *l, struct engine_heritage *heritage)
{
    struct engine_connection *c = connection_take(l);
    struct slice session;
    int fd;

    if (c == NULL)
        return false;
    c->fd = -1;
    engine_loop_buf_take(l, &c->held);
    fd = engine_heritage_next(heritage, &c->server, &c->held, &session);
    if (fd < 0) {
        engine_loop_over(l, c);
        spare_over(l);
        return false;
    }
    l->now_ms = clock_monotonic_ms();
    if (c->held.len == 0)
        engine_loop_buf_give(l, &c->held);
    engine_connection_begin(c, l, fd);
    engine_connection_adopt(c, session);
    if (engine_loop_poll(l, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, c) != 0)
        engine_connection_end(c);
    else
        engine_loop_ready(l, c);
    return true;
}

/* --- the loop
 * ------------------------------------------------------------------------------------------- */

static void sweep(struct engine_loop *l)
{
    struct engine_connection *c = l->connections, *next;

    l->sweep_ms = l->now_ms + SWEEP_MS;
    for (; c != NULL; c = next) {
        next = c->next;
        if (engine_connection_is_late(c, l->now_ms))
            engine_connection_end(c);
    }
}

/* How long it may sleep: -1, for ever. */
static int sleep_ms(const struct engine_loop *l)
{
    int64_t until = l->connections != NULL ? l->sweep_ms : INT64_MAX;

    if (l->ready != NULL)
        return 0;
    if (!l->is_accepting && l->accept_ms < until)
        until = l->accept_ms;
    if (until == INT64_MAX)
        return -1;
    return until > l->now_ms ? (int)(until - l->now_ms) : 0;
}

/* What is under way ends here; what is between messages goes. */
static void yield(struct engine_loop *l)
{
    struct engine_connection *c = l->connections, *next;

    if (!atomic_load(&l->shared->is_yielding))
        return;
    accept_pause(l);
    l->accept_ms = INT64_MAX;
    for (; c != NULL; c = next) {
        next = c->next;
        engine_connection_yield(c);
    }
}

static void on_socket(struct engine_connection *c, uint32_t events)
{
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        c->has_hung_up = true;
    if ((events & ~(uint32_t)EPOLLOUT) != 0)
        c->can_read = true;
    engine_connection_serve(c);
}

static void on_event(struct engine_loop *l, const struct epoll_event *e)
{
    if (e->data.ptr == &l->shared)
        accept_some(l);
    else if (e->data.ptr == &l->shared->wake)
        yield(l);
    else if (!errands_take(l->errands, e->data.ptr))
        on_socket(e->data.ptr, e->events);
}

/* Those that had more to read when their turn was over. */
static void serve_ready(struct engine_loop *l)
{
    struct engine_connection *c = l->ready, *next;

    l->ready = NULL;
    for (; c != NULL; c = next) {
        next = c->next_ready;
        c->is_ready = false;
        engine_connection_serve(c);
    }
}

static void turn(struct engine_loop *l)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(l->epoll, events, EVENTS_MAX, sleep_ms(l));

    l->now_ms = clock_monotonic_ms();
    errands_gather(l->errands, true);
    for (int i = 0; i < count; i++)
        on_event(l, &events[i]);
    serve_ready(l);
    errands_gather(l->errands, false);
    if (!l->is_accepting && l->now_ms >= l->accept_ms)
        (void)accept_on(l);
    if (l->now_ms >= l->sweep_ms)
        sweep(l);
    spare_over(l);
}

void engine_loop_run(struct engine_loop *l)
{
    l->now_ms = clock_monotonic_ms();
    while (!atomic_load(&l->shared->is_stopping))
        turn(l);
    yield(l);
    accept_pause(l);
    while (l->connections != NULL)
        engine_connection_end(l->connections);
    l->ready = NULL;
    spare_over(l);
}
