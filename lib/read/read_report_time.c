/* Which stored periods make up the time of a report, and whether they are still kept. */
#include <sysexits.h>

#include "lib/read/read_report.h"

#define DAY_S 86400

struct report_time read_report_time(const struct settings *s, time_t now)
{
    return (struct report_time){.now = now,
                                .hours_kept_s = s->store.keep_hours_ms / 1000,
                                .days_kept_s = s->store.keep_days_ms / 1000,
                                .users_days_kept_s = s->store.keep_users_days_ms / 1000};
}

static int gone(const struct report_time *time, const struct stored_period *c, struct err *err)
{
    if (c->kind == PERIOD_HOUR)
        return err_set(err, EX_USAGE,
                       "hours are kept for %d days, and %s is older; ask for days or months",
                       (int)(time->hours_kept_s / DAY_S), c->name);
    return err_set(err, EX_USAGE,
                   "days are kept for %d days, and %s is older; ask for whole months, which are "
                   "kept for ever",
                   (int)(time->days_kept_s / DAY_S), c->name);
}

int read_report_cover(const struct report_time *time, time_t from, time_t to, struct arena *arena,
                      struct stored_periods *out, struct err *err)
{
    if (period_range_stored(from, to, time->now, time->hours, arena, out, err) != 0)
        return -1;
    for (size_t i = 0; i < out->count; i++) {
        const struct stored_period *c = &out->items[i];
        int64_t kept = c->kind == PERIOD_DAY ? time->days_kept_s : time->hours_kept_s;

        if (c->kind != PERIOD_MONTH && c->end + kept <= time->now)
            return gone(time, c, err);
    }
    return 0;
}
