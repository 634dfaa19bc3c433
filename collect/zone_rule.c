#include "collect/zone_rule.h"

#include "collect/zone_days.h"

#define HOUR_S 3600
#define DAY_S  86400

/* --- reading ------------------------------------------------------------------------------------
 */

static bool take(struct slice *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c)
        return false;
    *s = slice_from(*s, 1);
    return true;
}

static bool take_number(struct slice *s, int64_t *value)
{
    size_t len = 0;

    for (*value = 0; len < s->len && len < 3 && s->ptr[len] >= '0' && s->ptr[len] <= '9'; len++)
        *value = *value * 10 + (s->ptr[len] - '0');
    *s = slice_from(*s, len);
    return len > 0;
}

/* "EST", "<+1030>". */
static bool take_name(struct slice *s)
{
    bool is_quoted = take(s, '<');
    size_t len = 0;

    while (len < s->len && (is_quoted ? s->ptr[len] != '>'
                                      : (s->ptr[len] | 0x20) >= 'a' && (s->ptr[len] | 0x20) <= 'z'))
        len++;
    *s = slice_from(*s, len);
    return len > 0 && (!is_quoted || take(s, '>'));
}

/* "-1", "10:30", "+167:59:59". */
static bool take_time(struct slice *s, int64_t *time_s)
{
    bool is_negative = take(s, '-');
    int64_t part, unit = HOUR_S;

    if (!is_negative)
        (void)take(s, '+');
    if (!take_number(s, &part))
        return false;
    *time_s = part * unit;
    while (unit > 1 && take(s, ':')) {
        unit /= 60;
        if (!take_number(s, &part))
            return false;
        *time_s += part * unit;
    }
    if (is_negative)
        *time_s = -*time_s;
    return true;
}

static bool take_day(struct slice *s, struct zone_day *d)
{
    int64_t a = 0, b = 0, c = 0;

    if (take(s, 'M')) {
        d->kind = ZONE_DAY_MONTH;
        if (!take_number(s, &a) || !take(s, '.') || !take_number(s, &b) || !take(s, '.') ||
            !take_number(s, &c) || a < 1 || a > 12 || b < 1 || b > 5 || c > 6)
            return false;
    } else {
        d->kind = take(s, 'J') ? ZONE_DAY_JULIAN : ZONE_DAY_ZERO;
        if (!take_number(s, &c) || c > 365)
            return false;
    }
    d->month = (int)a;
    d->week = (int)b;
    d->day = (int)c;
    d->time_s = 2 * HOUR_S;
    return !take(s, '/') || take_time(s, &d->time_s);
}

bool zone_rule_parse(struct slice text, struct zone_rule *rule)
{
    *rule = (struct zone_rule){0};
    if (!take_name(&text) || !take_time(&text, &rule->winter_s))
        return false;
    rule->winter_s = -rule->winter_s; /* POSIX counts west of UTC */
    if (text.len == 0)
        return true;
    rule->has_summer = true;
    rule->summer_s = rule->winter_s + HOUR_S;
    if (!take_name(&text))
        return false;
    if (text.len > 0 && text.ptr[0] != ',') {
        if (!take_time(&text, &rule->summer_s))
            return false;
        rule->summer_s = -rule->summer_s;
    }
    return take(&text, ',') && take_day(&text, &rule->start) && take(&text, ',') &&
           take_day(&text, &rule->end) && text.len == 0;
}

/* --- asking -------------------------------------------------------------------------------------
 */

static bool is_leap(int64_t year)
{
    return zone_days(year, 3, 1) - zone_days(year, 2, 1) == 29;
}

/* The day in days since 1970. */
static int64_t day_in(const struct zone_day *d, int64_t year)
{
    int64_t first, next, day;

    if (d->kind == ZONE_DAY_ZERO)
        return zone_days(year, 1, 1) + d->day;
    if (d->kind == ZONE_DAY_JULIAN) /* 29 February is never counted */
        return zone_days(year, 1, 1) + d->day - 1 + (is_leap(year) && d->day >= 60);
    first = zone_days(year, d->month, 1);
    next = d->month == 12 ? zone_days(year + 1, 1, 1) : zone_days(year, d->month + 1, 1);
    /* 1970-01-01 was a Thursday (4). */
    day = first + ((d->day - (first + 4)) % 7 + 7) % 7 + 7 * (int64_t)(d->week - 1);
    return day < next ? day : day - 7;
}

int64_t zone_rule_offset(const struct zone_rule *rule, int64_t time_s)
{
    int64_t local_s = time_s + rule->winter_s, days = local_s / DAY_S - (local_s % DAY_S < 0), year,
            start, end;
    bool is_summer;

    if (!rule->has_summer)
        return rule->winter_s;
    year = zone_year(days);
    start = day_in(&rule->start, year) * DAY_S + rule->start.time_s - rule->winter_s;
    end = day_in(&rule->end, year) * DAY_S + rule->end.time_s - rule->summer_s;
    is_summer = start < end ? time_s >= start && time_s < end : time_s >= start || time_s < end;
    return is_summer ? rule->summer_s : rule->winter_s;
}
