#ifndef TG_MILTER_ENGINE_H
#define TG_MILTER_ENGINE_H

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"
#include "milter/dispatch.h"

/*
 * What serves the milter protocol. An engine listens, turns what MTAs say into dispatch_* calls
 * and returns the answers. There is one per process; engine_libmilter.c is built on libmilter.
 *
 * Threads: open, close from the main thread; run from a thread of its own, in which all signals are
 * blocked; stop from any other.
 */

/* Listens on settings->milter.socket. A Unix socket gets its mode, group and `owner` (a uid; -1:
 * unchanged) before it appears under its name, and replaces a dead one; a socket that another
 * process serves is an error (EX_TEMPFAIL), as a port in use is. Privileges may be dropped
 * afterwards. */
int engine_open(const struct settings *settings, int owner, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* Serves until engine_stop. -1: the engine failed. */
int engine_run(struct dispatch *g, const struct settings *settings, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* Requests the end; engine_run returns soon if engine_nudge is called now and then. Idle
 * connections are closed without a reply. */
void engine_stop(void);
void engine_nudge(void);

/* Removes the Unix socket, if it is still ours. */
void engine_close(void);

#endif
