/* What a check is called, whom it is about, and what is made of the answers to all. */
#include "lib/core/limit_check.h"

bool limit_check_is_of(const struct limit_check *d, struct slice account)
{
    if (d->scope != LIMIT_CUSTOMER)
        return d->scope == LIMIT_SERVER || d->scope == LIMIT_CLIENT ||
               slice_equal(account, d->holder);
    for (size_t i = 0; i < d->members->count; i++) {
        if (slice_equal(account, d->members->list[i]))
            return true;
    }
    return false;
}

void limit_check_window_name(const struct limit_check *d, struct buf *b)
{
    buf_add_number(b, d->scope);
    buf_add_char(b, ' ');
    buf_add_number(b, d->metric);
    buf_add_char(b, ' ');
    buf_add_number(b, (uint64_t)d->window_ms);
    buf_add_char(b, ' ');
    buf_add(b, d->holder);
    buf_add_char(b, ' ');
    buf_add(b, d->subject);
}

bool limit_check_stops(const struct limit_check *d, const struct limit *l)
{
    if (d->is_own_bounce)
        return l->action == ACTION_HOLD;
    return l->action != ACTION_LOG && (d->stops || l->forwards);
}

static bool is_later(const struct test_answer *a, const struct test_answer *b)
{
    return b == NULL || (a->retry_after_ms < 0 && b->retry_after_ms >= 0) ||
           (b->retry_after_ms >= 0 && a->retry_after_ms > b->retry_after_ms);
}

struct throttle_verdict limit_checks_decide(const struct limit_checks *d,
                                            const struct test_answer *answers, bool observe)
{
    struct throttle_verdict v = {.action = ACTION_LOG};
    const struct test_answer *answer = answers;

    for (size_t i = 0; i < d->count; i++) {
        for (size_t t = 0; t < d->list[i].test_count; t++, answer++) {
            const struct limit *l = d->list[i].tests[t];
            enum limit_action wanted = limit_check_stops(&d->list[i], l) ? l->action : ACTION_LOG;

            if (!answer->over || (v.check != NULL && wanted < v.wanted) ||
                (v.check != NULL && wanted == v.wanted && !is_later(answer, v.answer)))
                continue;
            v = (struct throttle_verdict){observe ? ACTION_LOG : wanted, &d->list[i], l, answer,
                                          wanted};
        }
    }
    return v;
}
