/* A zone read from its compiled file gives what the C library gives, also after the last change
 * that the file lists. */
#include "t/tap.h"

#include <stdlib.h>
#include <time.h>

#include "collect/zone_days.h"
#include "collect/zone_load.h"
#include "collect/zone_rule.h"

static void c_library_set(const char *name)
{
    (void)setenv("TZ", name, 1);
    tzset();
}

static void test_offsets(const char *name)
{
    struct zone *z;
    struct err err;
    int wrong = 0;

    if (!OK(zone_load(name, &z, &err) == 0, name))
        return;
    c_library_set(name);
    /* From 1950 to 2090, at an odd step, so that each hour of a year is met. */
    for (time_t t = -631152000; t < 3786912000; t += 17977) {
        struct tm tm;

        (void)localtime_r(&t, &tm);
        wrong += zone_offset(z, t) != tm.tm_gmtoff;
    }
    IS_INT(wrong, 0, name);
    zone_free(z);
}

static void test_times(const char *name, int64_t local_s, enum zone_times want, int64_t first,
                       int64_t second, int64_t change)
{
    int64_t a, b, c;
    struct zone *z;
    struct err err;

    TG_ASSERT(zone_load(name, &z, &err) == 0);
    IS_INT(zone_times(z, local_s, &a, &b, &c), want, name);
    IS_INT(a, first, "the first");
    IS_INT(b, second, "the second");
    IS_INT(c, change, "set back at");
    zone_free(z);
}

static int64_t at(int64_t year, int month, int day, int hour, int minute)
{
    return ((zone_days(year, month, day) * 24 + hour) * 60 + minute) * 60;
}

static void test_changes(void)
{
    /* Zagreb: 25 October 2026, 03:00 becomes 02:00 at 01:00 UTC. */
    test_times("Europe/Zagreb", at(2026, 10, 25, 2, 30), ZONE_TWICE, at(2026, 10, 25, 0, 30),
               at(2026, 10, 25, 1, 30), at(2026, 10, 25, 1, 0));
    test_times("Europe/Zagreb", at(2026, 10, 25, 3, 0), ZONE_ONCE, at(2026, 10, 25, 2, 0),
               at(2026, 10, 25, 2, 0), INT64_MIN);
    /* Left out: 29 March 2026, 02:00 becomes 03:00. */
    test_times("Europe/Zagreb", at(2026, 3, 29, 2, 30), ZONE_ONCE, at(2026, 3, 29, 1, 30),
               at(2026, 3, 29, 1, 30), INT64_MIN);
    /* Lord Howe: 5 April 2026, 02:00 becomes 01:30 at 15:00 UTC of the day before. */
    test_times("Australia/Lord_Howe", at(2026, 4, 5, 1, 40), ZONE_TWICE, at(2026, 4, 4, 14, 40),
               at(2026, 4, 4, 15, 10), at(2026, 4, 4, 15, 0));
    test_times("Australia/Lord_Howe", at(2026, 4, 5, 1, 29), ZONE_ONCE, at(2026, 4, 4, 14, 29),
               at(2026, 4, 4, 14, 29), INT64_MIN);
}

static void test_rules(void)
{
    static const char *const bad[] = {"",
                                      "CET",
                                      "C3T-1",
                                      "CET-1CEST",
                                      "CET-1CEST,M3.5.0",
                                      "CET-1CEST,M13.5.0,M10.5.0",
                                      "CET-1CEST,M3.5.0,M10.5.0/3x"};
    struct zone_rule r;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        OK(!zone_rule_parse(slice_str(bad[i]), &r), bad[i]);
    OK(zone_rule_parse(SLICE("EST5EDT,J60,J300/1:30:15"), &r), "days of the year");
    IS_INT(zone_rule_offset(&r, at(2024, 3, 1, 7, 0)), -4 * 3600, "J60 is 1 March in leap years");
    IS_INT(zone_rule_offset(&r, at(2024, 3, 1, 6, 59)), -5 * 3600, "before");
    OK(zone_rule_parse(SLICE("<+03>-3<+04>,59,299"), &r), "days from 0");
    IS_INT(zone_rule_offset(&r, at(2024, 2, 29, 0, 0)), 4 * 3600, "59 is 29 February there");
}

static void test_damage(void)
{
    struct zone *z;
    struct err err;
    char bytes[200] = "TZif2";

    OK(zone_load("Europe/Nowhere", &z, &err) != 0 && strstr(err.text, "Europe/Nowhere") != NULL,
       "no such zone");
    for (size_t len = 0; len <= sizeof bytes; len++) {
        z = zone_new((struct slice){bytes, len}, &err);
        if (z != NULL)
            OK(false, "half a file");
        zone_free(z);
    }
    OK(zone_load("UTC", &z, &err) == 0 && z == NULL && zone_offset(z, 5) == 0, "UTC");
    IS_INT(zone_year(zone_days(2000, 12, 31)), 2000, "the last day of a year");
    IS_INT(zone_year(zone_days(1899, 1, 1)), 1899, "the first");
    IS_INT(zone_days(1970, 1, 1), 0, "day 0");
}

int main(void)
{
    static const char *const names[] = {"Europe/Zagreb", "America/New_York", "Australia/Lord_Howe",
                                        "Pacific/Apia",  "Asia/Kathmandu",   "America/Sao_Paulo",
                                        "Europe/Dublin", "Pacific/Chatham",  "Africa/Casablanca",
                                        "Etc/UTC"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        test_offsets(names[i]);
    test_changes();
    test_rules();
    test_damage();
    return tap_done();
}
