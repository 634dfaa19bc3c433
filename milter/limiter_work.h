#ifndef TG_MILTER_LIMITER_WORK_H
#define TG_MILTER_LIMITER_WORK_H

#include "milter/limiter.h"

/* Shared by the two ways to ask: limiter.c waits, limiter_asking.c does not. Included by nothing
 * else. */

/* The checks of the message, or is_too_large. */
void limiter_build(struct throttle_context *context, const struct limit_question *q,
                   struct limit_answer *answer) TG_NONNULL(1, 2, 3);
/* True: a look for which no trip is made; memory has answered. */
bool limiter_look_in_memory(struct limiter *l, const struct limit_rules *rules,
                            const struct limit_question *q, struct limit_answer *answer) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 4);
/* What follows from the throttle's answer, answer->tests; `err`: why the store gave none. */
void limiter_conclude(struct limiter *l, const struct limit_rules *rules, enum throttle_by by,
                      struct limit_answer *answer, const struct err *err) TG_NONNULL(1, 2, 4);
void limiter_report(struct limiter *l, const struct limit_question *q, struct limit_answer *answer)
    TG_NONNULL(1, 2, 3);

#endif
