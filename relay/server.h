#ifndef TG_RELAY_SERVER_H
#define TG_RELAY_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "relay/relay.h"

/*
 * The listening side: takes connections, gives each a thread of its own (milters, disks and DNS may
 * block it), and bounds their number, altogether and by client address.
 *
 * Threads: open, run and close from one; the lock guards the list of sessions.
 */

struct server;

/* Opens the listening sockets; may need root. */
struct server *server_open(struct relay *relay, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Takes connections until `wake_fd` can be read (true) or the time has come (false). */
bool server_run(struct server *s, int wake_fd, int64_t until_ms) TG_NONNULL(1);
/* No new connections; sessions in which no message is under way end, the others have `grace_ms`.
 * False: some are still there (and nothing was freed). */
bool server_close(struct server *s, int64_t grace_ms);

#endif
