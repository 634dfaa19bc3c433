#include "collect/read_time.h"

#include "collect/zone_days.h"

#define DAY_S       86400
#define DAY_MS      (DAY_S * INT64_C(1000))
#define MINUTE_S    60
#define MONTH_BYTES 3
/* No log is older; what has such a year is no date. */
#define FIRST_YEAR 1971
/* A date without a year that is so far in the future is one of the year before. */
#define AHEAD_MS (31 * DAY_MS)
/* Lines of several processes overtake each other by so much at most. */
#define JITTER_S 5

void read_time_init(struct read_time *r, int64_t last_ms)
{
    *r = (struct read_time){.last_ms = last_ms};
}

/* --- dates --------------------------------------------------------------------------------------
 */

static bool take_char(struct slice *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c)
        return false;
    s->ptr++;
    s->len--;
    return true;
}

static bool take_blanks(struct slice *s)
{
    bool found = false;

    while (take_char(s, ' '))
        found = true;
    return found;
}

/* A number of `min` to `max` digits. */
static bool take_digits(struct slice *s, size_t min, size_t max, int *value)
{
    size_t len = 0;

    *value = 0;
    while (len < s->len && len < max && s->ptr[len] >= '0' && s->ptr[len] <= '9')
        *value = *value * 10 + (s->ptr[len++] - '0');
    *s = slice_from(*s, len);
    return len >= min;
}

#define MONTH(a, b, c) ((unsigned)(a) << 16 | (unsigned)(b) << 8 | (unsigned)(c))

static bool take_month(struct slice *s, int *month)
{
    if (s->len < MONTH_BYTES)
        return false;
    switch (MONTH((unsigned char)s->ptr[0], (unsigned char)s->ptr[1], (unsigned char)s->ptr[2])) {
    case MONTH('J', 'a', 'n'):
        *month = 1;
        break;
    case MONTH('F', 'e', 'b'):
        *month = 2;
        break;
    case MONTH('M', 'a', 'r'):
        *month = 3;
        break;
    case MONTH('A', 'p', 'r'):
        *month = 4;
        break;
    case MONTH('M', 'a', 'y'):
        *month = 5;
        break;
    case MONTH('J', 'u', 'n'):
        *month = 6;
        break;
    case MONTH('J', 'u', 'l'):
        *month = 7;
        break;
    case MONTH('A', 'u', 'g'):
        *month = 8;
        break;
    case MONTH('S', 'e', 'p'):
        *month = 9;
        break;
    case MONTH('O', 'c', 't'):
        *month = 10;
        break;
    case MONTH('N', 'o', 'v'):
        *month = 11;
        break;
    case MONTH('D', 'e', 'c'):
        *month = 12;
        break;
    default:
        return false;
    }
    *s = slice_from(*s, MONTH_BYTES);
    return true;
}

/* ".805555", to the millisecond. */
static void take_fraction(struct slice *s, int *ms)
{
    int unit = 100;

    *ms = 0;
    if (s->len < 2 || (s->ptr[0] != '.' && s->ptr[0] != ',') || s->ptr[1] < '0' || s->ptr[1] > '9')
        return;
    *s = slice_from(*s, 1);
    for (; s->len > 0 && s->ptr[0] >= '0' && s->ptr[0] <= '9'; *s = slice_from(*s, 1), unit /= 10)
        *ms += unit * (s->ptr[0] - '0');
}

static bool take_clock(struct slice *s, struct read_time_date *d)
{
    if (!take_digits(s, 2, 2, &d->hour) || !take_char(s, ':') ||
        !take_digits(s, 2, 2, &d->minute) || !take_char(s, ':') ||
        !take_digits(s, 2, 2, &d->second) || d->hour > 23 || d->minute > 59 || d->second > 60)
        return false;
    take_fraction(s, &d->ms);
    return true;
}

/* Days of a month, in a leap year where the year is not known. */
static int month_days(int64_t year, int month)
{
    static const signed char days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (month == 2 && year != 0)
        return (int)(zone_days(year, 3, 1) - zone_days(year, 2, 1));
    return days[month - 1];
}

static bool is_date(const struct read_time_date *d)
{
    return (d->year == 0 || d->year >= FIRST_YEAR) && d->month >= 1 && d->month <= 12 &&
           d->day >= 1 && d->day <= month_days(d->year, d->month);
}

bool read_time_take_syslog(struct slice *s, struct read_time_date *d)
{
    struct slice rest = *s, year;
    int value;

    *d = (struct read_time_date){0};
    if (!take_month(&rest, &d->month) || !take_blanks(&rest) ||
        !take_digits(&rest, 1, 2, &d->day) || !take_blanks(&rest))
        return false;
    year = rest;
    if (take_digits(&year, 4, 4, &value) && value > 0 && take_blanks(&year)) {
        d->year = value;
        rest = year;
    }
    if (!take_clock(&rest, d) || !is_date(d))
        return false;
    *s = rest;
    return true;
}

/* "Z", "+01:00", "-0330". */
static void take_zone(struct slice *s, struct read_time_date *d)
{
    struct slice rest = *s;
    bool is_west = rest.len > 0 && rest.ptr[0] == '-';
    int hour, minute;

    if (take_char(&rest, 'Z')) {
        d->has_zone = true;
        *s = rest;
        return;
    }
    if (!take_char(&rest, '+') && !take_char(&rest, '-'))
        return;
    if (!take_digits(&rest, 2, 2, &hour))
        return;
    (void)take_char(&rest, ':');
    if (!take_digits(&rest, 2, 2, &minute))
        return;
    d->has_zone = true;
    d->offset_s = (hour * 60 + minute) * (int64_t)MINUTE_S * (is_west ? -1 : 1);
    *s = rest;
}

