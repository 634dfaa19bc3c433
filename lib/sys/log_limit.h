#ifndef TG_SYS_LOG_LIMIT_H
#define TG_SYS_LOG_LIMIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"
#include "lib/sys/mutex.h"

/*
 * Log lines that would repeat.
 *
 * struct log_limit: each key is logged once in a time; how often it came in between is counted.
 * Limits: LOG_LIMIT_MAX keys at a time; while all places are taken by keys still within their time,
 * further ones are not due, so that strangers cannot make the log grow by inventing names. A key
 * that holds a stranger's word begins with a fixed word and a blank ("relay example.com").
 * Threads: all; the lock guards the table.
 *
 * struct log_problem: a state that may last, logged when it begins, then once a minute, and once
 * when it is over. Threads: one.
 *
 * Units: ms of the monotonic clock.
 */

#define LOG_LIMIT_MAX 1024

MUTEX_NAME(log_limit_lock)

struct log_limit {
    struct mutex lock;
    struct log_limit_place {
        uint64_t hash; /* of the key */
        int64_t until_ms;
        uint64_t held_back;
    } list[LOG_LIMIT_MAX] MUTEX_GUARDS(log_limit_lock);
};

void log_limit_init(struct log_limit *n) TG_NONNULL(1);
void log_limit_fini(struct log_limit *n);

/* Is a line of this key due now? Then not again for `every_ms`; *held_back (may be NULL) says how
 * many were not since the last. */
bool log_limit_due(struct log_limit *n, struct slice key, int64_t now_ms, int64_t every_ms,
                   uint64_t *held_back) TG_NONNULL(1);

struct log_problem {
    const char *event; /* "redis cannot be written" */
    const char *over;  /* logged at its end; NULL: it has none */
    int level;
    bool is_on;
    uint64_t times; /* since it was logged last */
    int64_t raised_ms, log_next_ms;
    char text[512];
};

void log_problem_raise(struct log_problem *t, const struct err *e, int64_t now_ms) TG_NONNULL(1);
void log_problem_clear(struct log_problem *t) TG_NONNULL(1);
/* For what has no end of its own: clears it when it was not raised for `quiet_ms`. */
void log_problem_settle(struct log_problem *t, int64_t now_ms, int64_t quiet_ms) TG_NONNULL(1);

#endif
