#include <stddef.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "milter/dispatch_work.h"
#include "milter/message_log.h"

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS };

/* --- what may block --------------------------------------------------------------------------- */

static bool bring_answers(struct dispatch_connection *c, struct answers *answers)
{
    struct dispatch *g = c->dispatch;
    struct err err;
    uint64_t held_back;

    if (resolver_answer(c->snapshot->resolver, answers, &err) == 0)
        return true;
    if (log_limit_due(&g->log_limit, SLICE("source"), clock_monotonic_ms(), MINUTE_MS, &held_back))
        log_event(LOG_ERR, "source does not answer", LOG_STR("error", err.text),
                  LOG_NUM("more_before", held_back));
    return false;
}

static void log_record(const struct session_action *a)
{
    const struct record *r = a->record;

    log_event(LOG_DEBUG, "message classified", LOG_TEXT("qid", r->queue_id),
              LOG_NUM("number", r->number), LOG_NUM("bytes", r->bytes),
              LOG_STR("origin", classify_origin_name(a->classified->origin)),
              LOG_TEXT("owner", a->classified->owner), LOG_NUM("decisions", a->classified->count));
}

static bool relayed_is_due(struct dispatch *g, struct slice domain)
{
    struct buf key;
    bool due;

    buf_init(&key, 512);
    buf_addf(&key, "relay %.*s", SLICE_FMT(domain));
    due = log_limit_due(&g->log_limit, buf_slice(&key), clock_monotonic_ms(), HOUR_MS, NULL);
    buf_fini(&key);
    return due;
}

/* The MTA accepted mail from an outside client to a domain that is not hosted: most often a domain
 * missing from the hosted set. */
static void log_relayed(struct dispatch *g, const struct session_action *a)
{
    for (size_t i = 0; i < a->classified->count; i++) {
        const struct decision *d = &a->classified->decisions[i];

        if (d->rule == RULE_NOT_HOSTED && relayed_is_due(g, d->destination))
            log_event(LOG_NOTICE, "not hosted; missing from the hosted set?",
                      LOG_TEXT("domain", d->destination), LOG_TEXT("qid", a->record->queue_id));
    }
}

/* True: the record is written, or ledger.on_full accepts mail without one. */
static bool write_record(struct dispatch_connection *c, const struct session_action *a)
{
    struct dispatch *g = c->dispatch;
    bool accept = c->snapshot->settings->ledger.on_full == ON_FAILURE_ACCEPT;
    struct err err;
    uint64_t held_back;

    /* A refusal needs no in-flight slot: nothing was accepted. */
    if (a->record->kind != RECORD_EVENT && atomic_load(&c->slot) < 0)
        atomic_store(&c->slot, journal_slot_take(g->journal));
    if (journal_append(g->journal, a->record,
                       a->record->kind == RECORD_EVENT ? -1 : atomic_load(&c->slot), &err) == 0) {
        message_log_write(a->record);
        if (a->classified != NULL) {
            log_record(a);
            log_relayed(g, a);
        }
        return true;
    }
    if (log_limit_due(&g->log_limit, SLICE("journal"), clock_monotonic_ms(), MINUTE_MS, &held_back))
        log_event(LOG_ERR, accept ? "message not counted" : "message cannot be counted",
                  LOG_TEXT("qid", a->record->queue_id), LOG_NUM("bytes", a->record->bytes),
                  LOG_STR("error", err.text), LOG_NUM("more_before", held_back));
    return accept;
}

static void carry_out(struct dispatch_connection *c)
{
    const struct session_action *a = &c->asked;

    if (a->what == SESSION_ASK)
        c->is_good = bring_answers(c, a->answers);
    else if (a->what == SESSION_LIMIT)
        limiter_ask(&c->dispatch->limiter, c->snapshot->rules, a->limits, &c->limits);
    else
        c->is_good = write_record(c, a);
}

static struct session_action answer(struct dispatch_connection *c)
{
    if (c->asked.what == SESSION_ASK)
        return session_answered(c->session, c->is_good);
    if (c->asked.what == SESSION_LIMIT)
        return session_limited(c->session, &c->limits);
    return session_committed(c->session, c->is_good);
}

