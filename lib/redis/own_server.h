#ifndef TG_REDIS_OWN_SERVER_H
#define TG_REDIS_OWN_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"

/*
 * store.url "private:": tollgated's own redis-server in state_dir/redis, on a Unix socket there,
 * its append-only file synced every second. It ends with a clean stop; if
 * tollgated is killed, it stays and is taken over at the next start.
 *
 * There are never two in one directory: the server holds, as long as it or a child of it lives, the
 * flock of redis/lock through a descriptor that it inherits. A process that gets the lock
 * may start a server; one that does not get it uses the server that runs.
 *
 * With store.private_group the members of that group may use the server, too: its socket belongs to
 * the group, and state_dir may be passed through by everybody (mode o+x). They may do anything in
 * it, but files of it they cannot read.
 *
 * Threads: one (the caller's); started after privileges are dropped, so that the server runs as
 * `user`. Errors: EX_UNAVAILABLE if there is no redis-server program, or it exits at once (the text
 * has the last line of its log), EX_CANTCREAT for the directory, EX_CONFIG for
 * the group. The tick logs its errors.
 */

struct own_server;

bool own_server_wanted(const struct settings *s) TG_NONNULL(1);

/* Starts the server, or takes over the one that runs, and waits at most wait_ms until it answers. A
 * server that still loads its data then, or is stalled, is not an error: the store tries again. */
struct own_server *own_server_start(const struct settings *s, int64_t wait_ms,
                                    struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Once a second or so: starts it again if it has died, with a growing pause (1 s to 60 s), and
 * renames its log, state_dir/redis/redis.log, to redis.log.1 when that is larger than 1 MB. */
void own_server_tick(struct own_server *p) TG_NONNULL(1);
/* Stops the server: SHUTDOWN, and after wait_ms SIGKILL. Frees *p. */
void own_server_stop(struct own_server *p, int64_t wait_ms);
/* Frees *p and leaves the server running (for the next process of a restart). */
void own_server_leave(struct own_server *p);

/* The server's process; 0: none runs. */
pid_t own_server_pid(const struct own_server *p) TG_NONNULL(1);
bool own_server_is_adopted(const struct own_server *p) TG_NONNULL(1);

#endif
