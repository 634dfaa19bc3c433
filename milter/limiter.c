#include "milter/limiter.h"

#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"

enum { MINUTE_MS = 60 * 1000, TOLD_OFTEN_MS = 10 * 1000 };

/* --- telling -------------------------------------------------------------------------------- */

static struct violation violation_of(const struct limit_question *q, const struct limit_check *d,
                                     const struct limit *l, const struct test_answer *t,
                                     bool observed)
{
    return (struct violation){.time_ms = clock_unix_ms(),
                              .domain = d->holder,
                              .user = d->subject,
                              .scope = d->scope,
                              .metric = d->metric,
                              .max = l->max,
                              .used = t->used,
                              .wanted = d->amount,
                              .per = d->per,
                              .window_ms = d->window_ms,
                              .action = l->action,
                              .retry_after_s =
                                  t->retry_after_ms < 0 ? -1 : (t->retry_after_ms + 999) / 1000,
                              .observed = observed,
                              .crossing = t->crossing,
                              .queue_id = q->queue_id,
                              .client = q->facts->client_ip,
                              .sender = address_text(&q->facts->sender, q->arena)};
}

static void tell(struct limiter *l, const struct violation *v)
{
    struct log_field fields[VIOLATION_FIELDS_MAX];
    struct buf text;

    buf_init(&text, 4096);
    log_fields(v->soft ? LOG_NOTICE : LOG_WARNING, violation_event(v), fields,
               violation_fields(v, &text, fields));
    buf_fini(&text);
    violation_log_add(l->violations, v);
}

/* Recipients are refused as fast as a client can name them, and what is only observed goes on
 * without end: after the crossing one line in 10 s for each window. */
static bool is_told_often(struct limiter *l, const struct limit_question *q,
                          const struct limit_check *d, const struct test_answer *t, bool observed)
{
    struct buf name;
    bool due;

    if (!q->is_look && !observed)
        return false;
    buf_init(&name, 1024);
    buf_addf(&name, "violation %.*s %.*s %d %lld", SLICE_FMT(d->holder), SLICE_FMT(d->subject),
             (int)d->metric, (long long)d->window_ms);
    due = log_limit_due(l->log_limit, buf_slice(&name), clock_monotonic_ms(), TOLD_OFTEN_MS, NULL);
    buf_fini(&name);
    return !due && !t->crossing;
}

/* One line a test that is over, or whose soft percentage is reached. */
static void tell_all(struct limiter *l, const struct limit_question *q,
                     const struct limit_answer *answer)
{
    const struct test_answer *t = answer->tests;
    bool observed = answer->verdict.action == ACTION_LOG;

    for (size_t i = 0; i < answer->checks.count; i++) {
        const struct limit_check *d = &answer->checks.list[i];

        for (size_t n = 0; n < d->test_count; n++, t++) {
            struct violation v;

            if ((!t->over && !t->soft) || (t->over && is_told_often(l, q, d, t, observed)))
                continue;
            v = violation_of(q, d, d->tests[n], t, observed && t->over);
            v.soft = !t->over;
            tell(l, &v);
        }
    }
}

static void complain(struct limiter *l, const struct err *err, enum throttle_by by)
{
    static const char *const meanwhile[] = {[THROTTLE_BY_LOCAL] = "limits of this process alone",
                                            [THROTTLE_BY_ACCEPT] = "no limits",
                                            [THROTTLE_BY_DEFER] = "mail is deferred"};

    if (log_limit_due(l->log_limit, SLICE("throttle"), clock_monotonic_ms(), MINUTE_MS, NULL))
        log_event(LOG_ERR, "limits cannot be asked of the store", LOG_STR("error", err->text),
                  LOG_STR("meanwhile", meanwhile[by]));
}

/* --- asking --------------------------------------------------------------------------------- */

/* At RCPT: is one of the windows known to be full? Bounces are looked up, since a flood of them is
 * refused recipient by recipient or not at all. */
static bool look_is_worth_a_trip(const struct limit_checks *d)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->list[i].metric == METRIC_BOUNCES)
            return true;
    return false;
}

static bool tests_from_memory(struct limiter *l, const struct limit_checks *d, struct arena *arena,
                              struct test_answer **tests)
{
    struct test_answer *t = arena_array(arena, d->test_count + 1, sizeof *t);
    bool any = false;

    if (t == NULL)
        return false;
    *tests = t;
    for (size_t i = 0; i < d->count; i++) {
        for (size_t n = 0; n < d->list[i].test_count; n++, t++) {
            if (throttle_is_full(l->throttle, &d->list[i], d->list[i].tests[n], t))
                any = true;
            else
                t->over = false;
        }
    }
    return any;
}

static void ask(struct limiter *l, const struct limit_rules *rules, const struct limit_question *q,
                struct limit_answer *answer)
{
    struct err err = {0};
    enum throttle_by by = throttle_ask(l->throttle, rules, &answer->checks, !q->is_look, q->arena,
                                       &answer->tests, &err);

    if (by != THROTTLE_BY_STORE)
        complain(l, &err, by);
    answer->is_unknown = by == THROTTLE_BY_DEFER;
    if (by == THROTTLE_BY_DEFER || by == THROTTLE_BY_ACCEPT)
        answer->tests = NULL;
}

void limiter_ask(struct limiter *l, const struct limit_rules *rules, const struct limit_question *q,
                 struct limit_answer *answer)
{
    struct throttle_context context = {l->throttle, rules, q->hosted};
    struct limit_source source;
    struct err err = {0};

    memset(answer, 0, sizeof *answer);
    if ((q->is_look && rules->observe) || !limit_checks_are_possible(q->classified))
        return;
    if (throttle_limits(&context, q->arena, &source, &err) != 0 ||
        limit_checks_build(q->classified, q->facts, q->hosted, &rules->exempt, &source, q->arena,
                           &answer->checks, &err) != 0) {
        answer->is_unknown = true;
        return;
    }
    if (answer->checks.count == 0)
        return;
    if (q->is_look && !look_is_worth_a_trip(&answer->checks)) {
        if (!tests_from_memory(l, &answer->checks, q->arena, &answer->tests)) {
            answer->tests = NULL;
            return;
        }
    } else {
        ask(l, rules, q, answer);
    }
    if (answer->tests == NULL)
        return;
    answer->verdict = limit_checks_decide(&answer->checks, answer->tests, rules->observe);
    if (!q->is_look || answer->verdict.action >= ACTION_DEFER)
        tell_all(l, q, answer);
}
