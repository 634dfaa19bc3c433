/* Calendar periods in time zones with and without daylight saving time, and dates of the command
 * line. */
#include "t/tap.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/core/period.h"
#include "t/random.h"

#define HOUR 3600

static void zone(const char *name)
{
    (void)setenv("TZ", name, 1);
    tzset();
}

/* Unix time of a UTC date. */
static time_t utc(int year, int month, int day, int hour, int minute)
{
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute};

    return timegm(&tm);
}

static void name_is(enum period_kind kind, time_t t, const char *want)
{
    char text[PERIOD_TEXT];

    period_name(kind, t, text);
    IS_STR(text, want, want);
}

static void test_names(void)
{
    time_t t = utc(2026, 11, 21, 13, 45);

    zone("UTC");
    name_is(PERIOD_TOTAL, t, "");
    name_is(PERIOD_HOUR, t, "2026-11-21T13");
    name_is(PERIOD_DAY, t, "2026-11-21");
    name_is(PERIOD_WEEK, t, "2026-W47");
    name_is(PERIOD_MONTH, t, "2026-11");
    name_is(PERIOD_QUARTER, t, "2026-Q4");
    name_is(PERIOD_HOUR, 0, "1970-01-01T00");
    name_is(PERIOD_HOUR, -1, "1969-12-31T23");
    name_is(PERIOD_DAY, -1, "1969-12-31");
    name_is(PERIOD_DAY, (time_t)INT64_MAX, "9999-12-31");
    name_is(PERIOD_DAY, (time_t)INT64_MIN, "0001-01-01");
    name_is(PERIOD_HOUR, (time_t)INT64_MAX, "9999-12-31T23");
    zone("Asia/Kolkata");
    name_is(PERIOD_HOUR, t, "2026-11-21T13"); /* hours are UTC's everywhere */
    name_is(PERIOD_DAY, utc(2026, 11, 21, 18, 30), "2026-11-22");
    name_is(PERIOD_DAY, utc(2026, 11, 21, 18, 29), "2026-11-21");
    zone("America/New_York");
    name_is(PERIOD_MONTH, utc(2026, 12, 1, 4, 59), "2026-11");
    name_is(PERIOD_MONTH, utc(2026, 12, 1, 5, 0), "2026-12");
}

static void test_hours_before_1970(void)
{
    zone("UTC");
    IS_INT(period_start(PERIOD_HOUR, -1), -3600, "an hour before 1970 begins before its seconds");
    IS_INT(period_start(PERIOD_HOUR, -3600), -3600, "its first second is its own");
}

/* ISO 8601 weeks at the turn of years. */
static void test_weeks(void)
{
    zone("UTC");
    name_is(PERIOD_WEEK, utc(2026, 1, 1, 0, 0), "2026-W01");
    name_is(PERIOD_WEEK, utc(2025, 12, 29, 0, 0), "2026-W01");
    name_is(PERIOD_WEEK, utc(2025, 12, 28, 23, 59), "2025-W52");
    name_is(PERIOD_WEEK, utc(2026, 12, 31, 0, 0), "2026-W53");
    name_is(PERIOD_WEEK, utc(2027, 1, 3, 23, 59), "2026-W53");
    name_is(PERIOD_WEEK, utc(2027, 1, 4, 0, 0), "2027-W01");
    name_is(PERIOD_WEEK, utc(2021, 1, 1, 0, 0), "2020-W53");
    name_is(PERIOD_WEEK, utc(2024, 12, 30, 0, 0), "2025-W01");
    OK(period_start(PERIOD_WEEK, utc(2026, 11, 21, 13, 45)) == utc(2026, 11, 16, 0, 0),
       "weeks begin on Monday");
}

/* A day's start and length in a zone, both by hand. Of days that are long gone: governments change
 * their minds about days to come, and tzdata with them. */
static const struct day_case {
    const char *zone, *day;
    int start[5]; /* UTC */
    int minutes;
} days[] = {
    {"UTC", "2024-11-21", {2024, 11, 21, 0, 0}, 1440},
    {"Europe/Berlin", "2024-11-21", {2024, 11, 20, 23, 0}, 1440},
    {"Europe/Berlin", "2024-03-31", {2024, 3, 30, 23, 0}, 1380},
    {"Europe/Berlin", "2024-10-27", {2024, 10, 26, 22, 0}, 1500},
    {"America/New_York", "2024-03-10", {2024, 3, 10, 5, 0}, 1380},
    {"America/New_York", "2024-11-03", {2024, 11, 3, 4, 0}, 1500},
    {"Australia/Lord_Howe", "2024-10-06", {2024, 10, 5, 13, 30}, 1410}, /* half an hour of DST */
    {"Asia/Kathmandu", "2024-11-21", {2024, 11, 20, 18, 15}, 1440},
    {"America/Sao_Paulo", "2018-11-04", {2018, 11, 4, 3, 0}, 1380}, /* 00:00 does not exist */
    {"America/Sao_Paulo", "2018-02-17", {2018, 2, 17, 2, 0}, 1500}, /* 23:00 comes twice */
    {"America/Havana", "2024-11-03", {2024, 11, 3, 4, 0}, 1500},    /* 00:00 comes twice */
    {"America/Havana", "2024-03-10", {2024, 3, 10, 5, 0}, 1380},    /* 00:00 does not exist */
    {"Asia/Beirut", "2024-03-31", {2024, 3, 30, 22, 0}, 1380},      /* 00:00 does not exist */
    {"Asia/Beirut", "2024-10-26", {2024, 10, 25, 21, 0}, 1500},
    {"Pacific/Apia", "2011-12-29", {2011, 12, 29, 10, 0}, 1440}, /* the 30th does not exist */
    {"Pacific/Apia", "2011-12-31", {2011, 12, 30, 10, 0}, 1440},
};

