/* Log lines that would repeat. */
#include "t/tap.h"

#include "milter/notices.h"

static struct notices notices;

static void test_once(void)
{
    uint64_t held = 99;

    notices_init(&notices);
    OK(notices_due(&notices, SLICE("a"), 1000, 60000, &held) && held == 0, "the first is due");
    OK(!notices_due(&notices, SLICE("a"), 1001, 60000, &held), "the second is not");
    OK(!notices_due(&notices, SLICE("a"), 60999, 60000, &held), "nor one within the time");
    OK(notices_due(&notices, SLICE("b"), 1001, 60000, NULL), "another key is");
    OK(notices_due(&notices, SLICE("a"), 61000, 60000, &held), "after the time it is due again");
    IS_INT(held, 2, "and tells how many there were");
    OK(notices_due(&notices, SLICE(""), 1, 60000, &held) &&
           !notices_due(&notices, SLICE(""), 2, 60000, &held),
       "the empty key is one");
    notices_fini(&notices);
}

static void test_bounded(void)
{
    char key[32];
    int due = 0;

    notices_init(&notices);
    for (int i = 0; i < 100000; i++) {
        (void)snprintf(key, sizeof key, "domain%d.test", i);
        due += notices_due(&notices, slice_str(key), 1000, 60000, NULL) ? 1 : 0;
    }
    OK(due <= NOTICES_MAX && due > NOTICES_MAX / 2, "a flood of keys fills the table, no more");
    OK(notices_due(&notices, SLICE("late.test"), 62000, 60000, NULL), "later there is room again");
    notices_fini(&notices);
}

int main(void)
{
    test_once();
    test_bounded();
    return tap_done();
}
