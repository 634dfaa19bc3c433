#ifndef TG_MILTER_LIMITER_H
#define TG_MILTER_LIMITER_H

#include "lib/core/contract.h"
#include "lib/sys/log_limit.h"
#include "lib/throttle/limit_rules.h"
#include "lib/throttle/throttle.h"
#include "lib/throttle/violation_log.h"
#include "milter/session.h"

/*
 * The errand of a session to the throttle: the question becomes checks, the throttle's answer a
 * verdict; what was crossed is told to the log, the streams and the notify program.
 *
 * Threads: all.  All is borrowed.
 */

struct limiter {
    struct throttle *throttle;
    struct violation_log *violations;
    struct log_limit *log_limit; /* for complaints, once a minute each */
};

void limiter_ask(struct limiter *l, const struct limit_rules *rules,
                 const struct limit_question *question, struct limit_answer *answer) TG_NONNULL(1);

#endif
