/* throttle: on a real redis-server: many at once, all or nothing, and what happens while it is
 * away. */
#include "lib/throttle/throttle.h"

#include <malloc.h>
#include <pthread.h>

#include "lib/sys/clock.h"
#include "lib/throttle/account_limits.h"
#include "lib/throttle/full_windows.h"
#include "t/tap.h"
#include "t/throttle/throttle_fixture.h"

#define THREADS          16
#define MESSAGES         2500
#define STORE_TIMEOUT_MS 250
#define SLACK_MS         10000 /* what a loaded machine may add; a hundred timeouts are more */

/* --- many at once ------------------------------------------------------------------------- */

struct racer {
    pthread_t thread;
    struct want want;
    struct throttle *throttle;
    unsigned seed;
    uint64_t passed, smallest_refused;
    bool bad;
};

static void *race(void *context)
{
    struct racer *r = context;

    r->smallest_refused = UINT64_MAX;
    for (int i = 0; i < MESSAGES / THREADS; i++) {
        uint64_t recipients = 1 + (uint64_t)rand_r(&r->seed) % 10;
        struct lookup a;

        r->want.tests[0] = &r->want.limit;
        r->want.check.amount = recipients;
        a = ask(r->throttle, &r->want, 1);
        r->bad |= a.by != THROTTLE_BY_STORE;
        if (!a.answers[0].over)
            r->passed += recipients;
        else if (recipients < r->smallest_refused)
            r->smallest_refused = recipients;
    }
    return NULL;
}

static void test_race(void)
{
    struct throttle *nodes[2] = {throttle_make(), throttle_make()};
    struct racer racers[THREADS];
    uint64_t passed = 0, smallest = UINT64_MAX;
    bool bad = false;

    settings.store.timeout_ms = 10000;
    for (unsigned i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.throttle = nodes[i % 2], .seed = i + 1};
        want_set(&racers[i].want, "race.example", "domain/recipients/hour", 1000, 1);
        if (pthread_create(&racers[i].thread, NULL, race, &racers[i]) != 0)
            redis_fixture_die("pthread_create");
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(racers[i].thread, NULL);
        passed += racers[i].passed;
        smallest = racers[i].smallest_refused < smallest ? racers[i].smallest_refused : smallest;
        bad = bad || racers[i].bad;
    }
    OK(!bad, "all answered by the store");
    OK(passed <= 1000, "never more than the limit, on two nodes together");
    OK(passed + smallest > 1000, "and nothing refused that would have fitted at the end");
    printf("# %llu of 1000 let through, smallest refused %llu\n", (unsigned long long)passed,
           (unsigned long long)smallest);
    throttle_free(nodes[0]);
    throttle_free(nodes[1]);
}

/* --- all or nothing ----------------------------------------------------------------------- */

static void test_all_or_nothing(void)
{
    struct throttle *t = throttle_make();
    struct want wants[2];
    struct lookup a;

    want_set(&wants[0], "one.example", "domain/recipients/hour", 100, 10);
    want_set(&wants[1], "two.example", "domain/recipients/hour", 15, 10);
    a = ask(t, wants, 2);
    OK(a.by == THROTTLE_BY_STORE && !a.answers[0].over && !a.answers[1].over, "both fit");
    a = ask(t, wants, 2);
    OK(!a.answers[0].over && a.answers[1].over, "the second holder refuses");
    OK(a.answers[1].crossing && a.answers[1].retry_after_ms > 3590000,
       "told as a crossing, with a time");
    a = ask_one(t, "one.example", "domain/recipients/hour", 100, 1);
    IS_INT(a.answers[0].used, 10, "what the first had consumed was given back");
    a = ask_one(t, "two.example", "domain/recipients/hour", 15, 10);
    OK(a.answers[0].over && !a.answers[0].crossing, "a crossing is told once");
    a = ask_one(t, "two.example", "domain/recipients/hour", 25, 10);
    OK(!a.answers[0].over && a.answers[0].used == 10, "another maximum keeps what was consumed");
    a = ask_one(t, "month.example", "domain/bytes/month", 1000, 900);
    a = ask_one(t, "month.example", "domain/bytes/month", 1000, 101);
    OK(a.answers[0].over && a.answers[0].used == 900, "a calendar month");
    rules.observe = true;
    a = ask_one(t, "month.example", "domain/bytes/month", 1000, 101);
    a = ask_one(t, "month.example", "domain/bytes/month", 1000, 1);
    IS_INT(a.answers[0].used, 1001, "observed, it consumes beyond the limit");
    rules.observe = false;
    throttle_free(t);
}

