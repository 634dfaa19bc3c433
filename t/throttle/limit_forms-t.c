/* Every form of a limit, by the store, by this process, and by what it remembers: the same answers
 * and the same verdict. */
#include "lib/throttle/throttle.h"

#include "lib/sys/clock.h"
#include "lib/throttle/full_windows.h"
#include "lib/throttle/local_windows.h"
#include "t/tap.h"
#include "t/throttle/throttle_fixture.h"

enum outcome { PASSES, STOPPED, LOGGED };
enum retry { NOW, LATER, NEVER };

/* What was used before, what the message wants, and what comes of it. */
struct form {
    const char *name;
    uint64_t max;
    enum limit_action action;
    bool forwards, sends;
    uint64_t used, wanted;
    enum outcome outcome;
    enum retry retry;
    bool full; /* afterwards not even 1 fits */
};

#define U LIMIT_UNLIMITED
static const struct form forms[] = {
    {"domain/recipients/hour", 5, ACTION_DEFER, false, true, 3, 2, PASSES, NOW, true},
    {"domain/recipients/hour", 5, ACTION_DEFER, false, true, 3, 3, STOPPED, LATER, false},
    {"domain/recipients/hour", 5, ACTION_DEFER, false, true, 5, 1, STOPPED, LATER, true},
    {"domain/recipients/hour", 5, ACTION_DEFER, false, true, 1, 6, STOPPED, NEVER, false},
    {"domain/recipients/hour", U, ACTION_REJECT, false, true, 100, 100, PASSES, NOW, false},
    {"domain/recipients/hour", 0, ACTION_REJECT, false, true, 0, 1, STOPPED, NEVER, true},
    {"domain/recipients/month", 5, ACTION_REJECT, false, true, 5, 1, STOPPED, LATER, true},
    {"domain/recipients/month", 5, ACTION_REJECT, false, true, 4, 1, PASSES, NOW, true},
    {"domain/recipients/month", 5, ACTION_REJECT, false, true, 0, 6, STOPPED, NEVER, false},
    {"domain/recipients/month", 0, ACTION_DEFER, false, true, 0, 1, STOPPED, NEVER, true},
    {"domain/recipients/month", U, ACTION_DEFER, false, true, 9, 1, PASSES, NOW, false},
    {"domain/messages/10min", 1, ACTION_HOLD, false, true, 1, 1, STOPPED, LATER, true},
    {"domain/bytes/7days", 1000, ACTION_LOG, false, true, 999, 2, LOGGED, LATER, true},
    {"domain/bytes/7days", 1000, ACTION_LOG, false, true, 0, 1001, LOGGED, NEVER, true},
    {"domain/bounces/hour", 5, ACTION_DEFER, false, true, 5, 1, STOPPED, LATER, true},
    {"domain/messages/day", 5, ACTION_DEFER, false, false, 5, 1, LOGGED, LATER, true},
    {"domain/messages/day", 5, ACTION_DEFER, true, false, 5, 1, STOPPED, LATER, true},
    {"user/recipients/hour", 5, ACTION_DEFER, false, true, 5, 1, STOPPED, LATER, true},
    {"user/recipients/month", 5, ACTION_DEFER, false, true, 5, 1, STOPPED, LATER, true},
    {"server/messages/min", 5, ACTION_REJECT, false, true, 5, 1, STOPPED, LATER, true},
    {"client/messages/day", 5, ACTION_DEFER, false, true, 5, 1, STOPPED, LATER, true},
};

static const char *const holders[] = {[LIMIT_DOMAIN] = "domain",
                                      [LIMIT_USER] = "domain-of-users",
                                      [LIMIT_SERVER] = HOLDER_SERVER,
                                      [LIMIT_CLIENT] = HOLDER_CLIENT "192.0.2."};

struct asked {
    struct limit *limits; /* in force: none where the plan says unlimited */
    size_t limit_count;
    const struct limit *test;
    struct limit_check check;
    struct limit_checks all;
    char holder[64];
};

