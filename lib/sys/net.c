#include "lib/sys/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/core/arena.h"
#include "lib/core/slice.h"
#include "lib/sys/clock.h"
#include "lib/sys/socket_name.h"

#define NAME_BYTES 4096

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

    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    return net_connect_address((const struct sockaddr *)&a, sizeof a, deadline_ms);
}

static int connect_inet(const struct socket_name *name, int64_t deadline_ms)
{
    struct addrinfo hints = {.ai_family = name->family == SOCKET_INET6 ? AF_INET6 : AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char port[8];
    int fd = -1;

    (void)snprintf(port, sizeof port, "%u", (unsigned)name->port);
    if (getaddrinfo(name->host, port, &hints, &list) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    for (struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next)
        fd = net_connect_address(a->ai_addr, a->ai_addrlen, deadline_ms);
    freeaddrinfo(list);
    return fd;
}

int net_connect(const char *where, int64_t deadline_ms, struct err *err)
{
    struct socket_name name;
    struct arena arena;
    int fd = -1, error = EINVAL;

    arena_init(&arena, NAME_BYTES);
    if (socket_name_parse(slice_str(where), &arena, &name, err) == 0) {
        fd = name.family == SOCKET_UNIX ? connect_unix(name.path, deadline_ms)
                                        : connect_inet(&name, deadline_ms);
        error = errno;
        if (fd < 0)
            (void)err_set(err, EX_UNAVAILABLE, "cannot connect to %s: %s", where, strerror(error));
    }
    arena_fini(&arena);
    errno = error;
    return fd;
}

static void text_of_v6(const struct sockaddr_in6 *a, char *text)
{
    if (IN6_IS_ADDR_V4MAPPED(&a->sin6_addr))
        (void)inet_ntop(AF_INET, a->sin6_addr.s6_addr + 12, text, NET_ADDRESS_BYTES);
    else
        (void)inet_ntop(AF_INET6, &a->sin6_addr, text, NET_ADDRESS_BYTES);
}

void net_address_text(const struct sockaddr *address, char text[NET_ADDRESS_BYTES], uint16_t *port)
{
    uint16_t n = 0;

    text[0] = '\0';
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)(const void *)address;

        (void)inet_ntop(AF_INET, &a->sin_addr, text, NET_ADDRESS_BYTES);
        n = ntohs(a->sin_port);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)(const void *)address;

        text_of_v6(a, text);
        n = ntohs(a->sin6_port);
    }
    if (port != NULL)
        *port = n;
}

bool net_is_loopback(const char *text)
{
    return strncmp(text, "127.", 4) == 0 || strcmp(text, "::1") == 0;
}
