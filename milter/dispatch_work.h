#ifndef TG_MILTER_DISPATCH_WORK_H
#define TG_MILTER_DISPATCH_WORK_H

#include "lib/core/contract.h"
#include "milter/dispatch.h"
#include "milter/errands.h"
#include "milter/limiter_asking.h"

/* Shared by the sources of the dispatch: dispatch.c (events), dispatch_envelope.c (MAIL and RCPT),
 * dispatch_call.c (begin and end of each), dispatch_settle.c (what a session asks for). Included by
 * nothing else. */

struct dispatch_connection {
    struct dispatch *dispatch;
    struct dispatch_connection *next, *previous;
    struct session *session;
    struct snapshot *snapshot; /* of the message under way; held by the session */
    atomic_int slot;           /* of the journal's in-flight table; -1: none */
    bool counted_session, counted_open;
    bool is_continued;  /* another process had the session before, and counted it */
    int64_t handed_ms;  /* another process has it from then on; 0: none */
    int64_t started_ms; /* counted_session: of clock_monotonic_ms */
    size_t lead;
    struct dispatch_quiet quiet;
    struct session_action refusal; /* REPLY: not heard yet; the message is refused by it */

    struct session_action asked; /* the session's request that is carried out */
    struct limit_answer limits;  /* its answer: LIMIT */
    bool is_good;                /* ASK: answered; COMMIT: written */

    struct dispatch_waiter waiter; /* errands NULL: every call is finished when it returns */
    struct errand errand;
    struct limiter_asking asking; /* where the errands have a throttle's loop */
    bool is_waiting;              /* a call is under way; the errand is what it waits for */
    bool is_left;                 /* the engine has left meanwhile */
    /* A call that waited is over. */
    void (*call_ended)(struct dispatch_connection *c, struct session_action a);
};

/* True: not closed. The order, busy before closed, is what dispatch_close relies on; `busy` is to
 * be lowered again in any case. */
bool dispatch_is_open(struct dispatch *g) TG_MUST_USE TG_NONNULL(1);
/* A call begins; each ends with dispatch_finish, which returns its action. False: the door is shut,
 * and the call must touch nothing that the daemon frees. */
bool dispatch_begin(struct dispatch_connection *c) TG_NONNULL(1);
struct session_action dispatch_finish(struct dispatch_connection *c, struct session_action a)
    TG_NONNULL(1);
/* A stop: the message, if there is one, is over. */
struct session_action dispatch_stopping(struct dispatch_connection *c) TG_NONNULL(1);
/* The message under way is refused, and the MTA is still to hear it; or no longer so. */
bool dispatch_is_refused(const struct dispatch_connection *c) TG_NONNULL(1);
void dispatch_unsay(struct dispatch_connection *c) TG_NONNULL(1);

/* Carries out what the session asks for, until an action is final; or WAIT. */
struct session_action dispatch_settle(struct dispatch_connection *c, struct session_action a)
    TG_NONNULL(1);

#endif
