#ifndef TG_SYS_NOTIFY_H
#define TG_SYS_NOTIFY_H

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/log.h"

/*
 * The command line of the program of throttle.notify, which is run as `PROGRAM EVENT ACCOUNT WHAT`
 * with the fields of the log line in its environment: TOLLGATE_RETRY_AFTER=720 for retry_after.
 *
 * Threads: all.
 */

#define NOTIFY_TIMEOUT_MS INT64_C(30000)
#define NOTIFY_FIELDS_MAX 20
#define NOTIFY_WORDS      (NOTIFY_FIELDS_MAX + 6)

struct notify_event {
    const char *event;
    struct slice account, what;
    const struct log_field *fields;
    size_t count; /* at most NOTIFY_FIELDS_MAX */
};

/* argv, which ends with NULL, points into *words. False: the cap of *words is reached. */
bool notify_argv(const char *program, const struct notify_event *e, struct buf *words,
                 const char *argv[NOTIFY_WORDS]) TG_MUST_USE TG_NONNULL(1, 2, 3, 4);
/* Runs it, for NOTIFY_TIMEOUT_MS at most, and waits for its end. -1: it could not be run, or ends
 * with another code than 0; *err says what it wrote. */
int notify_run(const char *program, const struct notify_event *e, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3);
/* A field's value; `number` is room for one. */
struct slice notify_field_text(const struct log_field *f, char number[24]) TG_NONNULL(1, 2);

#endif
