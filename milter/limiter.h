#ifndef TG_MILTER_LIMITER_H
#define TG_MILTER_LIMITER_H

#include "lib/core/contract.h"
#include "lib/sys/log_limit.h"
#include "lib/throttle/limit_rules.h"
#include "lib/throttle/throttle.h"
#include "lib/throttle/violation_log.h"
#include "milter/session.h"

/*
 * From a session's question to the throttle's verdict. Crossed limits are reported to the log, the
 * streams and the notify program.
 *
 * Owner: everything is borrowed.  Threads: all.
 */

struct limiter {
    struct throttle *throttle;
    struct violation_log *violations;
    struct log_limit *log_limit;  /* for complaints, once a minute each */
    _Atomic bool has_met_bounces; /* a limit on bounces, which no plan may name */
};

/* False: limiter_ask answers that question from memory. */
bool limiter_needs_store(const struct limiter *l, const struct limit_rules *rules,
                         const struct limit_question *question) TG_NONNULL(1, 2, 3);
/* No window is known to be full, or none stops anything: a look at RCPT finds nothing, but for a
 * bounce's. */
bool limiter_has_room(const struct limiter *l, const struct limit_rules *rules) TG_NONNULL(1, 2);
/* A recipient may be refused, so that somebody should hear it. */
bool limiter_may_refuse(const struct limiter *l, const struct limit_rules *rules) TG_NONNULL(1, 2);
void limiter_ask(struct limiter *l, const struct limit_rules *rules,
                 const struct limit_question *question, struct limit_answer *answer) TG_NONNULL(1);

/* The message that got this answer is given up: what it consumed goes back to the store. */
void limiter_give_back(struct limiter *l, const struct limit_question *question,
                       const struct limit_answer *answer) TG_NONNULL(1, 2, 3);

/* limiter_ask for a held message that is to be released: where it fits, it is consumed. The answer
 * is in `arena`. -1: not known, *err says why. */
int limiter_ask_held(struct limiter *l, const struct limit_rules *rules,
                     const struct hosted *hosted, const struct record *held, struct arena *arena,
                     struct limit_answer *answer, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