/* Two limits of one window with different answers. */
static void test_two_limits(void)
{
    struct limit log = {.max = 5, .action = ACTION_LOG}, defer = {.max = 6, .action = ACTION_DEFER};
    const struct limit *tests[] = {&log, &defer};
    static const struct {
        uint64_t amount, used;
        bool over[2], crossing[2];
    } steps[] = {{5, 0, {false, false}, {false, false}},
                 {2, 5, {true, true}, {true, true}},
                 {1, 5, {true, false}, {false, false}},
                 {1, 6, {true, true}, {false, true}},
                 {1, 6, {true, true}, {false, false}}};
    struct throttle *t = throttle_make();
    struct want w;

    want_set(&w, "two-limits.example", "domain/recipients/hour", 5, 1);
    w.check.tests = tests;
    w.check.test_count = 2;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct limit_checks d = {.list = &w.check, .count = 1, .test_count = 2};
        struct test_answer *a = NULL;
        struct arena arena;
        struct err err = {0};

        arena_init(&arena, 1 << 20);
        w.check.amount = steps[i].amount;
        OK(throttle_ask(t, &rules, &d, true, &arena, &a, &err) == THROTTLE_BY_STORE &&
               a[0].used == steps[i].used && a[1].used == steps[i].used,
           "what was used");
        OK(a[0].over == steps[i].over[0] && a[1].over == steps[i].over[1], "which are over");
        OK(a[0].crossing == steps[i].crossing[0] && a[1].crossing == steps[i].crossing[1],
           "which are crossed now");
        arena_fini(&arena);
    }
    throttle_free(t);
}

static void test_learned(void)
{
    struct throttle *t = throttle_make();
    struct test_answer answer;
    struct lookup a;
    struct want w;

    want_set(&w, "full.example", "domain/recipients/hour", 5, 5);
    OK(!throttle_is_full(t, &w.check, &w.limit, &answer), "nothing is known yet");
    (void)ask(t, &w, 1);
    OK(!throttle_is_full(t, &w.check, &w.limit, &answer),
       "nor after the message that fills it: the store has to see the first that is stopped");
    a = ask_one(t, "full.example", "domain/recipients/hour", 5, 1);
    OK(a.answers[0].over && a.answers[0].crossing, "which crosses the limit");
    OK(throttle_is_full(t, &w.check, &w.limit, &answer) && answer.used == 5 &&
           answer.retry_after_ms > 0,
       "and after it, it is known to be full");
    w.limit.max = 50;
    OK(!throttle_is_full(t, &w.check, &w.limit, &answer), "not for a larger maximum");
    throttle_free(t);
}

/* It is not known any longer than there is no room, in windows of seconds either; each limit of a
 * window has its own time. */
static void test_memory(void)
{
    static const struct {
        const char *name;
        int64_t room_ms, known_ms;
    } rows[] = {{"domain/recipients/hour", 3000000, FULL_WINDOWS_AGE_MS},
                {"domain/recipients/hour", 700, 700},
                {"domain/recipients/10s", 9000, 10000 / 60},
                {"domain/recipients/10s", 3, 3},
                {"domain/recipients/month", -1, FULL_WINDOWS_AGE_MS}};
    struct full_windows *l = full_windows_new(NULL);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct limit high;
        const struct limit *tests[2];
        struct test_answer t[2] = {{.used = 6, .over = true, .room_after_ms = rows[i].room_ms},
                                   {.used = 6, .over = true, .room_after_ms = 2}};
        int64_t retry_ms = 0;
        uint64_t used = 0;
        struct want w;

        want_set(&w, "memory.example", rows[i].name, 5, 1);
        high = w.limit;
        high.max = 6;
        tests[0] = &w.limit;
        tests[1] = &high;
        w.check.tests = tests;
        w.check.test_count = 2;
        full_windows_note(l, &w.check, t, 1000);
        OK(full_windows_is_full(l, &w.check, &w.limit, 1000 + rows[i].known_ms - 1, &used,
                                &retry_ms) &&
               used == 6 && (retry_ms < 0) == (rows[i].room_ms < 0),
           "known to be full");
        OK(!full_windows_is_full(l, &w.check, &w.limit, 1000 + rows[i].known_ms, &used, &retry_ms),
           "not when there may be room");
        OK(full_windows_is_full(l, &w.check, &high, 1001, &used, &retry_ms) && retry_ms == 1,
           "another limit with its own time");
    }
    full_windows_free(l);
}

