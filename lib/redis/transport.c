#include "lib/redis/transport.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
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

/* --- TLS ------------------------------------------------------------------------------------- */

/* What the last call on the session waits for; 0: it failed. */
static short tls_wants(const struct transport *t, int result)
{
    int why = SSL_get_error(t->ssl, result);

    return why == SSL_ERROR_WANT_READ ? POLLIN : why == SSL_ERROR_WANT_WRITE ? POLLOUT : 0;
}

/* OpenSSL's queue of errors and errno tell why a call failed, if they were empty before it. */
static void tls_prepare(void)
{
    ERR_clear_error();
    errno = 0;
}

static int tls_greet(struct transport *t, int64_t deadline_ms, struct err *err)
{
    for (;;) {
        int result;
        short wants;

        tls_prepare();
        result = SSL_do_handshake(t->ssl);
        if (result == 1)
            return 0;
        wants = tls_wants(t, result);
        if (wants == 0)
            return transport_tls_fault(t->ssl, result, err);
        if (!net_wait(t->fd, wants, deadline_ms))
            return err_set(err, EX_UNAVAILABLE, "TLS: no answer in time (is it a TLS port?)");
    }
}

static int tls_open(struct transport *t, const struct endpoint *e, int64_t deadline_ms,
                    struct err *err)
{
    t->ssl = transport_tls_session(e->tls, t->fd, e->host, err);
    if (t->ssl != NULL && tls_greet(t, deadline_ms, err) == 0)
        return 0;
    transport_close(t);
    return -1;
}

/* A record that is no data (a session ticket) is none of the other side's requests. */
static bool tls_is_stale(const struct transport *t)
{
    char byte;
    int result;

    tls_prepare();
    result = SSL_peek(t->ssl, &byte, 1);
    return result > 0 || tls_wants(t, result) == 0;
}

static int int_length(size_t len)
{
    return len > INT_MAX ? INT_MAX : (int)len;
}

/* --- the stream ------------------------------------------------------------------------------ */

int transport_open(struct transport *t, const struct endpoint *e, int64_t deadline_ms,
                   struct err *err)
{
    *t = TRANSPORT_CLOSED;
    if (e->kind == ENDPOINT_UNIX)
        return open_unix(t, e->path, deadline_ms, err);
    if (open_tcp(t, e, deadline_ms, err) != 0)
        return -1;
    return e->tls != NULL ? tls_open(t, e, deadline_ms, err) : 0;
}

/* Without waiting: the other side learns of the end, if it listens. */
void transport_close(struct transport *t)
{
    if (t->ssl != NULL) {
        ERR_clear_error();
        if (SSL_is_init_finished(t->ssl))
            (void)SSL_shutdown(t->ssl);
        SSL_free(t->ssl);
    }
    if (t->fd >= 0)
        (void)close(t->fd);
    *t = TRANSPORT_CLOSED;
}

bool transport_is_open(const struct transport *t)
{
    return t->fd >= 0;
}

bool transport_is_stale(const struct transport *t)
{
    struct pollfd p = {.fd = t->fd, .events = POLLIN};

    if (poll(&p, 1, 0) == 0)
        return t->ssl != NULL && SSL_pending(t->ssl) > 0;
    return t->ssl == NULL || tls_is_stale(t);
}

bool transport_poll(const struct transport *t, bool writing, struct pollfd *p)
{
    *p = (struct pollfd){.fd = t->fd, .events = writing ? POLLIN | POLLOUT : POLLIN};
    return t->ssl != NULL && SSL_pending(t->ssl) > 0;
}

/* The deadline counts even if something can be read: a server that sends a byte now and then must
 * not hold the caller for ever. */
int transport_wait(struct transport *t, bool writing, int64_t deadline_ms, struct err *err)
{
    struct pollfd p;
    bool is_ready = transport_poll(t, writing, &p);

    if (clock_monotonic_ms() < deadline_ms && (is_ready || net_wait(t->fd, p.events, deadline_ms)))
        return 0;
    if (clock_monotonic_ms() < deadline_ms)
        return fail(err, "poll", errno);
    return err_set(err, EX_UNAVAILABLE, "no answer in time");
}

static bool is_for_later(int number)
{
    return number == EAGAIN || number == EWOULDBLOCK || number == EINTR;
}

static ptrdiff_t tls_read(struct transport *t, char *bytes, size_t room, struct err *err)
{
    int n;

    tls_prepare();
    n = SSL_read(t->ssl, bytes, int_length(room));
    if (n > 0)
        return n;
    return tls_wants(t, n) != 0 ? 0 : transport_tls_fault(t->ssl, n, err);
}

ptrdiff_t transport_read(struct transport *t, char *bytes, size_t room, struct err *err)
{
    ssize_t n;

    if (t->ssl != NULL)
        return tls_read(t, bytes, room, err);
    n = recv(t->fd, bytes, room, 0);
    if (n == 0)
        return err_set(err, EX_UNAVAILABLE, "the server closed the connection");
    if (n < 0)
        return is_for_later(errno) ? 0 : fail(err, "connection lost", errno);
    return n;
}

/* A server that rejects the client's certificate says so after the handshake and closes; the alert
 * may be there when the first write fails. */
static int tls_write_fault(struct transport *t, int result, struct err *err)
{
    char byte;

    (void)transport_tls_fault(t->ssl, result, err);
    tls_prepare();
    result = SSL_peek(t->ssl, &byte, 1);
    if (result <= 0 && SSL_get_error(t->ssl, result) == SSL_ERROR_SSL)
        (void)transport_tls_fault(t->ssl, result, err);
    return -1;
}

static ptrdiff_t tls_write(struct transport *t, const char *bytes, size_t len, struct err *err)
{
    int n;

    tls_prepare();
    n = SSL_write(t->ssl, bytes, int_length(len));
    if (n > 0)
        return n;
    return tls_wants(t, n) != 0 ? 0 : tls_write_fault(t, n, err);
}

ptrdiff_t transport_write(struct transport *t, const char *bytes, size_t len, struct err *err)
{
    ssize_t n;

    if (t->ssl != NULL)
        return tls_write(t, bytes, len, err);
    n = send(t->fd, bytes, len, MSG_NOSIGNAL);
    if (n < 0)
        return is_for_later(errno) ? 0 : fail(err, "connection lost", errno);
    return n;
}
