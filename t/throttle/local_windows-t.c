/* Windows of this process alone: users and months, and what goes on from the store's last answers.
 */
#include "lib/throttle/local_windows.h"

#include <stdlib.h>
#include <time.h>

#include "t/tap.h"

#define HOUR_MS INT64_C(3600000)

static const int64_t begin_ms = INT64_C(1793000000000);
static struct local_windows *windows;

static struct limit limit;
static const struct limit *test = &limit;
static struct limit_check check;
static const struct limit_checks checks = {.list = &check, .count = 1, .test_count = 1};

static void check_set(enum limit_scope scope, int64_t window_ms, const char *holder,
                      const char *user, uint64_t max)
{
    limit = (struct limit){.scope = scope, .max = max, .action = ACTION_DEFER};
    check = (struct limit_check){.scope = scope,
                                 .metric = METRIC_MESSAGES,
                                 .window_ms = window_ms,
                                 .holder = slice_str(holder),
                                 .subject = slice_str(user),
                                 .stops = true,
                                 .tests = &test,
                                 .test_count = 1};
}

static struct test_answer ask(uint64_t amount, uint64_t nodes, int64_t now_ms)
{
    struct test_answer t = {0};

    check.amount = amount;
    if (!local_windows_ask(windows, &checks, nodes, false, true, now_ms, &t))
        abort();
    return t;
}

/* How many messages of one pass. */
static unsigned passes(unsigned tries, uint64_t nodes, int64_t now_ms)
{
    unsigned passed = 0;

    for (unsigned i = 0; i < tries; i++)
        passed += !ask(1, nodes, now_ms).over;
    return passed;
}

static void store_says(uint64_t used, uint64_t amount, bool consumed, uint64_t nodes,
                       int64_t now_ms)
{
    struct test_answer t = {.used = used};

    check.amount = amount;
    local_windows_note(windows, &checks, nodes, consumed, now_ms, &t);
}

static void test_users(void)
{
    check_set(LIMIT_USER, HOUR_MS, "u.example", "alice@u.example", 3);
    IS_INT(passes(5, 1, begin_ms), 3, "a user");
    check.subject = SLICE("bob@u.example");
    IS_INT(passes(5, 1, begin_ms), 3, "another has a window of his own");
    check.subject = SLICE("alice@u.example");
    IS_INT(passes(5, 1, begin_ms), 0, "the first's is still full");
}

static void test_month(void)
{
    struct tm tm = {.tm_year = 126, .tm_mon = 10, .tm_mday = 1};
    int64_t end_ms;
    struct test_answer t;

    end_ms = (int64_t)mktime(&tm) * 1000;
    check_set(LIMIT_DOMAIN, LIMIT_WINDOW_MONTH, "m.example", "", 3);
    IS_INT(passes(5, 1, end_ms - HOUR_MS), 3, "a month");
    t = ask(1, 1, end_ms - 1000);
    OK(t.over && t.retry_after_ms == 1000, "room at its end");
    IS_INT(passes(5, 1, end_ms - 1), 0, "it lasts to the last millisecond");
    IS_INT(passes(5, 1, end_ms), 3, "and begins anew");
}

static void test_goes_on(void)
{
    struct test_answer t;

    check_set(LIMIT_DOMAIN, HOUR_MS, "g.example", "", 10);
    for (uint64_t n = 0; n < 6; n++)
        store_says(n, 1, true, 1, begin_ms);
    IS_INT(passes(20, 1, begin_ms + 1000), 4, "what was granted by the store counts");
    IS_INT(passes(20, 1, begin_ms + HOUR_MS + HOUR_MS / 60), 10, "as long as its window");

    check_set(LIMIT_DOMAIN, HOUR_MS, "others.example", "", 10);
    store_says(7, 1, false, 1, begin_ms);
    IS_INT(passes(20, 1, begin_ms), 3, "what others used before counts too, as after a restart");
    t = ask(1, 1, begin_ms);
    OK(t.over && t.used == 10 && t.retry_after_ms == HOUR_MS, "until its window has passed");
    IS_INT(passes(20, 1, begin_ms + HOUR_MS), 7, "then what this process let through remains");

    check_set(LIMIT_DOMAIN, HOUR_MS, "two.example", "", 20);
    store_says(12, 1, true, 2, begin_ms);
    IS_INT(passes(20, 2, begin_ms), 3, "of two nodes each has half of what is left");
    check_set(LIMIT_DOMAIN, HOUR_MS, "less.example", "", 20);
    store_says(20, 1, false, 1, begin_ms);
    store_says(5, 1, false, 1, begin_ms + 1000);
    IS_INT(passes(20, 1, begin_ms + 1000), 15, "the store's last answer counts");
}

