#include "lib/sys/net.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/core/slice.h"
#include "lib/sys/clock.h"

bool net_wait(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        int64_t left = deadline_ms - clock_monotonic_ms();
        int n = poll(&p, 1, left < 0 ? 0 : left > 1 << 30 ? 1 << 30 : (int)left);

        if (n > 0)
            return true;
        if (n == 0 && left <= 0) {
            errno = ETIMEDOUT;
            return false;
        }
        if (n < 0 && errno != EINTR)
            return false;
    }
}

int net_connect_address(const struct sockaddr *address, socklen_t len, int64_t deadline_ms)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = 0;
    socklen_t size = sizeof error;

    if (fd < 0)
        return -1;
    if (connect(fd, address, len) == 0)
        return fd;
    if (errno == EINPROGRESS && net_wait(fd, POLLOUT, deadline_ms) &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
        return fd;
    if (error != 0)
        errno = error;
    error = errno;
    (void)close(fd);
    errno = error;
    return -1;
}

static int connect_unix(const char *path, int64_t deadline_ms)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof a.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(a.sun_path, path, strlen(path) + 1);
    return net_connect_address((const struct sockaddr *)&a, sizeof a, deadline_ms);
}

/* "port@host" or "host:port", and "[v6]:port". */
static bool split_inet(struct slice text, char *host, char *port, size_t room)
{
    ptrdiff_t at = slice_find(text, '@');
    bool port_first = at >= 0;
    struct slice a, b;

    if (at < 0)
        at = slice_find_last(text, ':');
    if (at < 0)
        return false;
    a = slice_to(text, (size_t)at);
    b = slice_from(text, (size_t)at + 1);
    if (port_first) {
        struct slice swap = a;

        a = b;
        b = swap;
    }
    if (a.len > 1 && a.ptr[0] == '[' && a.ptr[a.len - 1] == ']')
        a = (struct slice){a.ptr + 1, a.len - 2};
    return a.len > 0 && b.len > 0 && snprintf(host, room, "%.*s", SLICE_FMT(a)) < (int)room &&
           snprintf(port, room, "%.*s", SLICE_FMT(b)) < (int)room;
}

static int connect_inet(const char *text, int family, int64_t deadline_ms)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM}, *list = NULL;
    char host[256], port[256];
    int fd = -1;

    errno = EINVAL;
    if (!split_inet(slice_str(text), host, port, sizeof host))
        return -1;
    if (getaddrinfo(host, port, &hints, &list) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    for (struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next)
        fd = net_connect_address(a->ai_addr, a->ai_addrlen, deadline_ms);
    freeaddrinfo(list);
    return fd;
}

int net_connect(const char *where, int64_t deadline_ms)
{
    if (strncmp(where, "unix:", 5) == 0)
        return connect_unix(where + 5, deadline_ms);
    if (strncmp(where, "local:", 6) == 0)
        return connect_unix(where + 6, deadline_ms);
    if (strncmp(where, "inet6:", 6) == 0)
        return connect_inet(where + 6, AF_INET6, deadline_ms);
    if (strncmp(where, "inet:", 5) == 0)
        return connect_inet(where + 5, AF_UNSPEC, deadline_ms);
    return connect_unix(where, deadline_ms);
}