static void test_day(const struct day_case *c)
{
    time_t want = utc(c->start[0], c->start[1], c->start[2], c->start[3], c->start[4]), start = 0;
    enum period_kind kind = PERIOD_TOTAL;
    char what[100], name[PERIOD_TEXT];

    zone(c->zone);
    (void)snprintf(what, sizeof what, "%s in %s", c->day, c->zone);
    OK(period_parse(slice_str(c->day), &kind, &start) && kind == PERIOD_DAY, what);
    IS_INT(start, want, "its start");
    IS_INT(period_start(PERIOD_DAY, start), want, "which is in it");
    IS_INT(period_end(PERIOD_DAY, start) - start, c->minutes * 60, "its length");
    IS_INT(period_start(PERIOD_DAY, start + c->minutes * 60 - 1), want, "so is its last second");
    period_name(PERIOD_DAY, start - 1, name);
    OK(strcmp(name, c->day) < 0, "the second before is of another day");
}

static const char *const zones[] = {
    "UTC",           "Europe/Berlin",       "America/New_York", "Asia/Kolkata",
    "Asia/Beirut",   "Australia/Lord_Howe", "America/Havana",   "Pacific/Apia",
    "Africa/Cairo",  "America/Sao_Paulo",   "Asia/Tehran",      "Pacific/Kiritimati",
    "Europe/London", "America/Asuncion"};

/* Any time is within its period, whose name leads back to it; and periods leave no gap. */
static bool holds(enum period_kind kind, time_t t)
{
    time_t start = period_start(kind, t), end = period_end(kind, t), again;
    enum period_kind found;
    char name[PERIOD_TEXT], other[PERIOD_TEXT];

    period_name(kind, t, name);
    if (!(start <= t && t < end) || !period_parse(slice_str(name), &found, &again) ||
        found != kind || again != start)
        return false;
    period_name(kind, end - 1, other);
    if (strcmp(name, other) != 0 || period_start(kind, end) != end ||
        period_step(kind, end, -1) != start)
        return false;
    period_name(kind, end, other);
    return strcmp(name, other) < 0;
}

static void test_random(void)
{
    static const enum period_kind kinds[] = {PERIOD_HOUR, PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH,
                                             PERIOD_QUARTER};
    struct random_source r = {3};

    for (size_t z = 0; z < sizeof zones / sizeof zones[0]; z++) {
        size_t bad = 0;

        zone(zones[z]);
        for (int i = 0; i < 1000; i++) {
            time_t t = utc(2015, 1, 1, 0, 0) + (time_t)random_below(&r, 25u * 366 * 86400);

            for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
                if (!holds(kinds[k], t) && bad++ == 0)
                    printf("# first at %lld, kind %d\n", (long long)t, (int)kinds[k]);
            }
        }
        IS_INT(bad, 0, zones[z]);
    }
}

static void test_parse(void)
{
    static const char *const bad[] = {
        "2026",          "2026-",        "2026-1",         "2026-13",     "2026-00",
        "2026-11-",      "2026-11-00",   "2026-11-31",     "2026-02-29",  "2026-11-21T",
        "2026-11-21T24", "2026-11-21T1", "2026-11-21T133", "2026-11-21x", "2026-W00",
        "2026-W54",      "2025-W53",     "2026-W1",        "2026-Q0",     "2026-Q5",
        "2026-Q",        "0000-01",      "-2026-11",       "2026-W47-1",  " 2026-11",
        "2026-11 ",      "26-11-21",     "2026-Q11"};
    enum period_kind kind;
    time_t start;

    zone("UTC");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        OK(!period_parse(slice_str(bad[i]), &kind, &start), bad[i]);
    OK(period_parse(SLICE(""), &kind, &start) && kind == PERIOD_TOTAL && start == 0, "total");
    OK(period_parse(SLICE("2024-02-29"), &kind, &start) && start == utc(2024, 2, 29, 0, 0),
       "a leap day");
    OK(period_parse(SLICE("2026-W53"), &kind, &start) && start == utc(2026, 12, 28, 0, 0),
       "a week 53");
    OK(period_end(PERIOD_TOTAL, start) == PERIOD_FOR_EVER && period_start(PERIOD_TOTAL, start) == 0,
       "total has no end");
}

