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
 * its append-only file synced every second. It ends with a clean stop; killed without one,
 * tollgated leaves it behind and finds it again.
 *
 * There are never two in one directory: the server holds, as long as it or a child of it lives, the
 * flock of redis/lock through a descriptor that it inherits. Who gets the lock knows that none
 * lives and may start one; who does not get it uses the one that lives.
 *
 * Threads: one (the caller's); started after privileges are dropped, so that the server is our
 * user's. Errors: EX_UNAVAILABLE where there is no redis-server program, or it ends at once (the
 * text has its last words), EX_CANTCREAT for the directory. The tick logs by itself.
 */

struct own_server;

bool own_server_wanted(const struct settings *s) TG_NONNULL(1);

/* Starts the server, or takes over the one that lives, and waits at most wait_ms until it answers:
 * one that then still loads its data, or is stalled, is no error (the store tries again as ever).
 */
struct own_server *own_server_start(const struct settings *s, int64_t wait_ms,
                                    struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Once a second or so: starts it again if it has died, with a growing pause (1 s to 60 s). */
void own_server_tick(struct own_server *p) TG_NONNULL(1);
/* Ends the server: SHUTDOWN, and after wait_ms a KILL. Frees *p. */
void own_server_stop(struct own_server *p, int64_t wait_ms);
/* Frees *p and lets the server live (for the next process of a restart). */
void own_server_leave(struct own_server *p);

/* The server's process; 0: none lives. */
pid_t own_server_pid(const struct own_server *p) TG_NONNULL(1);
bool own_server_is_adopted(const struct own_server *p) TG_NONNULL(1);

#endif
