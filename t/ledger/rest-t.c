/* rest: pieces of work, and rests between them. */
#include "lib/ledger/rest.h"
#include "lib/sys/clock.h"
#include "t/tap.h"

/* What it takes, us, where the piece has taken so long. */
static int64_t rested(void (*what)(struct rest *r), unsigned times, int64_t piece_us)
{
    int64_t now_us = clock_monotonic_us();
    struct rest r = {.times = times, .began_us = now_us - piece_us};

    what(&r);
    return clock_monotonic_us() - now_us;
}

static void test_next(void)
{
    int64_t now_us = clock_monotonic_us();
    struct rest r = {.times = 1, .began_us = now_us - 1000};

    rest_take(&r);
    OK(r.began_us >= now_us + 1000, "the next piece begins after the rest");
}

int main(void)
{
    test_next();
    OK(rested(rest_take, 4, 2000) >= 8000, "four times as long as the piece took");
    OK(rested(rest_if_due, 4, 2000) >= 8000, "the same where it was long enough");
    OK(rested(rest_take, 0, 3600000000) < 60000000, "no rest at all");
    OK(rested(rest_if_due, 1000000, REST_PIECE_US / 10) < 60000000, "none after a short piece");
    OK(rested(rest_take, 1000, 3600000000) < 60000000, "never for long");
    return tap_done();
}
