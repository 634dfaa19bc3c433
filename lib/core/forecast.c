#include "lib/core/forecast.h"

#include "lib/core/period.h"

#define WEEK        7
#define WEEKS_LEAST 2 /* for a mean of each weekday */

void forecast_settle(struct forecast *f)
{
    f->known = FORECAST_DAYS;
    while (f->known > 0 && f->amount[f->known - 1] == 0)
        f->known--;
}

/* Of a day so many days from now, which is that many mod 7 after a day of its weekday. */
static double mean(const struct forecast *f, size_t days_from_now)
{
    size_t step = f->known >= WEEKS_LEAST * WEEK ? WEEK : 1, taken = 0;
    size_t first = step == WEEK ? WEEK - 1 - days_from_now % WEEK : 0;
    double sum = 0;

    for (size_t i = first; i < f->known; i += step) {
        sum += (double)f->amount[i];
        taken++;
    }
    return sum / (double)taken;
}

int64_t forecast_reaches_s(const struct forecast *f, uint64_t used, uint64_t max, int64_t now_s)
{
    const int64_t month_end = (int64_t)period_end(PERIOD_MONTH, (time_t)now_s);
    double sum = (double)used, goal = (double)max;
    int64_t at = now_s;

    if (used >= max)
        return now_s;
    if (f->known < FORECAST_LEAST)
        return FORECAST_UNKNOWN;
    for (size_t day = 0; at < month_end; day++) {
        int64_t start = (int64_t)period_start(PERIOD_DAY, (time_t)at);
        int64_t end = (int64_t)period_end(PERIOD_DAY, (time_t)at);
        double rate = mean(f, day) / (double)(end - start), comes = rate * (double)(end - at);

        if (sum + comes >= goal)
            return at + (int64_t)((goal - sum) / rate);
        sum += comes;
        at = end;
    }
    return FORECAST_NOT;
}
