#include "lib/core/throttled.h"
#include "milter/session_work.h"

enum { ROUNDS_MAX = 64 };

/* A forwarding target that the MTA showed is an answer that needs no look-up. */
static int put_targets(struct session *s)
{
    for (size_t i = 0; i < s->target_count; i++) {
        struct live_target *t = &s->targets[i];
        struct answer answer = {.found = true, .targets = {&t->address, 1}};
        struct slice key = address_text(&s->facts.recipients[t->recipient], &s->message);

        if (key.ptr == NULL || answers_put(&s->answers, QUESTION_FORWARD, key, &answer) != 0)
            return -1;
    }
    return 0;
}

/* The message is over, and so is its memory: an idle session holds none. */
static struct session_action finish(struct session *s, struct session_action last)
{
    session_reset(s);
    return last;
}

/* The record is to be written; then the MTA gets `verdict`. */
static struct session_action commit(struct session *s, struct session_action verdict)
{
    s->verdict = verdict;
    s->state = COMMITTING;
    return (struct session_action){.what = SESSION_COMMIT,
                                   .record = &s->record,
                                   .classified =
                                       s->record.kind == RECORD_MESSAGE ? &s->classified : NULL};
}

static int record_of_message(struct session *s, const struct limit_answer *limits)
{
    if (record_build(&s->classified, &s->facts, s->hosted.hosted->out_bytes,
                     s->hosted.hosted->users, s->queue_id, &s->message, &s->record, &s->err) != 0)
        return -1;
    if (s->smtp)
        visited_charge(&s->visited, &s->record);
    if (limits == NULL || limits->tests == NULL)
        return 0;
    return throttled_count(&limits->checks, limits->tests, &limits->verdict, &s->message,
                           &s->record, &s->err);
}

/* Accepted: charged, with the observed limits that it crossed (NULL: none). */
static struct session_action charge(struct session *s, const struct limit_answer *limits)
{
    if (record_of_message(s, limits) != 0)
        return finish(s, action_no_memory());
    return commit(s, action_continue());
}

/* Refused: only the attempt is counted. */
static struct session_action stop(struct session *s, const struct limit_answer *limits)
{
    s->record = (struct record){.kind = RECORD_EVENT, .queue_id = s->queue_id};
    if (throttled_count(&limits->checks, limits->tests, &limits->verdict, &s->message, &s->record,
                        &s->err) != 0)
        return finish(s, action_no_memory());
    return commit(s, session_refuse_over_limit(s, limits));
}

/* A customer has no account: its mail waits in the line of the first of its domains. */
static struct slice line_of(const struct limit_check *check)
{
    return check->scope == LIMIT_CUSTOMER ? check->members->list[0] : check->holder;
}

/* Held: charged when it is released. */
static struct session_action hold(struct session *s, const struct limit_answer *limits)
{
    struct session_action held = {.what = SESSION_HOLD, .text = s->reply};

    session_reply_make(s, limits);
    if (record_of_message(s, limits) != 0)
        return finish(s, action_no_memory());
    s->record.kind = RECORD_HELD;
    s->record.held_by = line_of(limits->verdict.check);
    s->record.client_ip = s->client_ip;
    s->record.wanted = limits->checks.legs;
    s->record.wanted_count = limits->checks.leg_count;
    return commit(s, held);
}

static struct session_action limit(struct session *s)
{
    s->question = (struct limit_question){.classified = &s->classified,
                                          .facts = &s->facts,
                                          .hosted = s->hosted.hosted,
                                          .queue_id = s->queue_id,
                                          .arena = &s->message};
    s->state = LIMITING;
    return (struct session_action){.what = SESSION_LIMIT, .limits = &s->question};
}

static struct session_action judge(struct session *s)
{
    int open =
        classify(&s->facts, s->hosted.hosted, &s->answers, &s->message, &s->classified, &s->err);

    if (open < 0)
        return finish(s, action_no_memory());
    if (open == 0)
        return s->hosted.limits ? limit(s) : charge(s, NULL);
    if (++s->rounds > ROUNDS_MAX)
        return finish(s, action_not_now("a message needs too many rounds of look-ups"));
    s->state = ASKING;
    return (struct session_action){.what = SESSION_ASK, .answers = &s->answers};
}

struct session_action session_end(struct session *s, const struct session_macros *macros)
{
    if (s->state != OPEN || s->facts.recipient_count == 0) {
        session_reset(s);
        return action_continue();
    }
    s->facts.bytes += 2; /* the line between headers and body */
    s->queue_id = arena_copy(&s->message, slice_to(macros->queue_id, 128));
    answers_init(&s->answers, &s->message);
    s->has_answers = true;
    if (s->full || s->queue_id.ptr == NULL || put_targets(s) != 0)
        return finish(s, action_no_memory());
    return judge(s);
}

struct session_action session_answered(struct session *s, bool known)
{
    TG_ASSERT(s->state == ASKING || s->state == LOOK_ASKING);
    if (s->state == LOOK_ASKING)
        return session_look_answered(s, known);
    s->state = OPEN;
    if (!known)
        return finish(s,
                      action_not_now("a source of domains, forwarders or logins does not answer"));
    return judge(s);
}

struct session_action session_limited(struct session *s, const struct limit_answer *limits)
{
    TG_ASSERT(s->state == LIMITING || s->state == LOOKING);
    if (s->state == LOOKING)
        return session_looked(s, limits);
    if (limits->is_too_large)
        return finish(s, action_no_memory());
    if (limits->is_unknown)
        return finish(
            s,
            action_refuse("451", "4.7.1", "Sending limits cannot be checked now, try again later",
                          "the store does not answer, and store.on_failure is \"defer\""));
    if (limits->tests == NULL || limits->verdict.action == ACTION_LOG)
        return charge(s, limits);
    return limits->verdict.action == ACTION_HOLD ? hold(s, limits) : stop(s, limits);
}

struct session_action session_committed(struct session *s, bool written)
{
    TG_ASSERT(s->state == COMMITTING || s->state == NOTING);
    if (s->state == NOTING) {
        s->state = OPEN;
        return s->verdict;
    }
    visited_settle(&s->visited, written);
    /* A refusal stands even if it could not be recorded. */
    if (!written && s->record.kind != RECORD_EVENT)
        return finish(s, action_no_room());
    return finish(s, s->verdict);
}
