#ifndef TG_THROTTLE_THROTTLE_LOOP_H
#define TG_THROTTLE_THROTTLE_LOOP_H

#include "lib/core/contract.h"
#include "lib/redis/pipeline.h"
#include "lib/throttle/throttle.h"

/*
 * A throttle for a loop with many sessions that never waits: the trips of all its messages go over
 * one pipeline. Limits of a holder that are not known for certain are asked for once, whoever waits
 * for them.
 *
 * Threads: the loop's.  Owner: what waits must stay until it is told.
 */

struct throttle_loop;

/* For a store that a pipeline can be had to (pipeline_suits). `epoll` and `mark` as in
 * pipeline_new: whenever a descriptor with that mark is ready, throttle_loop_run is to be called.
 */
struct throttle_loop *throttle_loop_new(struct throttle *t, const struct settings *s, int epoll,
                                        void *mark, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 4);
/* What is under way ends as if the store did not answer. */
void throttle_loop_free(struct throttle_loop *l);
void throttle_loop_run(struct throttle_loop *l) TG_NONNULL(1);
/* As pipeline_gather. */
void throttle_loop_gather(struct throttle_loop *l, bool on) TG_NONNULL(1);

/* One who waits for the limits of some holders. */
struct throttle_loop_wait {
    void (*ready)(struct throttle_loop_wait *w); /* the last answer is there, or does not come */
    size_t open;
};
/* False: there is nothing to wait for, the store is away. */
bool throttle_loop_refresh(struct throttle_loop *l, const struct slice *holders, size_t count,
                           int64_t deadline_ms, struct arena *arena,
                           struct throttle_loop_wait *w) TG_MUST_USE TG_NONNULL(1, 2, 5, 6);
/* As pipeline_begin. */
int throttle_loop_trip(struct throttle_loop *l, struct pipeline_trip *t,
                       struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);

#endif
