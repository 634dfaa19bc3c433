#ifndef TG_THROTTLE_THROTTLE_SCRIPT_H
#define TG_THROTTLE_THROTTLE_SCRIPT_H

#include "lib/core/contract.h"
#include "lib/core/limit_check.h"
#include "lib/redis/store.h"

/* Checks as calls of throttle.lua, and its answers. Threads: one, with the connection. */

struct throttle_call {
    const char *prefix;
    bool observe;       /* no limit stops the message */
    bool consume;       /* false: nothing is consumed */
    int64_t now_ms;     /* Unix time, as near to the store's as is known: for the months */
    char id[40];        /* of this message's reservations; unique in the store */
    int64_t timeout_ms; /* for one trip */
};

/* A reservation ends by itself within a sixtieth of the window, but is not shorter or longer than
 * this. */
#define THROTTLE_RESERVE_MIN_MS 1000
#define THROTTLE_RESERVE_MAX_MS 5000

/* All checks of a message. One trip where there is one holder, where no limit can stop the message,
 * and to look. Else all holders are looked at first (one trip), and the message consumes only where
 * all fit: one more trip where a single holder can stop it (and one for the others), else two more,
 * to reserve and to keep. Nothing is consumed by a message that is stopped.
 *
 * *now_ms: the store's clock. -1: EX_UNAVAILABLE without an answer, EX_TEMPFAIL for an error
 * reply. */
int throttle_call(struct store *st, const struct throttle_call *call, const struct limit_checks *d,
                  struct arena *arena, struct test_answer *answers, int64_t *now_ms,
                  struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
