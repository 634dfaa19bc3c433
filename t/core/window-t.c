/* window: against every event kept in a list and summed up each time. */
#include "lib/core/window.h"

#include <stdlib.h>

#include "t/tap.h"

#define EVENTS 4000

struct event {
    int64_t at_ms;
    uint64_t amount;
};

static struct event events[EVENTS];
static size_t event_count;

/* What was let through in (end - length, end]. */
static uint64_t slow_sum(int64_t end_ms, int64_t length_ms)
{
    uint64_t sum = 0;

    for (size_t i = event_count; i-- > 0;) {
        if (events[i].at_ms > end_ms - length_ms && events[i].at_ms <= end_ms)
            sum += events[i].amount;
    }
    return sum;
}

struct outcome {
    bool over, refused_what_fits, bad_retry;
};

static void step(struct window *w, int64_t window_ms, uint64_t max, int64_t now, uint64_t amount,
                 struct outcome *out)
{
    int64_t retry = window_retry_ms(w, now, amount, max);

    if (amount > max) {
        out->bad_retry |= retry != -1;
        return;
    }
    if (window_used(w, now) + amount <= max) {
        window_consume(w, now, amount);
        events[event_count++] = (struct event){now, amount};
        out->over |= slow_sum(now, window_ms) > max;
        out->bad_retry |= retry != 0;
        return;
    }
    out->refused_what_fits |= slow_sum(now, window_ms + (window_ms + 59) / 60) + amount <= max;
    struct window later = *w, just_before = *w;
    out->bad_retry |= retry <= 0 || window_used(&later, now + retry) + amount > max ||
                      window_used(&just_before, now + retry - 1) + amount <= max;
}

static void run(const char *name, int64_t window_ms, uint64_t max, uint64_t largest, unsigned seed)
{
    struct window w;
    struct outcome out = {0};
    int64_t now = INT64_C(1800000000000) + seed;

    srandom(seed);
    window_init(&w, window_ms);
    event_count = 0;
    for (int i = 0; i < EVENTS; i++) {
        int64_t pause = random() % (window_ms / 40 + 2);

        now += random() % 50 == 0 ? random() % (2 * window_ms) : pause;
        step(&w, window_ms, max, now, 1 + (uint64_t)random() % largest, &out);
    }
    OK(event_count > 50, name);
    OK(!out.over, "never more than the maximum in any window");
    OK(!out.refused_what_fits, "room comes back within a slice");
    OK(!out.bad_retry, "the time to retry is the first at which it fits");
}

/* What was consumed while the clock was ahead counts as if it were now, and no longer. */
static void test_ahead(int64_t ahead_ms)
{
    const int64_t now = INT64_C(1800000000000);
    struct window w;

    window_init(&w, 3600000);
    window_consume(&w, now + ahead_ms - 1800000, 3);
    window_consume(&w, now + ahead_ms, 2);
    IS_INT(window_used(&w, now), 5, "the clock was ahead: all of it counts");
    OK(window_retry_ms(&w, now, 2, 5) <= 1800000 + 60000, "room comes back in time");
    IS_INT(window_used(&w, now + 1800000 + 60000), 2, "in its order");
    IS_INT(window_used(&w, now + 3600000 + 60000), 0, "and then is gone");
}

static void test_expiry(void)
{
    struct window w;

    window_init(&w, 60000);
    window_consume(&w, 5000, 10);
    window_consume(&w, 9000, 7);
    IS_INT(window_used(&w, 8000), 17, "a step back of less than a slice changes nothing");
    IS_INT(window_used(&w, 9000 + 60999), 7, "the oldest slice counts in full");
    IS_INT(window_used(&w, 9000 + 61000), 0, "and then is gone");
}

int main(void)
{
    run("600 an hour", 3600000, 600, 10, 1);
    run("500 a day", 86400000, 500, 3, 2);
    run("1 a day", 86400000, 1, 2, 3);
    run("10 a second", 1000, 10, 4, 4);
    run("7 in 1009 ms, no multiple of 60", 1009, 7, 3, 6);
    run("bytes in 7 days", INT64_C(7) * 86400000, 5000000, 400000, 5);
    test_ahead(150000);
    test_ahead(3600000);
    test_ahead(INT64_C(365) * 86400000);
    test_expiry();
    return tap_done();
}
