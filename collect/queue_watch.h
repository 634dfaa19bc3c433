#ifndef TG_COLLECT_QUEUE_WATCH_H
#define TG_COLLECT_QUEUE_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/core/contract.h"

/*
 * The length of Postfix's queue: the lines of `postqueue -j`, one a message, counted as they come.
 * It runs beside the caller and at most 1 % of the time: the next run is 100 times its duration
 * later, 10 s to 10 min. One that takes longer than 6 s is killed, with all that it started.
 *
 * Units: times are of clock_monotonic_ms.  Owner: zeroed memory, with `program`, is good;
 * queue_watch_fini.  Threads: one.
 */

struct queue_watch {
    const char *program;
    pid_t child; /* 0: none */
    int fd;      /* its output, while there is a child; -1: that is at the end */
    int64_t started_ms, over_ms, next_ms; /* over: its output */
    uint64_t lines;                       /* of the run */
    bool is_known;                        /* the last run succeeded: */
    uint64_t messages;                    /* what it counted */
};

/* Starts a run, takes what there is of one, or ends it; never waits. */
void queue_watch_run(struct queue_watch *w, int64_t now_ms) TG_NONNULL(1);
/* Readable when there is something to do; -1: none. */
int queue_watch_fd(const struct queue_watch *w) TG_NONNULL(1);
void queue_watch_fini(struct queue_watch *w) TG_NONNULL(1);

#endif
