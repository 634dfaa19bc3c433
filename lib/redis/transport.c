#include "lib/redis/transport.h"

#include <errno.h>
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
#include "lib/sys/net.h"

void transport_endpoint_text(const struct endpoint *e, char text[ENDPOINT_TEXT])
{
    if (e->kind == ENDPOINT_UNIX)
        (void)snprintf(text, ENDPOINT_TEXT, "unix:%s", e->path);
    else if (strchr(e->host, ':') != NULL)
        (void)snprintf(text, ENDPOINT_TEXT, "[%s]:%s", e->host, e->port);
    else
        (void)snprintf(text, ENDPOINT_TEXT, "%s:%s", e->host, e->port);
}

static int fail(struct err *err, const char *what, int number)
{
    return err_set(err, EX_UNAVAILABLE, "%s: %s", what, strerror(number));
}

static int connect_to(struct transport *t, const struct sockaddr *address, socklen_t len,
                      int64_t deadline_ms, struct err *err)
{
    t->fd = net_connect_address(address, len, deadline_ms);
    return t->fd >= 0 ? 0 : fail(err, "cannot connect", errno);
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
        return err_set(err, EX_UNAVAILABLE, "cannot resolve the host: %s",
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

/* The deadline counts even if something can be read: a server that sends a byte now and then must
 * not hold the caller for ever. */
int transport_wait(struct transport *t, bool writing, int64_t deadline_ms, struct err *err)
{
    if (clock_monotonic_ms() < deadline_ms &&
        net_wait(t->fd, writing ? POLLIN | POLLOUT : POLLIN, deadline_ms))
        return 0;
    if (clock_monotonic_ms() < deadline_ms)
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
