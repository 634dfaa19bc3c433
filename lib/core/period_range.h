#ifndef TG_CORE_PERIOD_RANGE_H
#define TG_CORE_PERIOD_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/period.h"

/*
 * Which of the stored periods (months, days, hours) add up to a range of time, as few as can be;
 * and the steps that a report divides its range into.
 *
 * Ranges are [from, to) in Unix seconds. Nothing is counted in the future, so a period that ends
 * later than the range is as good where the range ends in the future too: "this month so far" is
 * one month.
 */

struct stored_period {
    enum period_kind kind; /* PERIOD_MONTH, PERIOD_DAY or PERIOD_HOUR */
    char name[PERIOD_TEXT];
    time_t start, end;
};

struct stored_periods {
    struct stored_period *items;
    size_t count, room;
};

/* Months and days; with `hours`, hours alone. -1 where the range does not begin and end with a day
 * (an hour), and where it is longer than 100,000 periods. */
int period_range_stored(time_t from, time_t to, time_t now, bool hours, struct arena *arena,
                        struct stored_periods *out, struct err *err) TG_MUST_USE;

struct step {
    char name[PERIOD_TEXT];
    time_t from, to; /* the part of the period that lies in the range */
};

struct step_list {
    struct step *items;
    size_t count, room;
};

/* The periods of that kind that the range touches and that have begun by now; PERIOD_TOTAL: one
 * step, the range. */
int period_range_steps(enum period_kind kind, time_t from, time_t to, time_t now,
                       struct arena *arena, struct step_list *out, struct err *err) TG_MUST_USE;

#endif
