#ifndef TG_MILTER_ENGINE_H
#define TG_MILTER_ENGINE_H

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"
#include "milter/dispatch.h"

/*
 * What serves the milter protocol. An engine listens, turns what MTAs say into dispatch_* calls
 * and returns the answers. There are two, of which milter.engine chooses one for the process:
 * engine_native.c, loops of Tollgate's own, and engine_libmilter.c, built on Sendmail's library.
 *
 * Threads: open, close from the main thread; run from a thread of its own, in which all signals are
 * blocked; stop and nudge from any other.
 */

struct engine {
    const char *name; /* in milter.engine */

    /* Listens on settings->milter.socket. A Unix socket gets its mode, group and `owner` (a uid;
     * -1: unchanged) before it appears under its name, and replaces a dead one; a socket that
     * another process serves is an error (EX_TEMPFAIL), as a port in use is. Privileges may be
     * dropped afterwards. */
    int (*open)(const struct settings *settings, int owner, struct err *err);

    /* Serves until it is stopped. -1: the engine failed. */
    int (*run)(struct dispatch *g, const struct settings *settings, struct err *err);

    /* A stop is near: sessions between messages go to the supervisor, which keeps them for the next
     * process, and new ones wait. NULL, or without a supervisor: nothing changes. */
    void (*yield)(void);
    /* All sessions that yield is to hand over have ended or gone. NULL: always. */
    bool (*has_yielded)(void);

    /* Requests the end; run returns soon if nudge is called now and then. Idle connections are
     * closed without a reply. */
    void (*stop)(void);
    void (*nudge)(void);

    /* Removes the Unix socket, if it is still ours. */
    void (*close)(void);
};

extern const struct engine engine_native, engine_libmilter;

/* The one that the settings name. */
const struct engine *engine_find(const struct settings *settings) TG_NONNULL(1);

#endif
