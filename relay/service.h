#ifndef TG_RELAY_SERVICE_H
#define TG_RELAY_SERVICE_H

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"

/*
 * The daemon as a whole: what is done once and in which order. First all that root may be needed
 * for (directories, sockets, keys), then root no more, then the queue, the hosting and the threads.
 *
 * Threads: one, the main one.
 */

struct service;

/* settings are borrowed. NULL with *err. */
struct service *service_open(const struct settings *s, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Serves until it is told to stop; drains. */
void service_run(struct service *s) TG_NONNULL(1);
void service_close(struct service *s);

/* Signals from here on are not lost; before anything else. */
int service_catch_signals(struct err *err) TG_MUST_USE;

#endif
