#ifndef TG_SYS_SIGNALS_H
#define TG_SYS_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * The events of a daemon's main thread: signals, and, in tollgated, the end of the engine.
 *
 * The main thread alone has signals unblocked, with handlers; every other thread is started with
 * all of them blocked. So each signal for the process is the main thread's, however many come at
 * once. (libmilter's thread that would wait for TERM, INT and HUP is kept from it:
 * engine_libmilter_calls.c.)
 *
 * Threads: signals_next and signals_block by the main thread; signals_tell by any, and in handlers.
 */

enum signal_event { EVENT_NONE, EVENT_STOP = 'S', EVENT_RELOAD = 'R', EVENT_ENGINE_ENDED = 'E' };

/* Ignores HUP and USR1 until there is something to reload, and PIPE for good. Called first. */
void signals_ignore(void);
/* Handlers for TERM, INT (stop), HUP and USR1 (reload). What comes before anybody looks is kept. */
int signals_open(struct err *err) TG_MUST_USE;
/* The next event, or EVENT_NONE after wait_ms (-1: for ever). */
enum signal_event signals_next(int64_t wait_ms);
/* Readable when there is one, for whoever waits for more than signals. */
int signals_fd(void);
void signals_tell(enum signal_event event);

/* Around the start of threads: in between all signals are blocked, and the new threads keep it so.
 */
void signals_block(void);
void signals_unblock(void);

#endif
