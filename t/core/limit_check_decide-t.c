/* What is made of the answers to checks. */
#include "lib/core/limit_check.h"

#include "t/tap.h"

static void test_verdict(void)
{
    struct limit log = {.max = 1, .action = ACTION_LOG}, defer = {.max = 1, .action = ACTION_DEFER},
                 reject = {.max = 1, .action = ACTION_REJECT};
    const struct limit *tests[] = {&log, &defer, &reject, &defer};
    struct limit_check check = {.stops = true, .tests = tests, .test_count = 4};
    struct limit_checks d = {.list = &check, .count = 1, .test_count = 4};
    struct test_answer answers[4] = {{.over = true}};
    struct throttle_verdict v = limit_checks_decide(&d, answers, false);

    OK(v.action == ACTION_LOG && v.limit == &log, "only the log limit");
    answers[1] = (struct test_answer){.over = true, .retry_after_ms = 10};
    answers[3] = (struct test_answer){.over = true, .retry_after_ms = 20};
    v = limit_checks_decide(&d, answers, false);
    OK(v.action == ACTION_DEFER && v.answer == &answers[3], "the one that reopens last");
    answers[2].over = true;
    v = limit_checks_decide(&d, answers, false);
    OK(v.action == ACTION_REJECT && v.limit == &reject, "reject is the strongest");
    v = limit_checks_decide(&d, answers, true);
    OK(v.action == ACTION_LOG && v.wanted == ACTION_REJECT, "observed only");
    check.stops = false;
    v = limit_checks_decide(&d, answers, false);
    OK(v.action == ACTION_LOG && v.wanted == ACTION_LOG, "a forwarder's owner stops nobody");
    memset(answers, 0, sizeof answers);
    OK(limit_checks_decide(&d, answers, false).check == NULL, "nothing crossed");
}

int main(void)
{
    test_verdict();
    return tap_done();
}
