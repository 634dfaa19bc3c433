#include "lib/core/period.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/buf.h"

#define HOUR_S 3600
#define DAY_S  86400
/* Years 1 to 9999, which are written with four digits. */
#define FIRST_S ((time_t)-62135596800)
#define LAST_S  ((time_t)253402300799)
/* No zone has ever jumped by more than a day (Pacific/Apia, December 2011). */
#define JUMP_S (DAY_S + 2 * HOUR_S)

/* A date of the proleptic Gregorian calendar. */
struct date {
    int year, month, day; /* 2026, 1..12, 1..31 */
};

/* --- dates without a zone --- */

/* Days since 1970-01-01; months and days out of range run over. */
static int64_t date_days(struct date d)
{
    struct tm tm = {.tm_year = d.year - 1900, .tm_mon = d.month - 1, .tm_mday = d.day};

    return (int64_t)timegm(&tm) / DAY_S;
}

static struct date date_of_days(int64_t days)
{
    time_t t = (time_t)(days * DAY_S);
    struct tm tm;

    (void)gmtime_r(&t, &tm);
    if (tm.tm_year + 1900 < 1)
        return (struct date){1, 1, 1};
    return (struct date){tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday};
}

static int date_compare(struct date a, struct date b)
{
    if (a.year != b.year)
        return a.year < b.year ? -1 : 1;
    if (a.month != b.month)
        return a.month < b.month ? -1 : 1;
    return (a.day > b.day) - (a.day < b.day);
}

/* Monday is 0. 1970-01-01 was a Thursday. */
static int weekday(int64_t days)
{
    return (int)(((days + 3) % 7 + 7) % 7);
}

/* --- dates in the zone --- */

static time_t clamp(time_t t)
{
    return t < FIRST_S ? FIRST_S : t > LAST_S ? LAST_S : t;
}

static struct date date_at(time_t t)
{
    struct tm tm;

    t = clamp(t);
    if (localtime_r(&t, &tm) == NULL)
        return (struct date){1970, 1, 1};
    return (struct date){tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday};
}

/* The first second at which the zone's date is `d` or later. Mostly that is midnight; where DST
 * begins or ends at midnight there is no such time or there are two, and a zone that crosses the
 * date line loses a whole day. */
