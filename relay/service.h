#ifndef TG_RELAY_SERVICE_H
#define TG_RELAY_SERVICE_H

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"

/*
 * The daemon as a whole: the order of its start and stop. First what may need root (directories,
 * sockets, keys), then privileges are dropped, then the queue, the hosting and the threads.
 *
 * Threads: the main one.
 */

struct service;

/* The settings are borrowed. NULL with *err. */
struct service *service_open(const struct settings *s, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Serves until SIGTERM or SIGINT, then drains. */
void service_run(struct service *s) TG_NONNULL(1);
void service_close(struct service *s);

/* No signal is lost from here on; to be called first. */
int service_catch_signals(struct err *err) TG_MUST_USE;

#endif
