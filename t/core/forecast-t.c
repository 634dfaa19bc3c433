#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/core/forecast.h"
#include "lib/core/period.h"
#include "t/tap.h"

#define DAY INT64_C(86400)

/* Monday */
#define NOV_2 INT64_C(1793577600)

static struct forecast even(uint64_t amount, size_t days)
{
    struct forecast f = {.known = 0};

    for (size_t i = 0; i < days; i++)
        f.amount[i] = amount;
    forecast_settle(&f);
    return f;
}

static void straight_line(void)
{
    struct forecast f = even(100, 28);

    OK(f.known == 28, "four weeks are known");
    OK(forecast_reaches_s(&f, 100, 1000, NOV_2) == NOV_2 + 9 * DAY, "nine days of 100 fill it");
    OK(forecast_reaches_s(&f, 100, 1050, NOV_2) == NOV_2 + 9 * DAY + DAY / 2, "and half a day");
    OK(forecast_reaches_s(&f, 100, 150, NOV_2 + DAY / 4) == NOV_2 + 3 * DAY / 4,
       "what is left of today counts by its part");
    OK(forecast_reaches_s(&f, 0, 2850, NOV_2) == NOV_2 + 28 * DAY + DAY / 2, "on the last day");
    OK(forecast_reaches_s(&f, 0, 2950, NOV_2) == FORECAST_NOT, "not in this month");
    OK(forecast_reaches_s(&f, 1000, 1000, NOV_2) == NOV_2, "it is full");
    OK(forecast_reaches_s(&f, 1200, 1000, NOV_2) == NOV_2, "it is over");
}

static void few_days(void)
{
    struct forecast f = even(100, 2);

    OK(f.known == 2 && forecast_reaches_s(&f, 0, 1000, NOV_2) == FORECAST_UNKNOWN,
       "two days are no forecast");
    f = even(100, 3);
    OK(forecast_reaches_s(&f, 0, 1000, NOV_2) == NOV_2 + 10 * DAY, "three are");
    f = even(0, 28);
    OK(forecast_reaches_s(&f, 0, 1000, NOV_2) == FORECAST_UNKNOWN, "nothing was ever counted");
    memset(&f, 0, sizeof f);
    f.amount[5] = 700;
    forecast_settle(&f);
    OK(f.known == 6 && llabs(forecast_reaches_s(&f, 0, 700, NOV_2) - NOV_2 - 6 * DAY) <= 1,
       "days without mail count, those before the first do not");
}

/* 100 from Monday to Friday, nothing at weekends. */
static void weekdays(void)
{
    struct forecast f = {.known = 0};

    for (size_t i = 0; i < FORECAST_DAYS; i++)
        f.amount[i] = i % 7 < 2 ? 0 : 100; /* yesterday: Sunday */
    forecast_settle(&f);
    OK(forecast_reaches_s(&f, 0, 500, NOV_2) == NOV_2 + 5 * DAY, "Friday's end fills a week");
    OK(forecast_reaches_s(&f, 0, 550, NOV_2) == NOV_2 + 7 * DAY + DAY / 2,
       "the weekend adds nothing, Monday does");
    for (size_t i = 0; i < FORECAST_DAYS; i++)
        f.amount[i] = i % 7 == 0 || i % 7 == 6 ? 0 : 100; /* now: Sunday */
    OK(forecast_reaches_s(&f, 0, 100, NOV_2 - DAY) == NOV_2 + DAY, "nothing today either");
}

/* The day that has 25 hours is as long as it is. */
static void summer_time(void)
{
    struct forecast f = even(100, 28);
    int64_t now, end;

    (void)setenv("TZ", "Europe/Zagreb", 1);
    tzset();
    now = (int64_t)period_start(PERIOD_DAY, (time_t)INT64_C(1792922400)); /* 2026-10-25 */
    end = (int64_t)period_end(PERIOD_DAY, (time_t)now);
    OK(end - now == 25 * 3600, "the day is one of 25 hours");
    OK(llabs(forecast_reaches_s(&f, 0, 50, now) - now - 25 * 1800) <= 1, "half of it brings half");
    (void)setenv("TZ", "UTC", 1);
    tzset();
}

int main(void)
{
    (void)setenv("TZ", "UTC", 1);
    tzset();
    straight_line();
    few_days();
    weekdays();
    summer_time();
    return tap_done();
}