/* --- what an account was given at run time -------------------------------------------------- */

static struct limit_list limits_at(struct account_limits *a, struct pool *pool, int64_t now_ms,
                                   struct arena *arena)
{
    struct limit_list list = {NULL, 0};

    OK(account_limits_get(a, pool, &rules, SLICE("acct.example"), SLICE_NONE, now_ms, 1000, arena,
                          &list, NULL) == 0,
       "limits of an account");
    return list;
}

static void test_account_limits(void)
{
    static struct limit planned[2];
    static struct plan plans[2];
    struct arena arena;
    struct pool *pool = pool_new(&settings, 4, NULL);
    struct account_limits *a = account_limits_new("tg", 100, NULL);
    struct limit_list list;

    arena_init(&arena, 1 << 20);
    planned[0] = (struct limit){.max = 600, .action = ACTION_DEFER};
    planned[1] = (struct limit){.max = 5, .action = ACTION_DEFER};
    TG_IGNORE(limit_parse_name(SLICE("domain/recipients/hour"), &arena, &planned[0], NULL));
    TG_IGNORE(limit_parse_name(SLICE("domain/recipients/hour"), &arena, &planned[1], NULL));
    plans[0] = (struct plan){SLICE("default"), &planned[0], 1};
    plans[1] = (struct plan){SLICE("small"), &planned[1], 1};
    rules.plans = plans;
    rules.plan_count = 2;
    list = limits_at(a, pool, 10000, &arena);
    OK(list.count == 1 && list.limits[0].max == 600, "the default plan");
    redis_run("SET tg:{acct.example}:plan small");
    redis_run("HSET tg:{acct.example}:limits domain/bounces/hour max=7 nonsense max=1");
    list = limits_at(a, pool, 14999, &arena);
    OK(list.count == 1 && list.limits[0].max == 600, "kept for less than 5 s");
    list = limits_at(a, pool, 15000, &arena);
    OK(list.count == 2 && list.limits[0].max == 5 && list.limits[1].max == 7,
       "then the plan and the override given at run time, without what cannot be read");
    redis_fixture_kill(&redis);
    list = limits_at(a, pool, 30000, &arena);
    OK(list.count == 2 && list.limits[0].max == 5, "kept while the store is away");
    redis_fixture_run(&redis, "");
    account_limits_free(a);
    pool_free(pool);
    arena_fini(&arena);
    rules.plan_count = 0;
}

static uint64_t max_of(struct account_limits *a, struct pool *pool, const char *holder)
{
    struct limit_list list = {NULL, 0};
    struct arena arena;
    uint64_t max;

    arena_init(&arena, 1 << 20);
    if (account_limits_get(a, pool, &rules, slice_str(holder), SLICE_NONE, 20000, 1000, &arena,
                           &list, NULL) != 0)
        redis_fixture_die(holder);
    max = list.count == 0 ? 0 : list.limits[0].max;
    arena_fini(&arena);
    return max;
}

/* Many holders for which nothing was set, beside some that are asked about again and again. */
static void test_many_accounts(void)
{
    struct pool *pool = pool_new(&settings, 4, NULL);
    struct account_limits *a = account_limits_new("tg", 4000, NULL);
    size_t before = 0, grown = 0;
    char holder[40];

    redis_run("HSET tg:{used.example}:limits domain/bounces/hour max=7");
    redis_run("HSET tg:{once.example}:limits domain/bounces/hour max=7");
    IS_INT(max_of(a, pool, "once.example"), 7, "a holder that is asked about once");
    for (int i = 0; i < 6000; i++) {
        if (i == 1000)
            before = mallinfo2().uordblks;
        (void)snprintf(holder, sizeof holder, "many%d.example", i);
        (void)max_of(a, pool, holder);
        if (i % 500 == 0 && max_of(a, pool, "used.example") != 7)
            OK(false, "a holder that is asked about often");
        if (i == 1900)
            grown = mallinfo2().uordblks - before;
    }
    OK(grown < 900 * 400, "one for which nothing was set takes little memory");
    printf("# %zu bytes for 900 holders\n", grown);
    redis_run("HSET tg:{used.example}:limits domain/bounces/hour max=8");
    redis_run("HSET tg:{once.example}:limits domain/bounces/hour max=8");
    redis_run("HSET tg:{many0.example}:limits domain/bounces/hour max=9");
    IS_INT(max_of(a, pool, "used.example"), 7, "what is used stays");
    IS_INT(max_of(a, pool, "once.example"), 7, "what was set stays");
    IS_INT(max_of(a, pool, "many0.example"), 9, "the others go, and are read again");
    account_limits_free(a);
    pool_free(pool);
}

