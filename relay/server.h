#ifndef TG_RELAY_SERVER_H
#define TG_RELAY_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "relay/relay.h"

/*
 * The listening side: accepts connections, gives each a thread of its own (milters, disks and DNS
 * may block it), and limits their number, in total and for each client address.
 *
 * Threads: open, run and close from one; the lock guards the list of sessions.
 */

struct server;

#define SERVER_NO_LISTENER "relay.listen is empty: name at least one host:port"

/* Opens the listening sockets; may need root. */
struct server *server_open(struct relay *relay, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Accepts connections until `wake_fd` is readable (true) or until `until_ms` of the monotonic clock
 * (false). */
bool server_run(struct server *s, int wake_fd, int64_t until_ms) TG_NONNULL(1);
/* Accepts no more connections; idle sessions end, the others have `grace_ms`. False: some have not
 * ended, and nothing was freed. */
bool server_close(struct server *s, int64_t grace_ms);

#endif
