/* throttle with leases: on a real redis-server: many at once on two nodes, a limit that is lowered,
 * and a store that goes away. */
#include "lib/throttle/throttle.h"

#include <pthread.h>

#include "lib/core/window.h"
#include "lib/throttle/leases.h"
#include "t/tap.h"
#include "t/throttle/throttle_fixture.h"

#define THREADS  16
#define MESSAGES 2500
#define START_MS INT64_C(1800000000000)

/* Only under the limits that it was given under, and before it ends. */
static void test_use(void)
{
    struct throttle_lease got = {.is_asked = true, .slice = 0, .granted = 5};
    struct test_answer answer = {.used = 7};
    struct leases *l = leases_new(NULL);
    struct limit_check check;
    struct want want;
    struct limit_checks d = {.list = &check, .count = 1, .test_count = 1};
    int64_t length, store_ms = START_MS / 600000 * 600000;

    want_set(&want, "a.example", "domain/recipients/10min", 1000, 1);
    check = want.check;
    length = check.window_ms;
    OK(!leases_use(l, &d, true, 100, &answer), "nothing is leased yet");
    leases_ask(l, &d, 100, &got);
    IS_INT(got.wanted, 0, "nor asked for by the first message");
    got.granted = 5;
    got.slice = store_ms / length * WINDOW_SLICES;
    leases_take(l, &d, &got, &answer, true, 100, store_ms);
    OK(leases_use(l, &d, false, 101, &answer), "a look takes nothing");
    OK(leases_use(l, &d, true, 101, &answer) && answer.used == 8 && !answer.over,
       "a message takes 1");
    want.limit.max = 999;
    OK(!leases_use(l, &d, true, 102, &answer), "not under another limit");
    want.limit.max = 1000;
    check.amount = 5;
    OK(!leases_use(l, &d, true, 103, &answer), "not more than there is");
    check.amount = 4;
    OK(!leases_use(l, &d, true, 100 + length / WINDOW_SLICES, &answer), "nor after the slice");
    OK(leases_use(l, &d, true, 100 + length / WINDOW_SLICES - 20, &answer), "just before it");
    leases_free(l);
}

/* What the store counts of the window, and how many calls of the script it has run. */
static uint64_t store_used(const char *holder)
{
    char command[160];
    redisReply *reply;
    uint64_t used;

    (void)snprintf(command, sizeof command, "HGET tg:{%s}:window:recipients:hour s", holder);
    reply = redis_do(command);
    used = reply->str == NULL ? 0 : strtoull(reply->str, NULL, 10);
    freeReplyObject(reply);
    return used;
}

static unsigned script_calls(void)
{
    redisReply *reply = redis_do("INFO commandstats");
    const char *at = strstr(reply->str, "cmdstat_evalsha:calls=");
    unsigned calls = at == NULL ? 0 : (unsigned)strtoul(strchr(at, '=') + 1, NULL, 10);

    freeReplyObject(reply);
    return calls;
}

struct racer {
    pthread_t thread;
    struct want want;
    struct throttle *throttle;
    unsigned seed;
    uint64_t passed;
    bool bad;
};

static void *race(void *context)
{
    struct racer *r = context;

    for (int i = 0; i < MESSAGES / THREADS; i++) {
        uint64_t recipients = 1 + (uint64_t)rand_r(&r->seed) % 10;
        struct lookup a;

        r->want.tests[0] = &r->want.limit;
        r->want.check.amount = recipients;
        a = ask(r->throttle, &r->want, 1);
        r->bad |= a.by != THROTTLE_BY_STORE;
        if (!a.answers[0].over)
            r->passed += recipients;
    }
    return NULL;
}

static void test_race(void)
{
    struct throttle *nodes[2] = {throttle_make(), throttle_make()};
    struct racer racers[THREADS];
    uint64_t passed = 0;
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
        bad = bad || racers[i].bad;
    }
    OK(!bad, "all answered by the store");
    OK(passed <= 1000, "never more than the limit, on two nodes together");
    printf("# %llu of 1000 let through\n", (unsigned long long)passed);
    throttle_free(nodes[0]);
    throttle_free(nodes[1]);
    IS_INT(store_used("race.example"), passed,
           "what was leased and not used is given back at the stop");
}

/* Far below the limit most messages need no trip; another limit acts at once. */
static void test_leases(void)
{
    struct throttle *t = throttle_make();
    unsigned before = script_calls(), trips;
    struct lookup a;

    for (int i = 0; i < 1000; i++) {
        a = ask_one(t, "lease.example", "domain/recipients/day", 1000000, 1);
        if (a.by != THROTTLE_BY_STORE || a.answers[0].over || a.answers[0].used < (uint64_t)i)
            OK(false, "a message far below the limit passes");
    }
    trips = script_calls() - before;
    OK(trips > 0 && trips < 100, "most of a thousand messages without a trip");
    printf("# %u trips\n", trips);
    a = ask_one(t, "lease.example", "domain/recipients/day", 1000, 1);
    OK(a.answers[0].over && a.answers[0].crossing, "a limit that is lowered acts at once");
    throttle_free(t);
}

/* Used within its time also while the store is away; then this process limits alone. */
static void test_leases_away(void)
{
    struct throttle *t = throttle_make();
    unsigned passed = 0;

    rules.on_failure = ON_FAILURE_LOCAL;
    rules.nodes = 1;
    for (int i = 0; i < 20; i++)
        (void)ask_one(t, "away.example", "domain/recipients/day", 200, 1);
    redis_run("CONFIG SET maxmemory 1");
    for (int i = 0; i < 300; i++)
        passed += !ask_one(t, "away.example", "domain/recipients/day", 200, 1).answers[0].over;
    redis_run("CONFIG SET maxmemory 0");
    OK(passed > 0 && passed <= 180, "never more than the limit when the store goes away");
    printf("# %u passed of 180\n", passed);
    throttle_free(t);
}

int main(void)
{
    throttle_fixture_start();
    rules.leases = true;
    test_use();
    test_race();
    test_leases();
    test_leases_away();
    throttle_fixture_stop();
    return tap_done();
}