/* --- what the files say --------------------------------------------------------------------- */

static void test_rules(void)
{
    const char *users[] = {"Boss#x@Example.COM", "joe+x@example.com"},
               *clients[] = {"192.0.2.0/24"};
    struct plan plans[] = {{SLICE("default"), NULL, 0}, {SLICE("gold"), NULL, 0}};
    struct settings s = {.plans = plans, .plan_count = 2};
    struct limit_rules *r;
    struct hosted *w = hosted_new(1 << 20);
    struct ip ip;

    s.accounting.delimiter = "#";
    s.throttle.exempt.users = (struct string_list){users, 2};
    s.throttle.exempt.clients = (struct string_list){clients, 1};
    s.throttle.mode = THROTTLE_ENFORCE;
    s.throttle.reply_text = "Ask the help desk:";
    s.throttle.reply_url = "https://help.example";
    s.store.nodes = 3;
    r = limit_rules_new(&s, NULL);
    OK(r != NULL && !r->observe && r->nodes == 3, "rules out of settings");
    IS_SLICE(r->reply_more, SLICE("Ask the help desk: https://help.example"), "words for replies");
    OK(strmap_find(&r->exempt.users, SLICE("boss@example.com")) != NULL, "an exempt user");
    OK(strmap_find(&r->exempt.users, SLICE("joe+x@example.com")) != NULL,
       "other delimiters are part");
    OK(networks_ip_parse(SLICE("192.0.2.7"), &ip) && networks_contain(&r->exempt.clients, &ip),
       "an exempt client");
    OK(hosted_add_plan(w, SLICE("Gold.Example."), SLICE("gold"), NULL) == 0 &&
           slice_equal(hosted_plan(w, SLICE("gold.example")), SLICE("gold")) &&
           hosted_plan(w, SLICE("other.example")).len == 0,
       "a plan that a file assigns");
    OK(limit_rules_plan_of(r, SLICE("gold"), SLICE_NONE) == &plans[1] &&
           limit_rules_plan_of(r, SLICE("none"), SLICE("gold")) == &plans[1] &&
           limit_rules_plan_of(r, SLICE("default"), SLICE("gold")) == &plans[0] &&
           limit_rules_plan_of(r, SLICE_NONE, SLICE("none")) == &plans[0],
       "the plan given at run time, else the assigned, else the default");
    limit_rules_free(r);
    hosted_free(w);
}

/* --- the store away ------------------------------------------------------------------------- */

static void wait_until_back(struct throttle *t)
{
    int64_t until = clock_monotonic_ms() + 20000;

    while (throttle_is_away(t) && clock_monotonic_ms() < until)
        clock_sleep_ms(10);
    OK(!throttle_is_away(t), "the breaker closes by itself");
}