static time_t date_start(struct date d)
{
    struct tm tm = {
        .tm_year = d.year - 1900, .tm_mon = d.month - 1, .tm_mday = d.day, .tm_isdst = -1};
    time_t guess = mktime(&tm), low, high;

    if (guess <= FIRST_S + JUMP_S)
        return guess;
    if (date_compare(date_at(guess), d) == 0 && date_compare(date_at(guess - 1), d) < 0)
        return guess;
    low = guess - JUMP_S;
    high = guess + JUMP_S;
    while (high - low > 1) {
        time_t middle = low + (high - low) / 2;

        if (date_compare(date_at(middle), d) < 0)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* The first date of the period `count` after the one that holds `d`. */
static struct date period_date(enum period_kind kind, struct date d, int count)
{
    int64_t days = date_days(d);

    if (kind == PERIOD_DAY)
        return date_of_days(days + count);
    if (kind == PERIOD_WEEK)
        return date_of_days(days - weekday(days) + 7 * (int64_t)count);
    d.day = 1;
    d.month = kind == PERIOD_MONTH ? d.month + count : (d.month - 1) / 3 * 3 + 1 + 3 * count;
    return date_of_days(date_days(d));
}

static time_t hour_start(time_t t)
{
    t = clamp(t);
    return t - ((t % HOUR_S) + HOUR_S) % HOUR_S;
}

time_t period_step(enum period_kind kind, time_t t, int count)
{
    if (kind == PERIOD_TOTAL)
        return 0;
    if (kind == PERIOD_HOUR)
        return clamp(hour_start(t) + (time_t)count * HOUR_S);
    return date_start(period_date(kind, date_at(t), count));
}

time_t period_start(enum period_kind kind, time_t t)
{
    return period_step(kind, t, 0);
}

time_t period_end(enum period_kind kind, time_t t)
{
    return kind == PERIOD_TOTAL ? PERIOD_FOR_EVER : period_step(kind, t, 1);
}

/* --- names --- */

static void hour_name(time_t t, char text[PERIOD_TEXT])
{
    struct tm tm;

    t = clamp(t);
    if (gmtime_r(&t, &tm) == NULL || strftime(text, PERIOD_TEXT, "%Y-%m-%dT%H", &tm) == 0)
        text[0] = '\0';
}

/* ISO 8601: the week belongs to the year of its Thursday. */
static void week_name(struct date d, char text[PERIOD_TEXT])
{
    int64_t days = date_days(d), thursday = days - weekday(days) + 3;
    int year = date_of_days(thursday).year;
    int week = (int)((thursday - date_days((struct date){year, 1, 1})) / 7 + 1);

    (void)snprintf(text, PERIOD_TEXT, "%04d-W%02d", year, week);
}

void period_name(enum period_kind kind, time_t t, char text[PERIOD_TEXT])
{
    struct date d = date_at(t);

    text[0] = '\0';
    switch (kind) {
    case PERIOD_TOTAL:
        break;
    case PERIOD_HOUR:
        hour_name(t, text);
        break;
    case PERIOD_DAY:
        (void)snprintf(text, PERIOD_TEXT, "%04hd-%02hhd-%02hhd", (short)d.year,
                       (signed char)d.month, (signed char)d.day);
        break;
    case PERIOD_WEEK:
        week_name(d, text);
        break;
    case PERIOD_MONTH:
        (void)snprintf(text, PERIOD_TEXT, "%04d-%02d", d.year, d.month);
        break;
    case PERIOD_QUARTER:
        (void)snprintf(text, PERIOD_TEXT, "%04d-Q%d", d.year, (d.month - 1) / 3 + 1);
        break;
    }
}

/* Takes a number of exactly `digits` digits off the front. */
static bool number_take(struct slice *s, size_t digits, int *value)
{
    struct slice head;
    uint64_t n;

    if (!slice_take(s, digits, &head) || !slice_number(head, &n))
        return false;
    *value = (int)n;
    return true;
}

static bool byte_take(struct slice *s, char byte)
{
    if (s->len == 0 || s->ptr[0] != byte)
        return false;
    *s = slice_from(*s, 1);
    return true;
}

static bool week_take(struct slice *s, struct date *d)
{
    int week;
    int64_t days = date_days((struct date){d->year, 1, 4}); /* always in week 1 */

    if (!number_take(s, 2, &week) || week < 1)
        return false;
    *d = date_of_days(days - weekday(days) + 7 * ((int64_t)week - 1));
    return true;
}

/* Everything but hours, of which it takes the date; what is left in *s is the caller's. */
static bool date_take(struct slice *s, enum period_kind *kind, struct date *d)
{
    int quarter;

    *d = (struct date){.month = 1, .day = 1};
    if (!number_take(s, 4, &d->year) || d->year < 1 || !byte_take(s, '-'))
        return false;
    if (byte_take(s, 'W')) {
        *kind = PERIOD_WEEK;
        return week_take(s, d);
    }
    if (byte_take(s, 'Q')) {
        *kind = PERIOD_QUARTER;
        if (!number_take(s, 1, &quarter) || quarter < 1 || quarter > 4)
            return false;
        d->month = quarter * 3 - 2;
        return true;
    }
    *kind = PERIOD_MONTH;
    if (!number_take(s, 2, &d->month) || d->month < 1 || d->month > 12)
        return false;
    if (!byte_take(s, '-'))
        return true;
    *kind = PERIOD_DAY;
    /* 2026-02-30 would run over into March */
    return number_take(s, 2, &d->day) && date_compare(date_of_days(date_days(*d)), *d) == 0;
}

bool period_parse(struct slice text, enum period_kind *kind, time_t *start)
{
    struct slice rest = text;
    char name[PERIOD_TEXT];
    struct date d;
    int hour;

    if (text.len == 0) {
        *kind = PERIOD_TOTAL;
        *start = 0;
        return true;
    }
    if (!date_take(&rest, kind, &d))
        return false;
    if (*kind == PERIOD_DAY && byte_take(&rest, 'T')) {
        *kind = PERIOD_HOUR;
        if (!number_take(&rest, 2, &hour) || hour > 23 || rest.len > 0)
            return false;
        *start = (time_t)(date_days(d) * DAY_S + hour * HOUR_S);
        return true;
    }
    *start = date_start(d);
    if (*kind != PERIOD_WEEK)
        return rest.len == 0;
    /* Most years have no week 53. */
    period_name(PERIOD_WEEK, *start, name);
    return slice_equal(slice_str(name), text);
}

/* --- the command line --- */

static bool unit_parse(struct slice text, enum period_kind *kind)
{
    static const struct {
        struct slice name;
        enum period_kind kind;
    } units[] = {{{"hour", 4}, PERIOD_HOUR},
                 {{"day", 3}, PERIOD_DAY},
                 {{"week", 4}, PERIOD_WEEK},
                 {{"month", 5}, PERIOD_MONTH},
                 {{"quarter", 7}, PERIOD_QUARTER}};

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        struct slice end = slice_from(text, units[i].name.len);

        *kind = units[i].kind;
        if (slice_starts_nocase(text, units[i].name) &&
            (end.len == 0 || slice_equal_nocase(end, SLICE("s"))))
            return true;
    }
    return false;
}

/* Takes a sign and a number from the front. */
static bool count_take(struct slice *text, char sign, int *count)
{
    size_t digits = 1;
    uint64_t n;

    while (digits < text->len && text->ptr[digits] >= '0' && text->ptr[digits] <= '9')
        digits++;
    if (text->len == 0 || text->ptr[0] != sign ||
        !slice_number(slice_from(slice_to(*text, digits), 1), &n) || n > 1000000)
        return false;
    *count = (int)n;
    *text = slice_from(*text, digits);
    return true;
}

/* `-7days` and its like, `today`, `yesterday`. */
static bool back_parse(struct slice text, enum period_kind *kind, int *back)
{
    *kind = PERIOD_DAY;
    *back = slice_equal_nocase(text, SLICE("yesterday")) ? 1 : 0;
    if (*back == 1 || slice_equal_nocase(text, SLICE("today")))
        return true;
    return count_take(&text, '-', back) && unit_parse(text, kind);
}

/* A date as it is named; false: it is none. */
static bool date_parse(struct slice text, time_t now, time_t *start, time_t *end)
{
    enum period_kind kind;
    uint64_t year;
    int back;

    text = slice_trim(text);
    if (back_parse(text, &kind, &back)) {
        *start = period_step(kind, now, -back);
        *end = period_end(kind, *start);
        return true;
    }
    if (text.len == 4 && slice_number(text, &year) && year >= 1) {
        *start = date_start((struct date){(int)year, 1, 1});
        *end = date_start((struct date){(int)year + 1, 1, 1});
        return true;
    }
    if (text.len == 0 || !period_parse(text, &kind, start))
        return false;
    *end = period_end(kind, *start);
    return true;
}

int period_date_parse(struct slice text, time_t now, time_t *start, time_t *end, struct err *err)
{
    if (date_parse(text, now, start, end))
        return 0;
    return err_set(err, EX_USAGE,
                   "'%.*s' is not a date: use 2026-11-21, 2026-11, 2026-W47, 2026-Q4, 2026, "
                   "2026-11-21T13, today, yesterday, or a time ago: -7days, -3months, -12hours",
                   SLICE_FMT(slice_to(text, 60)));
}

/* +3days: how long, in seconds. */
static bool length_parse(struct slice text, time_t *seconds)
{
    static const time_t lengths[] = {
        [PERIOD_HOUR] = HOUR_S, [PERIOD_DAY] = DAY_S, [PERIOD_WEEK] = 7 * DAY_S};
    enum period_kind kind;
    int count;

    if (!count_take(&text, '+', &count))
        return false;
    *seconds = (time_t)count * 60;
    if (slice_equal_nocase(text, SLICE("min")))
        return true;
    if (!unit_parse(text, &kind) || kind > PERIOD_WEEK)
        return false;
    *seconds = (time_t)count * lengths[kind];
    return true;
}

int period_until_parse(struct slice text, time_t now, time_t *until, struct err *err)
{
    time_t seconds, start;

    text = slice_trim(text);
    if (length_parse(text, &seconds))
        *until = now + seconds;
    else if (slice_equal_nocase(text, SLICE("tomorrow")))
        *until = period_end(PERIOD_DAY, period_end(PERIOD_DAY, now));
    else if (!date_parse(text, now, &start, until))
        return err_set(
            err, EX_USAGE,
            "'%.*s' is not a date: use 2026-11-30, 2026-12, today, tomorrow, or a length "
            "of time: +12hours, +3days, +2weeks",
            SLICE_FMT(slice_to(text, 60)));
    if (*until <= now)
        return err_set(err, EX_USAGE, "the time is in the past");
    return 0;
}