static const struct date_case {
    const char *text;
    int start[4], end[4]; /* UTC; end of 0: no date */
} dates[] = {
    {"2026-11-21", {2026, 11, 21, 0}, {2026, 11, 22, 0}},
    {"2026-11", {2026, 11, 1, 0}, {2026, 12, 1, 0}},
    {"2026-12", {2026, 12, 1, 0}, {2027, 1, 1, 0}},
    {"2026", {2026, 1, 1, 0}, {2027, 1, 1, 0}},
    {"2026-W47", {2026, 11, 16, 0}, {2026, 11, 23, 0}},
    {"2026-Q4", {2026, 10, 1, 0}, {2027, 1, 1, 0}},
    {"2026-11-21T13", {2026, 11, 21, 13}, {2026, 11, 21, 14}},
    {"today", {2026, 11, 21, 0}, {2026, 11, 22, 0}},
    {" Today ", {2026, 11, 21, 0}, {2026, 11, 22, 0}},
    {"yesterday", {2026, 11, 20, 0}, {2026, 11, 21, 0}},
    {"-7days", {2026, 11, 14, 0}, {2026, 11, 15, 0}},
    {"-1day", {2026, 11, 20, 0}, {2026, 11, 21, 0}},
    {"-0days", {2026, 11, 21, 0}, {2026, 11, 22, 0}},
    {"-12hours", {2026, 11, 21, 1}, {2026, 11, 21, 2}},
    {"-2weeks", {2026, 11, 2, 0}, {2026, 11, 9, 0}},
    {"-3months", {2026, 8, 1, 0}, {2026, 9, 1, 0}},
    {"-11months", {2025, 12, 1, 0}, {2026, 1, 1, 0}},
    {"-4quarters", {2025, 10, 1, 0}, {2026, 1, 1, 0}},
    {"0001", {1, 1, 1, 0}, {2, 1, 1, 0}},
    {"-1000000months", {1, 1, 1, 0}, {1, 2, 1, 0}},
    {"-1000000days", {1, 1, 1, 0}, {1, 1, 2, 0}},
    {"7days", {0}, {0}},
    {"-days", {0}, {0}},
    {"-7", {0}, {0}},
    {"-7 days", {0}, {0}},
    {"-7fortnights", {0}, {0}},
    {"-7dayss", {0}, {0}},
    {"-99999999999999999999days", {0}, {0}},
    {"--7days", {0}, {0}},
    {"tomorrow", {0}, {0}},
    {"2026-11-31", {0}, {0}},
    {"21.11.2026", {0}, {0}},
    {"0000", {0}, {0}},
    {"", {0}, {0}},
};

static void test_date(const struct date_case *c)
{
    time_t start = 0, end = 0, now = utc(2026, 11, 21, 13, 45);
    struct err err = {.code = 0};
    int result = period_date_parse(slice_str(c->text), now, &start, &end, &err);

    if (c->start[0] == 0) {
        OK(result == -1 && err.code == EX_USAGE && strstr(err.text, "2026-11-21") != NULL, c->text);
        return;
    }
    OK(result == 0, c->text);
    IS_INT(start, utc(c->start[0], c->start[1], c->start[2], c->start[3], 0), "start");
    IS_INT(end, utc(c->end[0], c->end[1], c->end[2], c->end[3], 0), "end");
}

static const struct until_case {
    const char *text;
    int until[5]; /* year 0: refused */
} untils[] = {
    {"2026-11-21", {2026, 11, 22, 0, 0}},
    {"2026-11", {2026, 12, 1, 0, 0}},
    {"2027", {2028, 1, 1, 0, 0}},
    {"today", {2026, 11, 22, 0, 0}},
    {"Tomorrow", {2026, 11, 23, 0, 0}},
    {"+90min", {2026, 11, 21, 15, 15}},
    {"+12hours", {2026, 11, 22, 1, 45}},
    {"+1day", {2026, 11, 22, 13, 45}},
    {" +2weeks ", {2026, 12, 5, 13, 45}},
    {"+0days", {0}},
    {"2026-11-20", {0}},
    {"yesterday", {0}},
    {"-7days", {0}},
    {"+2months", {0}},
    {"+days", {0}},
    {"+", {0}},
    {"+3", {0}},
    {"+3fortnights", {0}},
    {"+99999999999999999999days", {0}},
    {"soon", {0}},
    {"", {0}},
};

static void test_until(const struct until_case *c)
{
    time_t until = 0, now = utc(2026, 11, 21, 13, 45);
    struct err err = {.code = 0};
    int result = period_until_parse(slice_str(c->text), now, &until, &err);

    if (c->until[0] == 0) {
        OK(result == -1 && err.code == EX_USAGE, c->text);
        OK(strstr(err.text, "tomorrow") != NULL || strstr(err.text, "in the past") != NULL,
           err.text);
        return;
    }
    OK(result == 0, c->text);
    IS_INT(until, utc(c->until[0], c->until[1], c->until[2], c->until[3], c->until[4]), "until");
}

int main(void)
{
    test_names();
    test_hours_before_1970();
    test_weeks();
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++)
        test_day(&days[i]);
    test_random();
    test_parse();
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++)
        test_date(&dates[i]);
    for (size_t i = 0; i < sizeof untils / sizeof untils[0]; i++)
        test_until(&untils[i]);
    return tap_done();
}