static void asked_make(struct asked *a, size_t i, struct arena *arena)
{
    const struct form *f = &forms[i];
    struct limit planned = {.max = f->max, .action = f->action, .forwards = f->forwards};
    struct plan plan = {SLICE("default"), &planned, 1};

    if (limit_parse_name(slice_str(f->name), arena, &planned, NULL) != 0 ||
        limits_merge(&plan, NULL, 0, 0, arena, &a->limits, &a->limit_count) != 0)
        redis_fixture_die(f->name);
    (void)snprintf(a->holder, sizeof a->holder, "%s%zu", holders[planned.scope], i);
    a->test = a->limits;
    a->check = (struct limit_check){
        .scope = planned.scope,
        .metric = planned.metric,
        .window_ms = planned.window_ms,
        .per = planned.per,
        .holder = slice_str(a->holder),
        .subject = planned.scope == LIMIT_USER ? SLICE("alice@example.com") : SLICE_NONE,
        .stops = f->sends,
        .tests = &a->test,
        .test_count = a->limit_count};
    a->all = (struct limit_checks){
        .list = &a->check, .count = a->limit_count, .test_count = a->limit_count};
}

/* One answer of either kind of throttle, consuming. */
typedef struct test_answer ask_function(void *context, struct asked *a, struct arena *arena);

static struct test_answer ask_store(void *context, struct asked *a, struct arena *arena)
{
    struct test_answer *answers = NULL;
    struct err err = {0};

    if (throttle_ask(context, &rules, &a->all, true, arena, &answers, &err) != THROTTLE_BY_STORE)
        redis_fixture_die(err.text);
    return answers[0];
}

static struct test_answer ask_local(void *context, struct asked *a, struct arena *arena)
{
    struct test_answer answer = {0};

    (void)arena;
    if (!local_windows_ask(context, &a->all, 1, false, true, clock_unix_ms(), &answer))
        redis_fixture_die("memory");
    return answer;
}

static enum retry retry_of(int64_t ms)
{
    return ms < 0 ? NEVER : ms == 0 ? NOW : LATER;
}

static bool is_right(const struct form *f, const struct asked *a, const struct test_answer *t)
{
    struct throttle_verdict v = limit_checks_decide(&a->all, t, false);
    bool over = f->outcome != PASSES;

    return t->over == over && t->used == f->used && retry_of(t->retry_after_ms) == f->retry &&
           t->crossing == over && v.action == (f->outcome == STOPPED ? f->action : ACTION_LOG) &&
           (v.check != NULL) == over;
}

/* Fills the window without its limit, then asks. */
static bool form_holds(const struct form *f, struct asked *a, ask_function *by, void *context,
                       struct arena *arena)
{
    struct limit lifted = *a->test;
    const struct limit *test = a->test;
    struct test_answer t;

    lifted.max = UINT64_C(1) << 50;
    a->check.amount = f->used;
    a->test = &lifted;
    if (f->used > 0)
        (void)by(context, a, arena);
    a->test = test;
    a->check.amount = f->wanted;
    t = by(context, a, arena);
    return is_right(f, a, &t);
}

static void test_form(size_t i, struct throttle *throttle, struct local_windows *local)
{
    const struct form *f = &forms[i];
    struct test_answer known;
    struct arena arena;
    struct asked a;

    arena_init(&arena, 1 << 20);
    asked_make(&a, i, &arena);
    printf("# %s, max %llu, used %llu, wanted %llu\n", f->name, (unsigned long long)f->max,
           (unsigned long long)f->used, (unsigned long long)f->wanted);
    OK((f->max == LIMIT_UNLIMITED) == (a.limit_count == 0), "unlimited is no limit");
    if (a.limit_count > 0) {
        OK(form_holds(f, &a, ask_store, throttle, &arena), "by the store");
        OK(form_holds(f, &a, ask_local, local, &arena), "by this process");
        if (f->outcome == PASSES) /* what was consumed is seen by the next */
            (void)ask_store(throttle, &a, &arena);
        OK(throttle_is_full(throttle, &a.check, a.test, &known) == f->full &&
               (!f->full || (known.retry_after_ms < 0) == (f->max == 0)),
           "as it is remembered");
    }
    arena_fini(&arena);
}

int main(void)
{
    struct throttle *throttle;
    struct local_windows *local = local_windows_new(NULL);

    throttle_fixture_start();
    throttle = throttle_make();
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        test_form(i, throttle, local);
    throttle_free(throttle);
    local_windows_free(local);
    throttle_fixture_stop();
    return tap_done();
}
