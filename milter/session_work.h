#ifndef TG_MILTER_SESSION_WORK_H
#define TG_MILTER_SESSION_WORK_H

#include "lib/core/contract.h"
#include "lib/core/limit_reply.h"
#include "milter/action.h"
#include "milter/envelope.h"
#include "milter/session.h"
#include "milter/visited.h"

/* Shared by the sources of the session: session.c (events up to the body), session_limit.c (limits
 * at RCPT), session_end.c (end of message). Included by nothing else. */

/* IDLE: no message.  OPEN: MAIL to end of message.  The others: a request is unanswered; LOOKING,
 * NOTING and LOOK_ASKING belong to a recipient. */
enum state { IDLE, OPEN, ASKING, LIMITING, COMMITTING, LOOK_ASKING, LOOKING, NOTING };

struct live_target {
    size_t recipient;
    struct slice address;
};

struct session {
    struct arena connection, message, look;
    bool smtp;
    enum session_looks looks;
    struct slice client_ip, version;
    struct visited visited;
    enum envelope_mta mta;

    enum state state;
    struct session_world hosted;
    struct facts facts;
    size_t recipient_room;
    struct live_target *targets;
    size_t target_count, target_room;
    struct slice queue_id;
    bool full; /* the memory of this message is used up */
    struct answers answers;
    bool has_answers;
    unsigned rounds;
    struct classified classified;
    struct facts look_facts;
    struct classified look_classified;
    struct answers look_answers; /* has_look_answers: its table is to be freed */
    bool has_look_answers;
    unsigned look_rounds;
    struct record record;
    struct limit_question question;
    struct session_action verdict;         /* after COMMIT */
    char reply[LIMIT_REPLY_MAX_BYTES + 1]; /* its text, which outlives the message */
    struct err err;
};

/* Back to no message; idempotent. */
void session_reset(struct session *s) TG_NONNULL(1);

/* At RCPT, of the recipient just taken. */
struct session_action session_look(struct session *s) TG_NONNULL(1);
/* Its questions are answered, or (`known` false) cannot be. */
struct session_action session_look_answered(struct session *s, bool known) TG_NONNULL(1);
struct session_action session_looked(struct session *s, const struct limit_answer *limits)
    TG_NONNULL(1);
struct session_action session_refuse_over_limit(struct session *s,
                                                const struct limit_answer *limits) TG_NONNULL(1);
void session_reply_make(struct session *s, const struct limit_answer *limits) TG_NONNULL(1);

#endif
