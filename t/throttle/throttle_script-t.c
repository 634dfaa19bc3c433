/* Calls of throttle.lua on a real redis-server: several holders in one message, many at once, and
 * nodes whose clocks are in another month than the store's. */
#include "lib/throttle/throttle_script.h"

#include <pthread.h>

#include "lib/sys/clock.h"
#include "t/tap.h"
#include "t/throttle/throttle_fixture.h"

#define HOLDERS  4
#define THREADS  8
#define MESSAGES 150
#define DAY_MS   INT64_C(86400000)

/* A command a holder, as in a cluster. */
static bool is_apart;

static const char *const names_of_holders[HOLDERS] = {"a.example", "b.example", "@server",
                                                      "@client:192.0.2.1"};
static const uint64_t most[HOLDERS] = {400, 300, 900, 250};

/* One sender with a connection of its own. */
struct sender {
    pthread_t thread;
    struct store *store;
    unsigned seed, number;
    int64_t clock_ms; /* of its node, before the true time */
    uint64_t granted[HOLDERS];
    unsigned refused, failed;
};

/* What one message wants: 0 of a holder: nothing. True: it passes. */
static bool message(struct sender *s, const uint64_t amounts[HOLDERS], const char *limit,
                    const uint64_t max[HOLDERS], bool consume)
{
    struct throttle_request request = {.prefix = "tg",
                                       .consume = consume,
                                       .is_apart = is_apart,
                                       .now_ms = clock_unix_ms() + s->clock_ms};
    struct throttle_call *call;
    struct limit_check list[HOLDERS];
    struct want wants[HOLDERS];
    struct test_answer answers[HOLDERS];
    struct limit_checks d = {.list = list};
    struct arena arena;
    bool passes = true;

    arena_init(&arena, 1 << 20);
    (void)snprintf(request.id, sizeof request.id, "%u.%u", s->number, s->seed);
    for (size_t h = 0; h < HOLDERS; h++) {
        if (amounts[h] == 0)
            continue;
        want_set_in(&arena, &wants[h], names_of_holders[h], limit, max[h], amounts[h]);
        list[d.count] = wants[h].check;
        list[d.count++].tests = wants[h].tests;
    }
    d.test_count = d.count;
    call = throttle_call_begin(&request, &d, &arena, answers, NULL);
    if (call == NULL || throttle_script_run(s->store, call, 10000, &arena, NULL) != 0) {
        s->failed++;
        passes = false;
    }
    for (size_t i = 0; passes && i < d.count; i++)
        passes = !answers[i].over;
    arena_fini(&arena);
    for (size_t h = 0; passes && consume && h < HOLDERS; h++)
        s->granted[h] += amounts[h];
    s->refused += !passes;
    return passes;
}

static uint64_t used(const char *holder, const char *limit)
{
    char command[200];
    redisReply *reply;
    uint64_t n;

    (void)snprintf(command, sizeof command, "HGET tg:{%s}:window:%s s", holder, limit);
    reply = redis_do(command);
    n = reply->str == NULL ? 0 : strtoull(reply->str, NULL, 10);
    freeReplyObject(reply);
    return n;
}

static void *send_many(void *context)
{
    struct sender *s = context;

    for (int i = 0; i < MESSAGES; i++) {
        uint64_t amounts[HOLDERS] = {0};

        for (size_t h = 0; h < HOLDERS; h++)
            amounts[h] = rand_r(&s->seed) % 3 > 0 ? 1 + (uint64_t)rand_r(&s->seed) % 5 : 0;
        amounts[rand_r(&s->seed) % HOLDERS] = 1;
        (void)message(s, amounts, "domain/recipients/hour", most, true);
    }
    return NULL;
}

static void senders_start(struct sender *senders, size_t count)
{
    for (unsigned i = 0; i < count; i++)
        senders[i] =
            (struct sender){.store = store_new(&settings, NULL), .seed = i + 1, .number = i + 1};
}

static void senders_stop(struct sender *senders, size_t count)
{
    for (size_t i = 0; i < count; i++)
        store_free(senders[i].store);
}

/* Whatever the order: never over a limit, and each holder has consumed exactly what passed. */
static void test_many(void)
{
    struct sender senders[THREADS];
    uint64_t granted[HOLDERS] = {0};
    unsigned refused = 0, failed = 0;

    senders_start(senders, THREADS);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&senders[i].thread, NULL, send_many, &senders[i]) != 0)
            redis_fixture_die("pthread_create");
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(senders[i].thread, NULL);
        refused += senders[i].refused;
        failed += senders[i].failed;
        for (size_t h = 0; h < HOLDERS; h++)
            granted[h] += senders[i].granted[h];
    }
    senders_stop(senders, THREADS);
    OK(failed == 0 && refused > 0, "some are refused, all are answered");
    for (size_t h = 0; h < HOLDERS; h++) {
        OK(granted[h] <= most[h], "never more than the limit");
        IS_INT(used(names_of_holders[h], "recipients:hour"), granted[h],
               "a holder has consumed what passed, and nothing of what was refused");
    }
}

