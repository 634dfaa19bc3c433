#include "milter/limiter.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "milter/limiter_work.h"

enum { MINUTE_MS = 60 * 1000, REPEATED_MS = 10 * 1000 };

/* --- reporting ------------------------------------------------------------------------------ */

static bool is_charged(const struct decision *d, const struct limit_check *check)
{
    bool bounces = d->class_ == CLASS_IN || d->class_ == CLASS_LOCAL;

    return bounces == (check->metric == METRIC_BOUNCES) && d->class_ != CLASS_RELAY &&
           limit_check_is_of(check, limit_check_payer(d).account);
}

/* Who is charged, whichever the scope of the limit: the first that is known. */
static struct slice user_of(const struct classified *c, const struct limit_check *check)
{
    struct slice user = check->subject;

    for (size_t i = 0; i < c->count && user.len == 0; i++) {
        if (is_charged(&c->decisions[i], check))
            user = limit_check_payer(&c->decisions[i]).user;
    }
    return user;
}

static struct violation violation_of(const struct limit_question *q, const struct limit_check *d,
                                     const struct limit *l, const struct test_answer *t,
                                     bool observed)
{
    return (struct violation){
        .time_ms = clock_unix_ms(),
        .domain = d->holder,
        .user = user_of(q->classified, d),
        .login = q->facts->auth.len > 0 ? q->facts->auth : q->classified->login,
        .scope = d->scope,
        .metric = d->metric,
        .max = l->max,
        .used = t->used,
        .wanted = d->amount,
        .per = d->per,
        .window_ms = d->window_ms,
        .action = l->action,
        .retry_after_s = t->retry_after_ms < 0 ? -1 : (t->retry_after_ms + 999) / 1000,
        .observed = observed,
        .crossing = t->crossing,
        .queue_id = q->queue_id,
        .client = q->facts->client_ip,
        .sender = address_text(&q->facts->sender, q->arena)};
}

static void report(struct limiter *l, const struct violation *v)
{
    struct log_field fields[VIOLATION_FIELDS_MAX];
    struct buf text;

    buf_init(&text, 4096);
    log_fields(v->soft ? LOG_NOTICE : LOG_WARNING, violation_event(v), fields,
               violation_fields(v, &text, fields));
    buf_fini(&text);
    violation_log_add(l->violations, v);
}

/* Recipients are refused as fast as a client can name them, and what is only observed is not slowed
 * down at all: after the crossing one line in 10 s for each window. */
static bool is_repeated(struct limiter *l, const struct limit_question *q,
                        const struct limit_check *d, const struct limit *limit,
                        const struct test_answer *t, bool observed)
{
    struct buf name;
    bool due;

    if (!q->is_look && !observed)
        return false;
    buf_init(&name, 1024);
    buf_addf(&name, "violation %.*s %.*s %d %lld %" PRIu64, SLICE_FMT(d->holder),
             SLICE_FMT(d->subject), (int)d->metric, (long long)d->window_ms, limit->max);
    due = log_limit_due(l->log_limit, buf_slice(&name), clock_monotonic_ms(), REPEATED_MS, NULL);
    buf_fini(&name);
    return !due && !t->crossing;
}

/* One report for each test that is over, or whose soft percentage is reached. */
static void report_all(struct limiter *l, const struct limit_question *q,
                       const struct limit_answer *answer)
{
    const struct test_answer *t = answer->tests;
    bool observed = answer->verdict.action == ACTION_LOG;

    for (size_t i = 0; i < answer->checks.count; i++) {
        const struct limit_check *d = &answer->checks.list[i];

        for (size_t n = 0; n < d->test_count; n++, t++) {
            struct violation v;

            if (!t->over && !t->soft)
                continue;
            v = violation_of(q, d, d->tests[n], t, observed && t->over);
            v.soft = !t->over;
            if (t->over && is_repeated(l, q, d, d->tests[n], t, observed))
                violation_log_peak(l->violations, &v);
            else
                report(l, &v);
        }
    }
}

static void complain(struct limiter *l, const struct err *err, enum throttle_by by)
{
    static const char *const meanwhile[] = {[THROTTLE_BY_LOCAL] = "limits of this process alone",
                                            [THROTTLE_BY_ACCEPT] = "no limits",
                                            [THROTTLE_BY_DEFER] = "mail is deferred"};

    if (log_limit_due(l->log_limit, SLICE("throttle"), clock_monotonic_ms(), MINUTE_MS, NULL))
        log_event(LOG_ERR, "limits cannot be checked in the store", LOG_STR("error", err->text),
                  LOG_STR("meanwhile", meanwhile[by]));
}

/* --- asking --------------------------------------------------------------------------------- */

/* At RCPT the store is asked about bounces only: a flood of them is refused recipient by recipient
 * or not at all. Of other mail it is enough to know that a window is full. */
static bool look_is_worth_a_trip(const struct limit_checks *d)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->list[i].metric == METRIC_BOUNCES)
            return true;
    return false;
}

