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

/* The parts of service_open that only read, for -t: first what may need root, then, with the rights
 * of the account, sources and relay.users_file. EX_UNAVAILABLE, EX_TEMPFAIL: a source cannot be
 * asked now. */
int service_check_as_root(const struct settings *s, struct err *err) TG_MUST_USE TG_NONNULL(1);
int service_check(const struct settings *s, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* No signal is lost from here on; to be called first. */
int service_catch_signals(struct err *err) TG_MUST_USE;

#endif
