#include "milter/session_work.h"

#include <stdio.h>

#include "lib/core/throttled.h"

enum { LOOK_ROUNDS_MAX = 16 };

/* Limits are looked at for mail that is charged to the sender's domain, and for bounces. The rest
 * depends on header fields, or no limit stops it. */
static bool is_worth_a_look(const struct classified *c)
{
    const struct decision *d = &c->decisions[0];

    if (c->count == 0)
        return false;
    if (d->class_ == CLASS_OUT)
        return !slice_equal(d->account, SLICE(ACCOUNT_UNATTRIBUTED));
    return c->is_bounce && (d->class_ == CLASS_IN || d->class_ == CLASS_LOCAL);
}

static void look_begin(struct session *s)
{
    if (s->has_look_answers)
        answers_fini(&s->look_answers);
    arena_reset(&s->look);
    s->look_facts = s->facts;
    s->look_facts.recipients = &s->facts.recipients[s->facts.recipient_count - 1];
    s->look_facts.recipient_count = 1;
    s->look_facts.bytes = 1; /* at least */
    s->look_facts.without_copies = true;
    answers_init(&s->look_answers, &s->look);
    s->has_look_answers = true;
    s->look_rounds = 0;
}

/* For a bounce the sources are asked who sends it and whether its recipient is hosted; for other
 * mail that waits until the end of message. */
static struct session_action look_judge(struct session *s)
{
    int open = classify(&s->look_facts, s->hosted.hosted, &s->look_answers, &s->look,
                        &s->look_classified, NULL);

    s->state = OPEN;
    if (open > 0 && address_is_null(&s->facts.sender) && s->look_rounds++ < LOOK_ROUNDS_MAX) {
        s->state = LOOK_ASKING;
        return (struct session_action){.what = SESSION_ASK, .answers = &s->look_answers};
    }
    if (open != 0 || !is_worth_a_look(&s->look_classified))
        return action_continue();
    s->question = (struct limit_question){.classified = &s->look_classified,
                                          .facts = &s->look_facts,
                                          .hosted = s->hosted.hosted,
                                          .is_look = true,
                                          .arena = &s->look};
    s->state = LOOKING;
    return (struct session_action){.what = SESSION_LIMIT, .limits = &s->question};
}

void session_look_at(struct session *s, enum session_looks which)
{
    s->looks = which;
}

static bool is_looked_at(const struct session *s)
{
    if (!s->hosted.limits || !s->smtp || s->looks == SESSION_LOOKS_NONE)
        return false;
    return s->looks == SESSION_LOOKS_ALL || address_is_null(&s->facts.sender);
}

struct session_action session_look(struct session *s)
{
    if (!is_looked_at(s))
        return action_continue();
    look_begin(s);
    return look_judge(s);
}

struct session_action session_look_answered(struct session *s, bool known)
{
    if (known)
        return look_judge(s);
    s->state = OPEN;
    return action_continue();
}

void session_reply_make(struct session *s, const struct limit_answer *limits)
{
    struct slice text = limit_reply(&limits->verdict, limits->reply_more, &s->look);

    (void)snprintf(s->reply, sizeof s->reply, "%s",
                   text.ptr != NULL ? text.ptr : "Over a sending limit");
}

struct session_action session_refuse_over_limit(struct session *s,
                                                const struct limit_answer *limits)
{
    bool reject = limits->verdict.action == ACTION_REJECT;

    session_reply_make(s, limits);
    return action_refuse(reject ? "550" : "450", reject ? "5.7.1" : "4.7.1", s->reply, NULL);
}

/* A server that verifies a sender address asks with the null sender, and would take a permanent
 * refusal for an address that does not exist. */
static struct session_action look_refuse(struct session *s, const struct limit_answer *limits)
{
    struct limit_answer answer = *limits;

    if (address_is_null(&s->facts.sender))
        answer.verdict.action = ACTION_DEFER;
    return session_refuse_over_limit(s, &answer);
}

/* The recipient was just accepted by the session; limits may refuse it after all. */
struct session_action session_looked(struct session *s, const struct limit_answer *limits)
{
    const struct decision *d = &s->look_classified.decisions[0];
    struct limit_payer payer = limit_check_payer(d);

    s->state = OPEN;
    if (limits->tests == NULL ||
        (limits->verdict.action != ACTION_DEFER && limits->verdict.action != ACTION_REJECT))
        return action_continue();
    s->facts.recipient_count--;
    while (s->target_count > 0 &&
           s->targets[s->target_count - 1].recipient == s->facts.recipient_count)
        s->target_count--;
    s->record = (struct record){.kind = RECORD_EVENT};
    s->verdict = look_refuse(s, limits);
    if (throttled_count_recipient(d->class_ == CLASS_OUT ? METRIC_RECIPIENTS : METRIC_BOUNCES,
                                  payer.account, payer.user, &s->look, &s->record, &s->err) != 0)
        return s->verdict;
    s->state = NOTING;
    return (struct session_action){.what = SESSION_COMMIT, .record = &s->record};
}