bool read_time_take_iso(struct slice *s, struct read_time_date *d)
{
    struct slice rest = *s;
    int year;

    *d = (struct read_time_date){0};
    if (!take_digits(&rest, 4, 4, &year) || !take_char(&rest, '-') ||
        !take_digits(&rest, 2, 2, &d->month) || !take_char(&rest, '-') ||
        !take_digits(&rest, 2, 2, &d->day))
        return false;
    d->year = year;
    if (!take_char(&rest, 'T') && !take_char(&rest, ' '))
        return false;
    if (!take_clock(&rest, d) || year == 0 || !is_date(d))
        return false;
    take_zone(&rest, d);
    *s = rest;
    return true;
}

static bool take_weekday(struct slice *s)
{
    static const char days[] = "Sun Mon Tue Wed Thu Fri Sat ";

    if (s->len < 4)
        return false;
    for (const char *day = days; *day != '\0'; day += 4) {
        if (slice_equal(slice_to(*s, 4), (struct slice){day, 4})) {
            *s = slice_from(*s, 4);
            return true;
        }
    }
    return false;
}

bool read_time_take_ctime(struct slice *s, struct read_time_date *d)
{
    struct slice rest = *s;
    int year;

    if (!take_weekday(&rest) || !read_time_take_syslog(&rest, d) || !take_blanks(&rest) ||
        !take_digits(&rest, 4, 4, &year) || year == 0)
        return false;
    d->year = year;
    if (!is_date(d))
        return false;
    *s = rest;
    return true;
}

/* --- what was left out --------------------------------------------------------------------------
 */

/* The clocks show `local_s` twice. */
static bool is_second_pass(const struct read_time *r, int64_t first, int64_t second, int64_t change)
{
    int64_t last, back;

    if (r->last_ms == READ_TIME_NONE)
        return false;
    last = r->last_ms / 1000;
    back = last - first;
    return last >= change ? back > JITTER_S : back >= (second - first) / 2;
}

static int64_t utc_of(struct read_time *r, const struct zone *zone, int64_t days, int64_t of_day_s)
{
    int64_t local_s = days * DAY_S + of_day_s, first, second, change;

    if (zone == NULL)
        return local_s;
    if (!r->plain.is_set || r->plain.day != days) {
        r->plain.day = days;
        r->plain.offset_s = zone_offset(zone, (days - 1) * DAY_S);
        r->plain.is_set = r->plain.offset_s == zone_offset(zone, (days + 2) * DAY_S);
    }
    if (r->plain.is_set)
        return local_s - r->plain.offset_s;
    if (zone_times(zone, local_s, &first, &second, &change) == ZONE_TWICE &&
        is_second_pass(r, first, second, change))
        return second;
    return first;
}

static int64_t days_in(const struct read_time_date *d, int64_t year)
{
    return zone_days(year, d->month, d->day);
}

/* The latest such day that is not after `until`. */
static int64_t day_until(const struct read_time_date *d, int64_t until)
{
    int64_t year = zone_year(until);

    while (d->day > month_days(year, d->month) || days_in(d, year) > until)
        year--;
    return days_in(d, year);
}

static int64_t floor_day(int64_t time_ms)
{
    return time_ms / DAY_MS - (time_ms % DAY_MS < 0);
}

/* The day of a date without a year. */
static int64_t day_guess(const struct read_time *r, const struct read_time_date *d,
                         const struct read_time_bounds *bounds)
{
    int64_t end_ms = bounds->end_ms < bounds->now_ms ? bounds->end_ms : bounds->now_ms;
    int64_t until = floor_day(end_ms + DAY_MS), from, year;

    if (r->last_ms == READ_TIME_NONE)
        return day_until(d, until);
    from = floor_day(r->last_ms - DAY_MS);
    year = zone_year(from);
    while (d->day > month_days(year, d->month) || days_in(d, year) < from)
        year++;
    if (days_in(d, year) <= floor_day(end_ms + AHEAD_MS))
        return days_in(d, year);
    return day_until(d, until);
}

static int64_t day_of(struct read_time *r, const struct read_time_date *d,
                      const struct read_time_bounds *bounds)
{
    if (d->year != 0) {
        r->dated.month = 0;
        return days_in(d, d->year);
    }
    if (r->dated.month != d->month || r->dated.day != d->day) {
        r->dated.month = d->month;
        r->dated.day = d->day;
        r->dated.days = day_guess(r, d, bounds);
    }
    return r->dated.days;
}

int64_t read_time_of(struct read_time *r, int64_t time_ms, const struct read_time_bounds *bounds,
                     bool *is_future)
{
    *is_future = time_ms > bounds->now_ms + DAY_MS;
    if (*is_future)
        return bounds->now_ms;
    if (floor_day(time_ms) < r->dated.days - 1 || floor_day(time_ms) > r->dated.days + 1)
        r->dated.month = 0;
    if (r->last_ms == READ_TIME_NONE || time_ms > r->last_ms - DAY_MS)
        r->last_ms = time_ms; /* else a line that a wrong clock wrote */
    return time_ms;
}

int64_t read_time_at(struct read_time *r, const struct zone *zone, const struct read_time_date *d,
                     const struct read_time_bounds *bounds, bool *is_future)
{
    int64_t days = day_of(r, d, bounds), time_s;
    int64_t of_day_s = (d->hour * 60 + d->minute) * (int64_t)MINUTE_S + d->second;

    if (d->has_zone)
        time_s = days * DAY_S + of_day_s - d->offset_s;
    else
        time_s = utc_of(r, zone, days, of_day_s);
    return read_time_of(r, time_s * 1000 + d->ms, bounds, is_future);
}
