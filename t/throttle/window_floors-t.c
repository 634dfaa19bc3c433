/* What forgotten windows may have used: by kind, the most of them, as long as it counts. */
#include "lib/throttle/window_floors.h"

#include "t/tap.h"

static struct window_kind kind(enum limit_scope scope, enum limit_metric metric, int64_t window_ms)
{
    return (struct window_kind){scope, metric, window_ms};
}

int main(void)
{
    struct window_kind hour = kind(LIMIT_DOMAIN, METRIC_MESSAGES, 3600000),
                       bytes = kind(LIMIT_DOMAIN, METRIC_BYTES, 3600000),
                       user = kind(LIMIT_USER, METRIC_MESSAGES, 3600000),
                       other = kind(LIMIT_SERVER, METRIC_BOUNCES, 1000);
    struct window_floors f = {.count = 0};
    int64_t until_ms;

    IS_INT(window_floors_used(&f, &hour, 0, &until_ms), 0, "none");
    window_floors_raise(&f, &hour, 5, 1000, 0);
    window_floors_raise(&f, &hour, 3, 1500, 0);
    IS_INT(window_floors_used(&f, &hour, 0, &until_ms), 5, "the most");
    IS_INT(until_ms, 1500, "until the last of it");
    IS_INT(window_floors_used(&f, &bytes, 0, &until_ms), 0, "another metric");
    IS_INT(window_floors_used(&f, &user, 0, &until_ms), 0, "another scope");
    IS_INT(window_floors_used(&f, &hour, 1499, &until_ms), 5, "to the end");
    IS_INT(window_floors_used(&f, &hour, 1500, &until_ms), 0, "then no more");
    window_floors_raise(&f, &hour, 2, 3000, 1600);
    IS_INT(window_floors_used(&f, &hour, 1600, &until_ms), 2, "and it begins anew");
    for (int64_t ms = 1; ms <= WINDOW_FLOORS_MAX; ms++) {
        struct window_kind k = kind(LIMIT_CLIENT, METRIC_RECIPIENTS, ms);

        window_floors_raise(&f, &k, (uint64_t)ms, 9000, 1600);
    }
    IS_INT(f.count, WINDOW_FLOORS_MAX, "so many kinds");
    IS_INT(window_floors_used(&f, &other, 1600, &until_ms), WINDOW_FLOORS_MAX,
           "those beyond count for all");
    window_floors_raise(&f, &other, 7, 12000, 9000);
    IS_INT(window_floors_used(&f, &other, 9000, &until_ms), 7, "places that are over are free");
    IS_INT(window_floors_used(&f, &bytes, 9000, &until_ms), 0, "and others are not touched");
    return tap_done();
}
