#ifndef TG_SYS_NET_H
#define TG_SYS_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * Sockets with deadlines. All are non-blocking and close-on-exec.
 *
 * Units: ms of the monotonic clock.  Errors: -1 or false, with errno.
 */

/* Waits until the descriptor is ready for `events` (POLLIN, POLLOUT); at the deadline errno is
 * ETIMEDOUT. */
bool net_wait(int fd, short events, int64_t deadline_ms);

/* Connects to one address. */
int net_connect_address(const struct sockaddr *address, socklen_t len, int64_t deadline_ms);

/* Connects to "unix:/path" ("local:/path", or just a path), "inet:port@host" or "inet:host:port"
 * ("inet:[::1]:25"), "inet6:port@host". */
int net_connect(const char *where, int64_t deadline_ms);

#endif
