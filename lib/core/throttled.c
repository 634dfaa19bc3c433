#include "lib/core/throttled.h"

#include <sysexits.h>

#include "lib/core/charged.h"

enum measure { MEASURE_THROTTLED, MEASURE_OBSERVED, MEASURE_VIOLATIONS };

#define BY_METRIC(measure)                                                                         \
    {                                                                                              \
        [METRIC_RECIPIENTS] = COUNTER_##measure##_RECIPIENTS,                                      \
        [METRIC_MESSAGES] = COUNTER_##measure##_MESSAGES,                                          \
        [METRIC_BYTES] = COUNTER_##measure##_BYTES, [METRIC_BOUNCES] = COUNTER_##measure##_BOUNCES \
    }

static const enum counter counters[][METRIC_COUNT] = {
    [MEASURE_THROTTLED] = BY_METRIC(THROTTLED),
    [MEASURE_OBSERVED] = BY_METRIC(OBSERVED),
    [MEASURE_VIOLATIONS] = BY_METRIC(VIOLATIONS),
};

struct count {
    const struct limit_checks *d;
    struct arena *arena;
    struct record *r;
    struct err *err;
    bool is_stopped, is_hit; /* hit: some limit stops it, or would */
    struct strmap accounts;  /* whose limits do */
};

static const struct slice node = {ACCOUNT_NODE, sizeof ACCOUNT_NODE - 1};

static int amount_add(struct count *c, struct slice account, struct slice user,
                      enum measure measure, enum limit_metric metric, uint64_t value)
{
    return record_amount_add(c->r, c->arena, account, user, counters[measure][metric], value,
                             c->err);
}

static int wants_count(struct count *c, struct slice account, struct slice user,
                       const struct wants *w)
{
    enum measure measure = c->is_stopped ? MEASURE_THROTTLED : MEASURE_OBSERVED;

    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        if (amount_add(c, account, user, measure, (enum limit_metric)metric, w->of[metric]) != 0)
            return -1;
    }
    return 0;
}

/* The accounts whose limit it is: a domain, the domains of a customer, or none. */
static struct limit_members accounts_of(const struct limit_check *d, struct slice *room)
{
    if (d->scope == LIMIT_CUSTOMER)
        return *d->members;
    *room = d->holder;
    return (struct limit_members){.list = room,
                                  .count = d->scope == LIMIT_DOMAIN || d->scope == LIMIT_USER};
}

/* A customer's violation is one: that of the first of its domains. */
static int violation_count(struct count *c, const struct limit_check *d)
{
    struct slice room;
    struct limit_members accounts = accounts_of(d, &room);

    if (accounts.count > 0 &&
        amount_add(c, accounts.list[0], SLICE_NONE, MEASURE_VIOLATIONS, d->metric, 1) != 0)
        return -1;
    if (d->subject.len > 0 &&
        amount_add(c, d->holder, d->subject, MEASURE_VIOLATIONS, d->metric, 1) != 0)
        return -1;
    return amount_add(c, node, SLICE_NONE, MEASURE_VIOLATIONS, d->metric, 1);
}

/* Does this crossed limit stop the message, or would it if limits acted? */
static bool limit_counts(const struct count *c, const struct limit_check *d, const struct limit *l)
{
    return c->is_stopped ? limit_check_stops(d, l) : d->stops || l->forwards;
}

static int test_count(struct count *c, const struct limit_check *d, const struct limit *l,
                      const struct test_answer *answer)
{
    struct slice room;
    struct limit_members accounts = accounts_of(d, &room);

    if (answer->crossing && violation_count(c, d) != 0)
        return -1;
    if (!answer->over || !limit_counts(c, d, l))
        return 0;
    c->is_hit = true;
    for (size_t i = 0; i < accounts.count; i++) {
        if (strmap_add(&c->accounts, accounts.list[i], NULL) == NULL)
            return err_set(c->err, EX_OSERR, "out of memory");
    }
    return 0;
}

static int party_count(struct count *c, const struct charged *p,
                       const struct charged_party *account)
{
    if (account->user.len > 0 || strmap_find(&c->accounts, account->account) == NULL)
        return 0;
    if (wants_count(c, account->account, SLICE_NONE, &account->wants) != 0)
        return -1;
    for (size_t next = account->users; next != 0; next = p->list[next - 1].next) {
        const struct charged_party *user = &p->list[next - 1];

        if (wants_count(c, user->account, user->user, &user->wants) != 0)
            return -1;
    }
    return 0;
}

static int whole_count(struct count *c)
{
    struct wants w = charged_node_wants(c->d->legs, c->d->leg_count);
    struct charged p;
    int result;

    if (!c->is_hit)
        return 0;
    result = charged_fill(&p, c->d->legs, c->d->leg_count, c->arena);
    if (result != 0)
        (void)err_set(c->err, EX_TEMPFAIL, "more than %zu bytes of amounts", c->arena->cap_bytes);
    for (size_t i = 0; i < p.count && result == 0; i++)
        result = party_count(c, &p, &p.list[i]);
    charged_fini(&p);
    return result == 0 ? wants_count(c, node, SLICE_NONE, &w) : -1;
}

int throttled_count(const struct limit_checks *d, const struct test_answer *answers,
                    const struct throttle_verdict *verdict, struct arena *arena, struct record *r,
                    struct err *err)
{
    struct count c = {
        .d = d, .arena = arena, .r = r, .err = err, .is_stopped = verdict->action != ACTION_LOG};
    int result = 0;

    strmap_init(&c.accounts);
    for (size_t i = 0; i < d->count && result == 0; i++) {
        for (size_t t = 0; t < d->list[i].test_count && result == 0; t++)
            result = test_count(&c, &d->list[i], d->list[i].tests[t], answers++);
    }
    if (result == 0)
        result = whole_count(&c);
    strmap_fini(&c.accounts);
    return result;
}

int throttled_count_recipient(enum limit_metric metric, struct slice account, struct slice user,
                              struct arena *arena, struct record *r, struct err *err)
{
    struct count c = {.arena = arena, .r = r, .err = err};
    enum limit_metric of = metric == METRIC_BOUNCES ? METRIC_BOUNCES : METRIC_RECIPIENTS;

    if (amount_add(&c, account, SLICE_NONE, MEASURE_THROTTLED, of, 1) != 0)
        return -1;
    if (user.len > 0 && amount_add(&c, account, user, MEASURE_THROTTLED, of, 1) != 0)
        return -1;
    return amount_add(&c, node, SLICE_NONE, MEASURE_THROTTLED, of, 1);
}
