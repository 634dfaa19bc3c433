#ifndef TG_RELAY_STREAM_H
#define TG_RELAY_STREAM_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * A connection with deadlines, in plain text until TLS begins.
 *
 * Units: ms of the monotonic clock.  Owner: the holder; stream_close.  Threads: one.
 */

struct stream {
    int fd;   /* non-blocking; -1: closed */
    SSL *ssl; /* NULL: plain */
};

/* 0: the peer has closed; -1 with errno (ETIMEDOUT at the deadline). */
ssize_t stream_read(struct stream *s, char *into, size_t room, int64_t deadline_ms) TG_NONNULL(1);
/* All of it, or -1. */
int stream_write(struct stream *s, struct slice bytes, int64_t deadline_ms) TG_NONNULL(1);
/* The handshake, as server or client (ssl set up by the caller and then owned here). */
int stream_tls(struct stream *s, SSL *ssl, int64_t deadline_ms, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
void stream_close(struct stream *s);
/* Before a close: waits for the peer to close first, and discards what it still sends; otherwise
 * the system resets the connection, and the last reply is lost. */
void stream_linger(struct stream *s, int64_t deadline_ms) TG_NONNULL(1);

#endif
