#ifndef TG_THROTTLE_THROTTLE_SCRIPT_H
#define TG_THROTTLE_THROTTLE_SCRIPT_H

#include "lib/core/contract.h"
#include "lib/core/limit_check.h"
#include "lib/redis/store.h"

/* Demands as calls of throttle.lua, and its answers read back. One connection, one thread. */

struct throttle_call {
    const char *prefix;
    bool observe; /* nothing stops */
    bool consume; /* false: only look */
    time_t now_s; /* for the months' ends, in the configured time zone */
    int64_t timeout_ms;
};

/* All checks in one trip; where one holder stops, a second trip gives back what the others
 * consumed. -1: *err; EX_UNAVAILABLE: no answer came, EX_TEMPFAIL: the store answered with an
 * error. */
int throttle_call(struct store *st, const struct throttle_call *call, const struct limit_checks *d,
                  struct arena *arena, struct test_answer *answers, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

#endif
