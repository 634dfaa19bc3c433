#ifndef TG_MILTER_LIMITER_ASKING_H
#define TG_MILTER_LIMITER_ASKING_H

#include "lib/throttle/throttle_loop.h"
#include "milter/limiter.h"

/*
 * limiter_ask for a loop that never waits: limits that are not known for certain, then the trips of
 * the throttle, one after the other over the loop's pipeline. All of it has store.timeout together;
 * after that store.on_failure decides, as where the store is away.
 *
 * Owner: the struct does not move and is used again for the next message; what it points to stays
 * until `done`. Threads: the loop's.
 */

struct limiter_asking {
    /* Set by the caller. */
    struct limiter *limiter;
    struct throttle_loop *loop;
    const struct limit_rules *rules;
    const struct limit_question *question;
    struct limit_answer *answer;
    int64_t timeout_ms;
    void (*done)(struct limiter_asking *a);
    void *context; /* the caller's */

    /* Its own. */
    int64_t deadline_ms;
    struct throttle_loop_wait wait;
    struct throttle_asking throttle;
    struct pipeline_trip trip;
};

/* True: *answer is there; false: `done` comes when it is. */
bool limiter_asking_begin(struct limiter_asking *a) TG_MUST_USE TG_NONNULL(1);

#endif
