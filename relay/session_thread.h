#ifndef TG_RELAY_SESSION_THREAD_H
#define TG_RELAY_SESSION_THREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/core/contract.h"
#include "relay/reception.h"
#include "relay/relay.h"
#include "relay/smtp_session.h"
#include "relay/stream.h"

/*
 * One connection of an SMTP client: moves bytes between the socket, relay/smtp_session.h and its
 * handler, within time limits. A command has relay.timeout from its first byte to its last; a
 * message has that, and one second more for each relay.min_rate bytes received.
 *
 * Threads: run in one of its own; stop from any, while the holder keeps the session from being
 * closed.
 */

struct session_thread {
    struct relay *relay;
    struct stream stream;
    char client_ip[64];
    uint16_t client_port, server_port;
    bool begins_with_tls;
    atomic_bool is_idle; /* it waits for a command, without a transaction */
    atomic_bool is_stopping;
    /* Since when it waits for the client, who has not completed what it began; monotonic clock; 0:
     * it works. */
    _Atomic int64_t waiting_since_ms;
    atomic_bool is_evicted;
};

void session_thread_init(struct session_thread *t, struct relay *relay, int fd,
                         const struct sockaddr *from, uint16_t server_port, bool begins_with_tls)
    TG_NONNULL(1);
void session_thread_run(struct session_thread *t) TG_NONNULL(1);
void session_thread_close(struct session_thread *t);
/* Ends it at once if it is idle, else after its transaction. */
void session_thread_stop(struct session_thread *t);
/* Ends it at once, with 421, to make room for others. */
void session_thread_evict(struct session_thread *t) TG_NONNULL(1);

#endif
