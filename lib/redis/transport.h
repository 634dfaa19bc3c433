#ifndef TG_REDIS_TRANSPORT_H
#define TG_REDIS_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/redis/transport_tls.h"

struct pollfd;

/*
 * A byte stream to a server, with deadlines: a Unix socket, TCP, or TLS over TCP; it blocks in
 * poll(2) only. Protocols over it (Redis, socket maps) use these functions only, so that TLS
 * concerns this module alone.
 *
 * Units: deadlines are times of clock_monotonic_ms.  Owner: the holder of struct transport.
 * Threads: one at a time.  Errors: EX_UNAVAILABLE; after an error the stream is to be closed.
 * Limits: getaddrinfo(3) knows no deadline: a host given by name may block longer, when opening
 * only.
 */

enum endpoint_kind { ENDPOINT_UNIX, ENDPOINT_TCP };

/* Where to: borrowed C strings. */
struct endpoint {
    enum endpoint_kind kind;
    const char *path;          /* ENDPOINT_UNIX */
    const char *host, *port;   /* ENDPOINT_TCP: a name or a literal without brackets; a number */
    struct transport_tls *tls; /* ENDPOINT_TCP; NULL: none */
};

struct transport {
    int fd;   /* -1: closed */
    SSL *ssl; /* NULL: without TLS */
};

#define ENDPOINT_PATH_ROOM 108 /* of sockaddr_un */
#define TRANSPORT_CLOSED   ((struct transport){.fd = -1})
#define ENDPOINT_TEXT      320

/* "unix:/run/redis.sock", "127.0.0.1:6379", "[::1]:6379" */
void transport_endpoint_text(const struct endpoint *e, char text[ENDPOINT_TEXT]) TG_NONNULL(1);

/* Connects, and greets where there is TLS; of several addresses of a name each is tried, with an
 * equal part of the time left. */
int transport_open(struct transport *t, const struct endpoint *e, int64_t deadline_ms,
                   struct err *err) TG_MUST_USE TG_NONNULL(1);
void transport_close(struct transport *t);
bool transport_is_open(const struct transport *t) TG_NONNULL(1);
/* True if the other side has closed it or sent something unrequested: it cannot be used. */
bool transport_is_stale(const struct transport *t) TG_NONNULL(1);

/* Waits until bytes can be read (or, if `writing`, written). -1 with *err at the deadline. */
int transport_wait(struct transport *t, bool writing, int64_t deadline_ms,
                   struct err *err) TG_MUST_USE TG_NONNULL(1);
/* For a poll(2) of several streams: fills *p. True: there is something to read without a wait. */
bool transport_poll(const struct transport *t, bool writing, struct pollfd *p) TG_NONNULL(1, 3);
/* Moves what can be moved without waiting: the number of bytes, 0 for none now, -1 if the stream
 * has failed or (reading) ended. */
ptrdiff_t transport_read(struct transport *t, char *bytes, size_t room, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
ptrdiff_t transport_write(struct transport *t, const char *bytes, size_t len,
                          struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
