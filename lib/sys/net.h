#ifndef TG_SYS_NET_H
#define TG_SYS_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * Sockets with deadlines. All are non-blocking and close-on-exec.
 *
 * Units: ms of the monotonic clock.  Errors: -1 or false, with errno; *err if it is passed.
 */

/* Waits until the descriptor is ready for `events` (POLLIN, POLLOUT); at the deadline errno is
 * ETIMEDOUT. */
bool net_wait(int fd, short events, int64_t deadline_ms);

/* Connects to one address. */
int net_connect_address(const struct sockaddr *address, socklen_t len, int64_t deadline_ms);

/* Connects to an address in the form of socket_name_parse; of several the first that answers. */
int net_connect(const char *where, int64_t deadline_ms, struct err *err) TG_MUST_USE;

/* "192.0.2.1" or "2001:db8::1", an IPv4-mapped address as IPv4; *port may be NULL. */
#define NET_ADDRESS_BYTES 64
void net_address_text(const struct sockaddr *address, char text[NET_ADDRESS_BYTES], uint16_t *port);
/* Of such a text. */
bool net_is_loopback(const char *text);

#endif
