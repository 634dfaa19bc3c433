#ifndef TG_COLLECT_ALARM_H
#define TG_COLLECT_ALARM_H

#include <stdbool.h>

#include "collect/records.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/redis/store.h"
#include "lib/sys/settings.h"

/*
 * What becomes of an anomaly (collect/activity.h) once it is in the ledger: a line in the log; the
 * program of throttle.notify, once an hour, metric and subject, by all nodes together while Redis
 * answers; and, where throttle.on_anomaly says so, a limit for the subject: its threshold of
 * recipients in ALARM_WINDOW, for ALARM_LIMIT_S.
 *
 * The limit has a window of its own, so that it stands beside the limits of plans and of people and
 * replaces none. One that somebody else has set under its name stays, and so does a lower one.
 *
 * What is older than ALARM_FRESH_MS, from a log that is filled back, is only logged.
 *
 * The program is not waited for; the next one runs when it has ended or was killed.
 *
 * Threads: one.  Owner: alarm_new/alarm_free.
 */

#define ALARM_WINDOW   "59min"
#define ALARM_LIMIT_S  INT64_C(86400)
#define ALARM_FRESH_MS INT64_C(7200000)
#define ALARM_AUTHOR   "tollgate-collect"

struct alarm;

void alarm_free(struct alarm *a); /* NULL is allowed; a program that runs goes on */
/* All is borrowed. */
struct alarm *alarm_new(const struct settings *s, struct records *records, struct store *store,
                        struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);
/* Those in force from now on. */
void alarm_reload(struct alarm *a, const struct settings *s) TG_NONNULL(1, 2);

/* Of alarm_tell and alarm_act. */
enum { ALARM_DONE, ALARM_MORE /* at once */, ALARM_WAITS /* a program runs */ };

/* Log and program. -1: the ledger. */
int alarm_tell(struct alarm *a, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Limits. -1: the store or the ledger. */
int alarm_act(struct alarm *a, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
