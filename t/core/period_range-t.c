/* cover: months and days that add up to a range, against the sum of its days, where clocks change.
 */
#include "t/tap.h"

#include <stdlib.h>

#include "lib/core/period_range.h"

static struct err error;

/* What was counted on the day that begins at t; nothing in the future. */
static uint64_t amount_of_day(time_t t, time_t now)
{
    return t > now ? 0 : (uint64_t)t / 3600 * 2654435761U % 1000 + 1;
}

static uint64_t amount(time_t from, time_t to, time_t now)
{
    uint64_t sum = 0;

    for (time_t t = from; t < to; t = period_end(PERIOD_DAY, t))
        sum += amount_of_day(t, now);
    return sum;
}

static bool is_good(const struct stored_periods *list, time_t from, time_t to, time_t now)
{
    uint64_t sum = 0;
    size_t days_in_a_row = 0;
    time_t at = from;

    for (size_t i = 0; i < list->count; i++) {
        const struct stored_period *c = &list->items[i];

        if (c->start != at || (c->end > to && c->end <= now))
            return false;
        days_in_a_row = c->kind == PERIOD_DAY && c->start == period_start(PERIOD_MONTH, c->start)
                            ? 1
                        : c->kind == PERIOD_DAY && days_in_a_row > 0 ? days_in_a_row + 1
                                                                     : 0;
        if (days_in_a_row > 0 && c->end == period_start(PERIOD_MONTH, c->end))
            return false; /* all days of a month: the month would have done */
        sum += amount(c->start, c->end, now);
        at = c->end;
    }
    return (at >= to || at > now) && sum == amount(from, to, now);
}

static void test_zone(const char *zone, time_t start)
{
    struct arena arena;
    struct stored_periods list;
    bool good = true;
    unsigned seed = 1;

    (void)setenv("TZ", zone, 1);
    tzset();
    arena_init(&arena, (size_t)1 << 22);
    for (int i = 0; i < 1000 && good; i++) {
        time_t from, to, now;

        seed = seed * 1103515245 + 12345;
        from = period_step(PERIOD_DAY, start, (int)(seed >> 16) % 800);
        seed = seed * 1103515245 + 12345;
        to = period_step(PERIOD_DAY, from, 1 + (int)(seed >> 16) % 400);
        seed = seed * 1103515245 + 12345;
        now = period_step(PERIOD_DAY, start, (int)(seed >> 16) % 1600) + 5000;
        good = period_range_stored(from, to, now, false, &arena, &list, &error) == 0 &&
               is_good(&list, from, to, now);
        if (!good)
            printf("# from %jd to %jd now %jd: %s\n", (intmax_t)from, (intmax_t)to, (intmax_t)now,
                   error.text);
        arena_reset(&arena);
    }
    OK(good, zone);
    arena_fini(&arena);
}

static void test_month_so_far(void)
{
    struct arena arena;
    struct stored_periods list;
    time_t now = 1795262400, from; /* 2026-11-21T12:00:00Z */

    (void)setenv("TZ", "Europe/Berlin", 1);
    tzset();
    arena_init(&arena, 65536);
    from = period_start(PERIOD_MONTH, now);
    OK(period_range_stored(from, period_end(PERIOD_DAY, now), now, false, &arena, &list, &error) ==
               0 &&
           list.count == 1,
       "this month until today is one month");
    IS_STR(list.items[0].name, "2026-11", "this one");
    OK(period_range_stored(from, period_start(PERIOD_DAY, now), now, false, &arena, &list,
                           &error) == 0 &&
           list.count == 20,
       "until yesterday it is twenty days");
    OK(period_range_stored(from, now - 3 * 86400, now, false, &arena, &list, &error) == -1,
       "a time that is not the start of a day");
    OK(strstr(error.text, "--step hour") != NULL, "is an error that names the mend");
    OK(period_range_stored(from, from + 7200, now, true, &arena, &list, &error) == 0 &&
           list.count == 2,
       "two hours");
    IS_STR(list.items[0].name, "2026-10-31T23", "of UTC");
    OK(period_range_stored(from + 60, from + 7200, now, true, &arena, &list, &error) == -1,
       "not whole hours");
    OK(period_range_stored(now + 864000 * 9, now + 864000 * 10, now, true, &arena, &list, &error) ==
               0 &&
           list.count == 1,
       "of the future no more than one is read");
    OK(period_range_stored(0, (time_t)1 << 31, (time_t)1 << 31, true, &arena, &list, &error) == -1,
       "too many hours are an error");
    arena_fini(&arena);
}

static void is_steps(enum period_kind kind, time_t from, time_t to, time_t now, const char *want)
{
    struct arena arena;
    struct step_list list;
    char got[1024] = "";

    arena_init(&arena, 65536);
    OK(period_range_steps(kind, from, to, now, &arena, &list, &error) == 0, "steps");
    for (size_t i = 0; i < list.count; i++) {
        (void)snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i > 0 ? " " : "",
                       list.items[i].name);
        OK(list.items[i].from == (i == 0 ? from : list.items[i - 1].to),
           "one begins where one ends");
    }
    OK(list.count > 0 &&
           (list.items[list.count - 1].to == to || list.items[list.count - 1].to > now),
       "the last ends the range, or holds the present");
    IS_STR(got, want, "their names");
    arena_fini(&arena);
}

static void test_steps(void)
{
    time_t now = 1795262400, from = period_start(PERIOD_MONTH, now);
    time_t to = period_end(PERIOD_MONTH, now);

    is_steps(PERIOD_WEEK, from, to, now, "2026-W44 2026-W45 2026-W46 2026-W47");
    is_steps(PERIOD_WEEK, from, to, to + 1,
             "2026-W44 2026-W45 2026-W46 2026-W47 2026-W48 2026-W49");
    is_steps(PERIOD_QUARTER, period_step(PERIOD_MONTH, now, -2), to, now, "2026-Q3 2026-Q4");
    is_steps(PERIOD_TOTAL, from, to, now, "");
}

int main(void)
{
    test_zone("Europe/Berlin", 1767222000);
    test_zone("America/Santiago", 1767236400); /* clocks change at midnight: days begin at 1 */
    test_zone("Australia/Lord_Howe", 1767186000);
    test_zone("UTC0", 1767225600);
    test_month_so_far();
    test_steps();
    return tap_done();
}
