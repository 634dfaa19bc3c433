/* Log lines that would repeat. */
#include "t/tap.h"

#include "lib/sys/log_limit.h"

static struct log_limit log_limit;

static void test_once(void)
{
    uint64_t held = 99;

    log_limit_init(&log_limit);
    OK(log_limit_due(&log_limit, SLICE("a"), 1000, 60000, &held) && held == 0, "the first is due");
    OK(!log_limit_due(&log_limit, SLICE("a"), 1001, 60000, &held), "the second is not");
    OK(!log_limit_due(&log_limit, SLICE("a"), 60999, 60000, &held), "nor one within the time");
    OK(log_limit_due(&log_limit, SLICE("b"), 1001, 60000, NULL), "another key is");
    OK(log_limit_due(&log_limit, SLICE("a"), 61000, 60000, &held),
       "after the time it is due again");
    IS_INT(held, 2, "and tells how many there were");
    OK(log_limit_due(&log_limit, SLICE(""), 1, 60000, &held) &&
           !log_limit_due(&log_limit, SLICE(""), 2, 60000, &held),
       "the empty key is one");
    log_limit_fini(&log_limit);
}

static void test_bounded(void)
{
    char key[32];
    int due = 0;

    log_limit_init(&log_limit);
    for (int i = 0; i < 100000; i++) {
        (void)snprintf(key, sizeof key, "domain%d.test", i);
        due += log_limit_due(&log_limit, slice_str(key), 1000, 60000, NULL) ? 1 : 0;
    }
    OK(due <= LOG_LIMIT_MAX && due > LOG_LIMIT_MAX / 2, "a flood of keys fills the table, no more");
    OK(log_limit_due(&log_limit, SLICE("late.test"), 62000, 60000, NULL),
       "later there is room again");
    log_limit_fini(&log_limit);
}

int main(void)
{
    test_once();
    test_bounded();
    return tap_done();
}