bool limiter_look_in_memory(struct limiter *l, const struct limit_rules *rules,
                            const struct limit_question *q, struct limit_answer *answer)
{
    const struct limit_checks *d = &answer->checks;
    struct test_answer *tests, *t;
    bool any = false;

    if (!q->is_look || look_is_worth_a_trip(d))
        return false;
    tests = t = arena_array(q->arena, d->test_count + 1, sizeof *tests);
    for (size_t i = 0; i < d->count && tests != NULL; i++) {
        for (size_t n = 0; n < d->list[i].test_count; n++, t++) {
            if (throttle_is_full(l->throttle, &d->list[i], d->list[i].tests[n], t))
                any = true;
            else
                t->over = false;
        }
    }
    if (!any)
        return true;
    answer->tests = tests;
    answer->verdict = limit_checks_decide(d, tests, rules->observe);
    return true;
}

void limiter_conclude(struct limiter *l, const struct limit_rules *rules, enum throttle_by by,
                      struct limit_answer *answer, const struct err *err)
{
    if (by != THROTTLE_BY_STORE)
        complain(l, err, by);
    answer->is_unknown = by == THROTTLE_BY_DEFER;
    answer->is_by_store = by == THROTTLE_BY_STORE;
    if (by == THROTTLE_BY_DEFER || by == THROTTLE_BY_ACCEPT)
        answer->tests = NULL;
    if (answer->tests != NULL)
        answer->verdict = limit_checks_decide(&answer->checks, answer->tests, rules->observe);
}

static void note_bounces(struct limiter *l, const struct limit_checks *checks)
{
    for (size_t i = 0; i < checks->count; i++) {
        if (checks->list[i].metric == METRIC_BOUNCES)
            l->has_met_bounces = true;
    }
}

void limiter_report(struct limiter *l, const struct limit_question *q, struct limit_answer *answer)
{
    if (q->classified->is_bounce)
        note_bounces(l, &answer->checks);
    if (answer->tests != NULL && (!q->is_look || answer->verdict.action >= ACTION_DEFER))
        report_all(l, q, answer);
}

static void ask(struct limiter *l, const struct limit_rules *rules, bool consume,
                struct arena *arena, struct limit_answer *answer, struct err *err)
{
    enum throttle_by by =
        throttle_ask(l->throttle, rules, &answer->checks, consume, arena, &answer->tests, err);

    limiter_conclude(l, rules, by, answer, err);
}

bool limiter_has_room(const struct limiter *l, const struct limit_rules *rules)
{
    return l->throttle == NULL || rules->observe || !throttle_has_full(l->throttle);
}

bool limiter_may_refuse(const struct limiter *l, const struct limit_rules *rules)
{
    if (l->throttle == NULL || rules->observe)
        return false;
    return rules->bounces || l->has_met_bounces || throttle_has_full(l->throttle);
}

/* A look at mail that is no bounce asks what is full, and mostly nothing is. */
bool limiter_needs_store(const struct limiter *l, const struct limit_rules *rules,
                         const struct limit_question *q)
{
    if (q->is_look && (rules->observe || (!q->classified->is_bounce && limiter_has_room(l, rules))))
        return false;
    return limit_checks_are_possible(q->classified);
}

void limiter_build(struct throttle_context *context, const struct limit_question *q,
                   struct limit_answer *answer)
{
    struct limit_source source;
    struct err err = {0};

    memset(&answer->checks, 0, sizeof answer->checks);
    answer->reply_more = context->rules->reply_more;
    answer->is_too_large =
        throttle_limits(context, q->arena, &source, &err) != 0 ||
        limit_checks_build(q->classified, q->facts, q->hosted, &context->rules->exempt, &source,
                           q->arena, &answer->checks, &err) != 0;
}

void limiter_ask(struct limiter *l, const struct limit_rules *rules, const struct limit_question *q,
                 struct limit_answer *answer)
{
    struct throttle_context context = {
        .throttle = l->throttle, .rules = rules, .hosted = q->hosted};
    struct err err = {0};

    memset(answer, 0, sizeof *answer);
    if (!limiter_needs_store(l, rules, q))
        return;
    limiter_build(&context, q, answer);
    if (answer->is_too_large || answer->checks.count == 0)
        return;
    if (!limiter_look_in_memory(l, rules, q, answer))
        ask(l, rules, !q->is_look, q->arena, answer, &err);
    limiter_report(l, q, answer);
}

void limiter_give_back(struct limiter *l, const struct limit_question *q,
                       const struct limit_answer *answer)
{
    if (!q->is_look && answer->is_by_store && answer->verdict.action == ACTION_LOG)
        throttle_give_back(l->throttle, &answer->checks);
}

int limiter_ask_held(struct limiter *l, const struct limit_rules *rules,
                     const struct hosted *hosted, const struct record *held, struct arena *arena,
                     struct limit_answer *answer, struct err *err)
{
    struct throttle_context context = {.throttle = l->throttle, .rules = rules, .hosted = hosted};
    struct limit_source source;

    memset(answer, 0, sizeof *answer);
    if (throttle_limits(&context, arena, &source, err) != 0 ||
        limit_checks_of_held(held, &source, arena, &answer->checks, err) != 0)
        return -1;
    if (answer->checks.count > 0)
        ask(l, rules, true, arena, answer, err);
    return answer->is_unknown ? -1 : 0;
}