/* Two messages are refused by different limits of one window. */
static void test_several(void)
{
    static struct limit low = {.max = 5, .action = ACTION_LOG},
                        high = {.max = 6, .action = ACTION_DEFER};
    static const struct limit *both[] = {&low, &high};
    struct limit_checks two = {.list = &check, .count = 1, .test_count = 2};
    struct test_answer t[2];

    check_set(LIMIT_DOMAIN, HOUR_MS, "s.example", "", 0);
    check.tests = both;
    check.test_count = 2;
    check.amount = 6;
    OK(local_windows_ask(windows, &two, 1, false, true, begin_ms, t) && t[0].over && !t[1].over,
       "a message over the limit that only logs");
    check.amount = 1;
    OK(local_windows_ask(windows, &two, 1, false, true, begin_ms + HOUR_MS / 2, t) && t[1].over &&
           t[1].used == 6,
       "has consumed; the next is stopped by the other");
    OK(t[0].retry_after_ms == t[1].retry_after_ms && t[1].retry_after_ms > 0, "each with its time");
}

static void test_many(void)
{
    char holder[40];
    struct test_answer t = {0};

    check_set(LIMIT_DOMAIN, 1000, "", "", 5);
    for (int i = 0; i < LOCAL_WINDOWS_MAX + 1000; i++) {
        (void)snprintf(holder, sizeof holder, "h%d.example", i);
        check.holder = slice_str(holder);
        (void)ask(1, 1, begin_ms + 2 * HOUR_MS + (i >= LOCAL_WINDOWS_MAX - 10 ? 10000 : 0));
    }
    t = ask(1, 1, begin_ms + 2 * HOUR_MS + 10000);
    IS_INT(t.used, 1, "more windows than there is room for: empty ones go");
    (void)snprintf(holder, sizeof holder, "h%d.example", LOCAL_WINDOWS_MAX - 5);
    check.holder = slice_str(holder);
    IS_INT(ask(1, 1, begin_ms + 2 * HOUR_MS + 10000).used, 1, "those in use stay");
}

#define HOLDERS (LOCAL_WINDOWS_MAX + LOCAL_WINDOWS_MAX / 2)

/* Holders in turn, more than there is room for: no round finds the window of the one before. */
static void test_forgotten(void)
{
    static unsigned char passed[HOLDERS];
    unsigned first = 0, most = 0;
    int64_t now_ms = begin_ms + 10 * HOUR_MS;
    char holder[40];

    check_set(LIMIT_DOMAIN, HOUR_MS, "", "", 3);
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < HOLDERS; i++) {
            (void)snprintf(holder, sizeof holder, "f%u.example", i);
            check.holder = slice_str(holder);
            passed[i] = (unsigned char)(passed[i] + !ask(1, 1, now_ms).over);
            first += round == 0 ? passed[i] : 0;
            most = passed[i] > most ? passed[i] : most;
        }
    }
    IS_INT(first, HOLDERS, "a window that is forgotten stops nobody at first");
    OK(most > 0 && most <= 3, "and lets nothing through that it would have stopped");
    check.holder = SLICE("new.example");
    check.metric = METRIC_BYTES;
    IS_INT(passes(5, 1, now_ms), 3, "windows of another kind are not touched");
    check.metric = METRIC_MESSAGES;
    IS_INT(passes(5, 1, now_ms + HOUR_MS + HOUR_MS / 60 + 1), 3, "what is forgotten expires");
    store_says(0, 1, false, 1, now_ms);
    check.holder = SLICE("told.example");
    store_says(0, 1, false, 1, now_ms);
    IS_INT(passes(5, 1, now_ms), 3, "where the store has said what is used, that counts");
}

int main(void)
{
    (void)setenv("TZ", "UTC", 1);
    tzset();
    windows = local_windows_new(NULL);
    test_users();
    test_month();
    test_goes_on();
    test_several();
    test_many();
    test_forgotten();
    local_windows_free(windows);
    return tap_done();
}
