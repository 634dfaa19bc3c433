#ifndef TG_THROTTLE_THROTTLE_SCRIPT_H
#define TG_THROTTLE_THROTTLE_SCRIPT_H

#include "lib/core/contract.h"
#include "lib/core/limit_check.h"
#include "lib/redis/store.h"

/* Checks as calls of throttle.lua, and its answers. Threads: one, with the connection. */

struct throttle_call {
    const char *prefix;
    bool observe; /* no limit stops the message */
    bool consume; /* false: nothing is consumed */
    time_t now_s; /* for the months' ends, in the configured time zone */
    int64_t timeout_ms;
};

/* All checks in one trip; where one holder refuses, a second trip gives back what the others
 * consumed. -1: EX_UNAVAILABLE without an answer, EX_TEMPFAIL for an error reply. */
int throttle_call(struct store *st, const struct throttle_call *call, const struct limit_checks *d,
                  struct arena *arena, struct test_answer *answers, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

#endif
