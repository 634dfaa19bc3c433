/* What is remembered of a full window: for how long, and of which limit. */
#include "lib/throttle/full_windows.h"

#include "t/tap.h"

#define HOUR_MS INT64_C(3600000)

static const int64_t then_ms = 1000000;
static struct full_windows *windows;
static struct limit limit = {
    .scope = LIMIT_DOMAIN, .metric = METRIC_MESSAGES, .window_ms = HOUR_MS, .max = 10};

static struct limit_check check_of(const struct limit **tests)
{
    return (struct limit_check){.scope = LIMIT_DOMAIN,
                                .metric = METRIC_MESSAGES,
                                .window_ms = HOUR_MS,
                                .holder = SLICE("example.com"),
                                .amount = 1,
                                .stops = true,
                                .tests = tests,
                                .test_count = 1};
}

static void note(int64_t room_after_ms)
{
    const struct limit *tests[] = {&limit};
    struct limit_check check = check_of(tests);
    struct test_answer answer = {.used = 10,
                                 .over = room_after_ms != 0,
                                 .retry_after_ms = room_after_ms,
                                 .room_after_ms = room_after_ms};

    full_windows_note(windows, &check, &answer, then_ms);
}

static bool is_full(const struct limit *asked, int64_t now_ms)
{
    const struct limit *tests[] = {asked};
    struct limit_check like = check_of(tests);
    uint64_t used;
    int64_t retry_ms;

    return full_windows_is_full(windows, &like, asked, now_ms, &used, &retry_ms);
}

int main(void)
{
    struct limit other = limit;

    other.max = 20;
    windows = full_windows_new(NULL);
    OK(!is_full(&limit, then_ms), "nothing is known at first");
    note(60000);
    OK(is_full(&limit, then_ms), "a window that stopped a message is full");
    OK(is_full(&limit, then_ms + FULL_WINDOWS_AGE_MS - 1), "for as long as it is remembered");
    OK(!is_full(&limit, then_ms + FULL_WINDOWS_AGE_MS), "and not longer");
    OK(!is_full(&other, then_ms), "another limit of the window is not");
    note(FULL_WINDOWS_AGE_MS / 2);
    OK(!is_full(&limit, then_ms + FULL_WINDOWS_AGE_MS / 2), "nor longer than until room comes");
    note(60000);
    note(0);
    OK(!is_full(&limit, then_ms), "a window with room is forgotten");
    full_windows_free(windows);
    return tap_done();
}