/* --- a refused message takes no room ------------------------------------------------------ */

static const uint64_t small[HOLDERS] = {10, 0, 0, 0};

static void *send_refused(void *context)
{
    struct sender *s = context;

    for (int i = 0; i < 1000; i++)
        (void)message(s, (const uint64_t[HOLDERS]){10, 1, 0, 0}, "domain/messages/hour", small,
                      true);
    return NULL;
}

static void test_blocks_nobody(void)
{
    struct sender senders[2];
    unsigned blocked = 0;

    senders_start(senders, 2);
    if (pthread_create(&senders[0].thread, NULL, send_refused, &senders[0]) != 0)
        redis_fixture_die("pthread_create");
    for (int i = 0; i < 1000; i++)
        blocked += !message(&senders[1], (const uint64_t[HOLDERS]){10, 0, 0, 0},
                            "domain/messages/hour", small, false);
    (void)pthread_join(senders[0].thread, NULL);
    IS_INT(senders[0].refused, 1000, "messages that the second holder refuses");
    IS_INT(blocked, 0, "never take the room of the first");
    IS_INT(used("a.example", "messages:hour"), 0, "nor consume of it");
    senders_stop(senders, 2);
}

/* --- trips -------------------------------------------------------------------------------- */

/* Calls of the script since the last time. */
static unsigned calls(void)
{
    static const char *const names_of_commands[] = {"cmdstat_eval:calls=",
                                                    "cmdstat_evalsha:calls="};
    redisReply *reply = redis_do("INFO commandstats");
    unsigned n = 0;

    for (size_t i = 0; i < 2; i++) {
        const char *at = strstr(reply->str, names_of_commands[i]);

        n += at == NULL ? 0 : (unsigned)strtoul(strchr(at, '=') + 1, NULL, 10);
    }
    freeReplyObject(reply);
    redis_run("CONFIG RESETSTAT");
    return n;
}

static void test_trips(void)
{
    const uint64_t max[HOLDERS] = {1000, 1000, 1000, 1000}, one[HOLDERS] = {1, 0, 0, 0},
                   two[HOLDERS] = {1, 1, 0, 0};
    struct sender s;

    senders_start(&s, 1);
    (void)message(&s, one, "domain/bytes/day", max, true);
    (void)calls();
    (void)message(&s, one, "domain/bytes/day", max, true);
    IS_INT(calls(), 1, "one holder: one call");
    (void)message(&s, two, "domain/bytes/day", max, true);
    IS_INT(calls(), 1, "two that may refuse: one call");
    is_apart = true;
    (void)message(&s, two, "domain/bytes/day", max, false);
    IS_INT(calls(), 2, "looking at two: one each");
    (void)message(&s, two, "domain/bytes/day", max, true);
    IS_INT(calls(), 6, "two that may refuse: look, reserve, keep");
    (void)message(&s, two, "domain/bytes/day", small, true);
    IS_INT(calls(), 2, "where one refuses: the look");
    is_apart = false;
    senders_stop(&s, 1);
}

/* --- months ------------------------------------------------------------------------------- */

/* The store's clock is the true one: its month is not to turn meanwhile. */
static void wait_for_rest_of_month(void)
{
    time_t now = time(NULL), then = now + 60;
    struct tm a, b;

    while (gmtime_r(&now, &a)->tm_mon != gmtime_r(&then, &b)->tm_mon) {
        clock_sleep_ms(200);
        now = time(NULL);
        then = now + 60;
    }
}

/* The node's clock is in another month: the store's decides, for all nodes alike. */
static void test_months(int64_t ahead_ms, const char *what)
{
    const uint64_t max[HOLDERS] = {20, 0, 0, 0};
    struct sender senders[2];
    unsigned passed = 0;

    senders_start(senders, 2);
    senders[1].clock_ms = ahead_ms;
    redis_run("DEL tg:{a.example}:window:messages:month");
    for (int i = 0; i < 200; i++)
        passed += message(&senders[i % 2], (const uint64_t[HOLDERS]){1, 0, 0, 0},
                          "domain/messages/month", max, true);
    IS_INT(passed, 20, what);
    IS_INT(senders[0].failed + senders[1].failed, 0, "and each question is answered");
    senders_stop(senders, 2);
}

int main(void)
{
    throttle_fixture_start();
    test_many();
    test_blocks_nobody();
    is_apart = true;
    redis_run("FLUSHALL");
    test_many();
    test_blocks_nobody();
    is_apart = false;
    test_trips();
    wait_for_rest_of_month();
    test_months(35 * DAY_MS, "a node a month ahead");
    test_months(-35 * DAY_MS, "a node a month behind");
    test_months(400 * DAY_MS, "a node a year ahead");
    throttle_fixture_stop();
    return tap_done();
}
