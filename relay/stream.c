#include "relay/stream.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/net.h"

#define LINGER_BYTES ((size_t)4 << 20)

/* After a TLS call that did not complete: waits for what it needs. False: the connection failed. */
static bool tls_wait(struct stream *s, int result, int64_t deadline_ms)
{
    int why = SSL_get_error(s->ssl, result);

    if (why == SSL_ERROR_WANT_READ)
        return net_wait(s->fd, POLLIN, deadline_ms);
    if (why == SSL_ERROR_WANT_WRITE)
        return net_wait(s->fd, POLLOUT, deadline_ms);
    if (why != SSL_ERROR_SYSCALL || errno == 0)
        errno = EPROTO;
    return false;
}

static int clamp(size_t len)
{
    return len > INT_MAX ? INT_MAX : (int)len;
}

static ssize_t tls_read(struct stream *s, char *into, size_t room, int64_t deadline_ms)
{
    int n;

    do {
        ERR_clear_error();
        errno = 0;
        n = SSL_read(s->ssl, into, clamp(room));
        if (n > 0)
            return n;
        if (SSL_get_error(s->ssl, n) == SSL_ERROR_ZERO_RETURN)
            return 0;
    } while (tls_wait(s, n, deadline_ms));
    return -1;
}

ssize_t stream_read(struct stream *s, char *into, size_t room, int64_t deadline_ms)
{
    if (s->ssl != NULL)
        return tls_read(s, into, room, deadline_ms);
    for (;;) {
        ssize_t n = recv(s->fd, into, room, 0);

        if (n >= 0)
            return n;
        if (errno == EAGAIN && !net_wait(s->fd, POLLIN, deadline_ms))
            return -1;
        if (errno != EINTR && errno != EAGAIN)
            return -1;
    }
}

static ssize_t write_some(struct stream *s, struct slice bytes, int64_t deadline_ms)
{
    ssize_t n;
    int result;

    if (s->ssl != NULL) {
        ERR_clear_error();
        errno = 0;
        result = SSL_write(s->ssl, bytes.ptr, clamp(bytes.len));
        if (result > 0)
            return result;
        return tls_wait(s, result, deadline_ms) ? 0 : -1;
    }
    n = send(s->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
    if (n >= 0 || errno == EINTR)
        return n < 0 ? 0 : n;
    return errno == EAGAIN && net_wait(s->fd, POLLOUT, deadline_ms) ? 0 : -1;
}

int stream_write(struct stream *s, struct slice bytes, int64_t deadline_ms)
{
    while (bytes.len > 0) {
        ssize_t n = write_some(s, bytes, deadline_ms);

        if (n < 0)
            return -1;
        bytes = slice_from(bytes, (size_t)n);
    }
    return 0;
}

int stream_tls(struct stream *s, SSL *ssl, int64_t deadline_ms, struct err *err)
{
    int result;

    s->ssl = ssl;
    if (ssl == NULL || SSL_set_fd(ssl, s->fd) != 1)
        return err_set(err, EX_OSERR, "TLS: out of memory");
    do {
        ERR_clear_error();
        errno = 0;
        result = SSL_do_handshake(ssl);
        if (result == 1)
            return 0;
    } while (tls_wait(s, result, deadline_ms));
    return err_set(err, EX_PROTOCOL, "TLS handshake failed: %s",
                   ERR_peek_error() != 0 ? ERR_reason_error_string(ERR_peek_error())
                   : errno == ETIMEDOUT  ? "timed out"
                                         : "connection closed");
}

void stream_close(struct stream *s)
{
    if (s->ssl != NULL) {
        ERR_clear_error();
        (void)SSL_shutdown(s->ssl);
        SSL_free(s->ssl);
        s->ssl = NULL;
    }
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
}

void stream_linger(struct stream *s, int64_t deadline_ms)
{
    char block[4096];
    size_t left = LINGER_BYTES;
    ssize_t n = 1;

    if (s->ssl != NULL) {
        ERR_clear_error();
        (void)SSL_shutdown(s->ssl);
    }
    if (shutdown(s->fd, SHUT_WR) != 0)
        return;
    while (n != 0 && left > sizeof block) {
        n = recv(s->fd, block, sizeof block, 0);
        left -= n > 0 ? (size_t)n : 0;
        if (n < 0 && errno != EINTR && (errno != EAGAIN || !net_wait(s->fd, POLLIN, deadline_ms)))
            return;
    }
}