/* --- who carries it out ----------------------------------------------------------------------- */

/* A record takes a write(2) to a file; where each one is synced, that is a wait. */
static bool may_block(const struct dispatch_connection *c, enum errand_lane *lane)
{
    const struct session_action *a = &c->asked;

    *lane = a->what == SESSION_ASK     ? ERRAND_SOURCES
            : a->what == SESSION_LIMIT ? ERRAND_STORE
                                       : ERRAND_JOURNAL;
    if (a->what == SESSION_LIMIT)
        return limiter_needs_store(&c->dispatch->limiter, c->snapshot->rules, a->limits);
    return a->what == SESSION_ASK || c->snapshot->settings->ledger.sync == SYNC_ALWAYS;
}

static struct dispatch_connection *connection_of(struct errand *e)
{
    return (struct dispatch_connection *)(void *)((char *)e -
                                                  offsetof(struct dispatch_connection, errand));
}

static void errand_work(struct errand *e)
{
    carry_out(connection_of(e));
}

/* Where the engine has left, the MTA has no answer and the message is not accepted; a record that
 * is written stays, what limits have let it consume goes back. */
static void resume(struct dispatch_connection *c)
{
    struct session_action a = {.what = SESSION_CONTINUE};

    c->is_waiting = false;
    if (!c->is_left)
        a = dispatch_settle(c, answer(c));
    else if (c->asked.what == SESSION_COMMIT)
        (void)answer(c);
    else if (c->asked.what == SESSION_LIMIT)
        limiter_give_back(&c->dispatch->limiter, c->asked.limits, &c->limits);
    if (a.what != SESSION_WAIT)
        c->call_ended(c, a);
}

static void errand_done(struct errand *e)
{
    resume(connection_of(e));
}

static void limits_done(struct limiter_asking *a)
{
    struct dispatch_connection *c = a->context;

    errands_guest_end(c->waiter.errands);
    resume(c);
}

/* True: the answer is there. */
static bool limits_asked(struct dispatch_connection *c)
{
    c->asking = (struct limiter_asking){.limiter = &c->dispatch->limiter,
                                        .loop = errands_guest(c->waiter.errands),
                                        .rules = c->snapshot->rules,
                                        .question = c->asked.limits,
                                        .answer = &c->limits,
                                        .timeout_ms = c->snapshot->settings->store.timeout_ms,
                                        .done = limits_done,
                                        .context = c};
    if (limiter_asking_begin(&c->asking))
        return true;
    errands_guest_begin(c->waiter.errands);
    c->is_waiting = true;
    return false;
}

static void wait_for(struct dispatch_connection *c, enum errand_lane lane)
{
    c->is_waiting = true;
    c->errand.work = errand_work;
    c->errand.done = errand_done;
    errands_begin(c->waiter.errands, lane, &c->errand);
}

/* From memory. */
static bool is_answered_at_once(struct dispatch_connection *c)
{
    if (c->asked.what != SESSION_ASK ||
        !resolver_answer_known(c->snapshot->resolver, c->asked.answers))
        return false;
    c->is_good = true;
    return true;
}

static bool is_request(const struct session_action *a)
{
    return a->what == SESSION_ASK || a->what == SESSION_LIMIT || a->what == SESSION_COMMIT;
}

/* False: it waits. */
static bool carried_out(struct dispatch_connection *c)
{
    enum errand_lane lane;

    if (c->waiter.errands != NULL) {
        if (is_answered_at_once(c))
            return true;
        if (c->asked.what == SESSION_LIMIT && errands_guest(c->waiter.errands) != NULL)
            return limits_asked(c);
        if (may_block(c, &lane)) {
            wait_for(c, lane);
            return false;
        }
    }
    carry_out(c);
    return true;
}

struct session_action dispatch_settle(struct dispatch_connection *c, struct session_action a)
{
    while (is_request(&a)) {
        c->asked = a;
        if (!carried_out(c))
            return (struct session_action){.what = SESSION_WAIT};
        a = answer(c);
    }
    return a;
}
