#include "lib/read/read_range.h"

#include <sysexits.h>

static int parse_end(const char *name, struct slice text, time_t now, time_t *start, time_t *end,
                     struct err *err)
{
    if (text.len == 0 || period_date_parse(text, now, start, end, err) == 0)
        return 0;
    if (err != NULL)
        err->code = EX_USAGE;
    return err_prefix(err, "%s %.*s", name, SLICE_FMT(text));
}

static void to_hours(struct range *r)
{
    r->time.from = period_start(PERIOD_HOUR, r->time.from);
    r->time.to = period_end(PERIOD_HOUR, r->time.to - 1);
}

int read_range_parse(struct range *r, const struct range_words *words, struct err *err)
{
    enum period_kind kind = words->hours ? PERIOD_HOUR : PERIOD_DAY;
    struct report_time *t = &r->time;
    time_t unused;

    t->hours = words->hours;
    t->to = period_end(PERIOD_DAY, t->now);
    if (parse_end(words->from_name, words->from, t->now, &t->from, &unused, err) != 0 ||
        parse_end(words->to_name, words->to, t->now, &unused, &t->to, err) != 0)
        return -1;
    if (words->from.len == 0)
        t->from = period_start(PERIOD_MONTH, t->to - 1);
    if (t->from >= t->to)
        return err_set(err, EX_USAGE, "%s %.*s is later than %s %.*s", words->from_name,
                       SLICE_FMT(words->from), words->to_name,
                       SLICE_FMT(words->to.len > 0 ? words->to : SLICE("today")));
    if (words->hours)
        to_hours(r);
    period_name(kind, t->from, r->from_text);
    period_name(kind, t->to - 1, r->to_text);
    return 0;
}