static void test_stalled(void)
{
    struct throttle *t;
    struct lookup a;
    int64_t start, first, others;

    settings.store.timeout_ms = STORE_TIMEOUT_MS;
    t = throttle_make();
    rules.on_failure = ON_FAILURE_LOCAL;
    rules.nodes = 2;
    (void)ask_one(t, "stall.example", "domain/recipients/hour", 20, 1);
    (void)kill(redis.pid, SIGSTOP);
    start = clock_monotonic_ms();
    a = ask_one(t, "stall.example", "domain/recipients/hour", 20, 4);
    first = clock_monotonic_ms() - start;
    OK(a.by == THROTTLE_BY_LOCAL && !a.answers[0].over && a.err.text[0] != '\0',
       "a stalled store: limited by this process");
    OK(first >= STORE_TIMEOUT_MS && first < STORE_TIMEOUT_MS + SLACK_MS,
       "the first waits the timeout");
    start = clock_monotonic_ms();
    for (int i = 0; i < 100; i++)
        a = ask_one(t, "stall.example", "domain/recipients/hour", 20, 1);
    others = clock_monotonic_ms() - start;
    OK(others < SLACK_MS, "a hundred more do not wait for the timeout");
    OK(a.by == THROTTLE_BY_LOCAL && a.answers[0].over && a.answers[0].used == 10,
       "each limit divided by the nodes");
    rules.on_failure = ON_FAILURE_DEFER;
    IS_INT(ask_one(t, "stall.example", "domain/recipients/hour", 20, 1).by, THROTTLE_BY_DEFER,
           "defer");
    rules.on_failure = ON_FAILURE_ACCEPT;
    IS_INT(ask_one(t, "stall.example", "domain/recipients/hour", 20, 1).by, THROTTLE_BY_ACCEPT,
           "accept");
    (void)kill(redis.pid, SIGCONT);
    wait_until_back(t);
    a = ask_one(t, "stall.example", "domain/recipients/hour", 20, 1);
    OK(a.by == THROTTLE_BY_STORE && !a.answers[0].over, "and the store limits again");
    throttle_free(t);
}

/* The store goes away in the middle of a window, and grants nothing from then on, also not what
 * opens a slice. */
static void test_goes_on(void)
{
    const char *names_of_limits[] = {"domain/recipients/hour", "domain/messages/month",
                                     "domain/recipients/min"};
    const struct timespec part_of_slice = {.tv_nsec = 100 * 1000 * 1000};
    struct throttle *t = throttle_make();

    rules.on_failure = ON_FAILURE_LOCAL;
    rules.nodes = 1;
    for (size_t i = 0; i < 3; i++) {
        unsigned passed = 0;
        struct lookup a;

        for (int n = 0; n < 6; n++)
            (void)ask_one(t, "on.example", names_of_limits[i], 10, 1);
        redis_run("CONFIG SET maxmemory 1");
        for (int n = 0; n < 20; n++) {
            if (i == 2)
                (void)nanosleep(&part_of_slice, NULL);
            a = ask_one(t, "on.example", names_of_limits[i], 10, 1);
            passed += !a.answers[0].over;
        }
        redis_run("CONFIG SET maxmemory 0");
        IS_INT(passed, 4, "what the store granted counts when this process goes on alone");
        IS_INT(a.by, THROTTLE_BY_LOCAL, names_of_limits[i]);
    }
    throttle_free(t);
}

static void test_refusing(void)
{
    struct throttle *t = throttle_make();
    struct lookup a;

    rules.on_failure = ON_FAILURE_LOCAL;
    redis_run("CONFIG SET maxmemory 1");
    a = ask_one(t, "oom.example", "domain/recipients/hour", 20, 1);
    OK(a.by == THROTTLE_BY_LOCAL && strstr(a.err.text, "OOM") != NULL, "a store out of memory");
    redis_run("CONFIG SET maxmemory 0");
    redis_run("REPLICAOF 127.0.0.1 1");
    a = ask_one(t, "oom.example", "domain/recipients/hour", 20, 1);
    OK(a.by == THROTTLE_BY_LOCAL && strstr(a.err.text, "READONLY") != NULL, "a read-only store");
    redis_run("REPLICAOF NO ONE");
    redis_run("SCRIPT FLUSH");
    a = ask_one(t, "oom.example", "domain/recipients/hour", 20, 1);
    OK(a.by == THROTTLE_BY_STORE && a.answers[0].used == 0, "scripts flushed: loaded again");
    redis_run("SET tg:{type.example}:window:recipients:hour x");
    a = ask_one(t, "type.example", "domain/recipients/hour", 20, 1);
    OK(a.by == THROTTLE_BY_LOCAL && strstr(a.err.text, "WRONGTYPE") != NULL,
       "a key of another type");
    throttle_free(t);
}

int main(void)
{
    throttle_fixture_start();
    test_race();
    test_all_or_nothing();
    test_two_limits();
    test_learned();
    test_memory();
    test_account_limits();
    test_many_accounts();
    test_rules();
    test_stalled();
    test_goes_on();
    test_refusing();
    throttle_fixture_stop();
    return tap_done();
}
