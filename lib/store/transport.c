#include "lib/store/transport.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"

void endpoint_text(const struct endpoint *e, char text[ENDPOINT_TEXT])
{
    if (e->kind == ENDPOINT_UNIX)
        (void)snprintf(text, ENDPOINT_TEXT, "unix:%s", e->path);
    else if (strchr(e->host, ':') != NULL)
        (void)snprintf(text, ENDPOINT_TEXT, "[%s]:%s", e->host, e->port);
    else
        (void)snprintf(text, ENDPOINT_TEXT, "%s:%s", e->host, e->port);
}

/* 1: ready, 0: the deadline has passed (even where something is ready: who sends a byte now and
 * then must not hold us for ever), -1: poll itself failed. */
static int poll_until(int fd, short events, int64_t deadline_ms)
{
    int64_t left;

    while ((left = deadline_ms - clock_monotonic_ms()) > 0) {
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, left > INT_MAX ? INT_MAX : (int)left);

        if (n > 0)
            return 1;
        if (n < 0 && errno != EINTR)
            return -1;
    }
    return 0;
}

static int fail(struct err *err, const char *what, int number)
{
    return err_set(err, EX_UNAVAILABLE, "%s: %s", what, strerror(number));
}

static int connect_result(int fd, struct err *err)
{
    int result = 0;
    socklen_t len = sizeof result;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &len) != 0)
        result = errno;
    return result == 0 ? 0 : fail(err, "cannot connect", result);
}

/* A Unix socket whose queue is full gives EAGAIN, and there is nothing to poll for: the server does
 * not accept. */
static int connect_to(struct transport *t, const struct sockaddr *address, socklen_t len,
                      int64_t deadline_ms, struct err *err)
{
    t->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (t->fd < 0)
        return fail(err, "cannot make a socket", errno);
    if (connect(t->fd, address, len) == 0)
        return 0;
    if (errno != EINPROGRESS && errno != EINTR) {
        (void)fail(err, "cannot connect", errno);
    } else {
        int ready = poll_until(t->fd, POLLOUT, deadline_ms);

        if (ready > 0 && connect_result(t->fd, err) == 0)
            return 0;
        if (ready <= 0)
            (void)fail(err, "cannot connect", ready == 0 ? ETIMEDOUT : errno);
    }
    transport_close(t);
    return -1;
}

static int open_unix(struct transport *t, const char *path, int64_t deadline_ms, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);

    if (len >= sizeof address.sun_path)
        return err_set(err, EX_CONFIG,
                       "the path of a Unix socket has at most %zu bytes: use a shorter one",
                       sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, len + 1);
    return connect_to(t, (const struct sockaddr *)&address, sizeof address, deadline_ms, err);
}

static void set_tcp_options(int fd)
{
    int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

static int64_t part_of_time(int64_t deadline_ms, int parts)
{
    int64_t now = clock_monotonic_ms();

    return deadline_ms > now ? now + (deadline_ms - now) / parts : now;
}

static int open_tcp(struct transport *t, const struct endpoint *e, int64_t deadline_ms,
                    struct err *err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list, *a;
    int problem = getaddrinfo(e->host, e->port, &hints, &list), count = 0, result = -1;

    if (problem != 0)
        return err_set(err, EX_UNAVAILABLE, "cannot find the host: %s",
                       problem == EAI_SYSTEM ? strerror(errno) : gai_strerror(problem));
    for (a = list; a != NULL; a = a->ai_next)
        count++;
    for (a = list; a != NULL && result != 0; a = a->ai_next, count--)
        result = connect_to(t, a->ai_addr, a->ai_addrlen, part_of_time(deadline_ms, count), err);
    freeaddrinfo(list);
    if (result == 0)
        set_tcp_options(t->fd);
    return result;
}

int transport_open(struct transport *t, const struct endpoint *e, int64_t deadline_ms,
                   struct err *err)
{
    *t = TRANSPORT_CLOSED;
    if (e->kind == ENDPOINT_UNIX)
        return open_unix(t, e->path, deadline_ms, err);
    return open_tcp(t, e, deadline_ms, err);
}

void transport_close(struct transport *t)
{
    if (t->fd >= 0)
        (void)close(t->fd);
    t->fd = -1;
}

bool transport_is_open(const struct transport *t)
{
    return t->fd >= 0;
}

bool transport_is_stale(const struct transport *t)
{
    struct pollfd p = {.fd = t->fd, .events = POLLIN};

    return poll(&p, 1, 0) != 0;
}

int transport_wait(struct transport *t, bool writing, int64_t deadline_ms, struct err *err)
{
    int ready = poll_until(t->fd, writing ? POLLIN | POLLOUT : POLLIN, deadline_ms);

    if (ready > 0)
        return 0;
    if (ready < 0)
        return fail(err, "poll", errno);
    return err_set(err, EX_UNAVAILABLE, "no answer in time");
}

static bool is_for_later(int number)
{
    return number == EAGAIN || number == EWOULDBLOCK || number == EINTR;
}

ptrdiff_t transport_read(struct transport *t, char *bytes, size_t room, struct err *err)
{
    ssize_t n = recv(t->fd, bytes, room, 0);

    if (n == 0)
        return err_set(err, EX_UNAVAILABLE, "the server closed the connection");
    if (n < 0)
        return is_for_later(errno) ? 0 : fail(err, "connection lost", errno);
    return n;
}

ptrdiff_t transport_write(struct transport *t, const char *bytes, size_t len, struct err *err)
{
    ssize_t n = send(t->fd, bytes, len, MSG_NOSIGNAL);

    if (n < 0)
        return is_for_later(errno) ? 0 : fail(err, "connection lost", errno);
    return n;
}
