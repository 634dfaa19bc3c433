#ifndef TG_THROTTLE_VIOLATION_LOG_H
#define TG_THROTTLE_VIOLATION_LOG_H

#include "lib/core/contract.h"
#include "lib/sys/settings.h"
#include "lib/sys/violation.h"

/*
 * Reports violations off the mail path: entries in the streams tg:{domain}:violations (the newest
 * 1,000) and tg:violations (100,000), and the notify program, which is run once for each account,
 * limit and window, by all nodes together as long as the store answers.
 *
 * The program is run as `PROGRAM EVENT ACCOUNT LIMIT` with TOLLGATE_* in its environment (see
 * tollgate.conf(5)), one at a time, and killed after 30 s.
 *
 * Threads: all; one thread of its own does the work.
 * Limits: VIOLATION_LOG_MAX in the queue, and peaks of VIOLATION_LOG_PEAKS_MAX windows; more are
 * dropped, counted, and logged.
 */

#define VIOLATION_LOG_MAX       10000
#define VIOLATION_LOG_PEAKS_MAX 1000
#define VIOLATION_LOG_PEAK_MS   2000

struct violation_log;

/* Works off the queue, for about one timeout of the store, and ends. */
void violation_log_free(struct violation_log *e);
struct violation_log *violation_log_new(const struct settings *s, struct err *err) TG_NONNULL(1)
    TG_FREED_BY(violation_log_free);
/* Takes over throttle.notify. */
void violation_log_reload(struct violation_log *e, const struct settings *s) TG_NONNULL(1);

/* Copies; never waits. */
void violation_log_add(struct violation_log *e, const struct violation *v) TG_NONNULL(1);
/* A violation that is not to be reported by itself. The highest value of its window goes into the
 * streams within VIOLATION_LOG_PEAK_MS, so that a summary knows it. */
void violation_log_peak(struct violation_log *e, const struct violation *v) TG_NONNULL(1);

#endif
