/* name_quota: the first names of a group have a place, until the month is over. */
#include "lib/sys/name_quota.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "t/tap.h"

static const int64_t now_s = 1793000000;

static bool take(struct name_quota *q, const char *group, int number, int64_t at_s)
{
    char name[40];

    (void)snprintf(name, sizeof name, "n%d", number);
    return name_quota_take(q, slice_str(group), slice_str(name), at_s);
}

static void test_groups(struct name_quota *q)
{
    for (int i = 0; i < 3; i++)
        OK(take(q, ".a.example", i, now_s), "the first names have a place");
    OK(!take(q, ".a.example", 3, now_s), "a fourth has none");
    OK(take(q, ".a.example", 1, now_s + 1), "those that have one keep it");
    OK(take(q, ".b.example", 3, now_s), "another group has its own");
    name_quota_set(q, 4);
    OK(take(q, ".a.example", 3, now_s), "a reload may raise the number");
    name_quota_set(q, 1);
    OK(take(q, ".a.example", 3, now_s) && !take(q, ".a.example", 4, now_s),
       "or lower it for those who come later");
    OK(take(q, ".a.example", 4, now_s + 32 * 86400), "in the next month all begins anew");
}

/* Names that had a place before the process began. */
static void test_seeds(void)
{
    struct name_quota q;

    name_quota_init(&q, 3);
    name_quota_seed(&q, SLICE("n1.a.example"), now_s);
    name_quota_seed(&q, SLICE("n2.a.example"), now_s);
    name_quota_seed(&q, SLICE("a.example"), now_s);
    name_quota_seed(&q, SLICE("xa.example"), now_s);
    OK(name_quota_take(&q, SLICE(".a.example"), SLICE("n3.a.example"), now_s),
       "two are seeds, so a third has a place");
    OK(!name_quota_take(&q, SLICE(".a.example"), SLICE("n4.a.example"), now_s),
       "a fourth has none");
    OK(name_quota_take(&q, SLICE(".a.example"), SLICE("n2.a.example"), now_s),
       "a seed has its own");
    OK(name_quota_take(&q, SLICE("a.example"), SLICE("u"), now_s) &&
           name_quota_take(&q, SLICE(".b.example"), SLICE("n1.b.example"), now_s),
       "other groups have no seeds");
    name_quota_set(&q, 1);
    OK(name_quota_take(&q, SLICE(".example"), SLICE("n1.a.example"), now_s) &&
           !name_quota_take(&q, SLICE(".example"), SLICE("n9.example"), now_s),
       "seeds have places even where there are more than may be");
    name_quota_set(&q, 3);
    for (int i = 0; i < 3; i++)
        OK(take(&q, ".a.example", i, now_s + 32 * 86400), "in the next month seeds are forgotten");
    name_quota_fini(&q);
}

static void test_many(struct name_quota *q)
{
    unsigned placed = 0;

    name_quota_set(q, 10000000);
    for (int i = 0; i < 500000; i++) {
        char name[220];

        (void)snprintf(name, sizeof name, "%200d", i);
        placed += name_quota_take(q, SLICE(".many.example"), slice_str(name), now_s);
    }
    OK(placed > 100000 && placed < 500000, "what has no room has no place");
}

int main(void)
{
    struct name_quota q;

    (void)setenv("TZ", "UTC", 1);
    tzset();
    name_quota_init(&q, 3);
    test_groups(&q);
    test_seeds();
    name_quota_fini(&q);
    name_quota_init(&q, 3);
    test_many(&q);
    name_quota_fini(&q);
    return tap_done();
}
