#ifndef TG_CORE_PERIOD_H
#define TG_CORE_PERIOD_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * Calendar periods. Months, weeks, days and quarters are those of the configured time zone, which a
 * program sets once at its start (clock_zone_set in lib/sys/clock); hours are UTC. Weeks begin on
 * Monday (ISO 8601). Nothing here reads the clock.
 *
 * Limits: years 1 to 9999; times beyond count as the nearest.
 */

enum period_kind {
    PERIOD_TOTAL,
    PERIOD_HOUR,
    PERIOD_DAY,
    PERIOD_WEEK,
    PERIOD_MONTH,
    PERIOD_QUARTER
};

#define PERIOD_TEXT 24
/* The end of PERIOD_TOTAL. */
#define PERIOD_FOR_EVER ((time_t)INT64_MAX)

/* The period of that kind which holds time t: "2026-11-21T13", "2026-11-21", "2026-W47", "2026-11",
 * "2026-Q4",
 * "" for total. */
void period_name(enum period_kind kind, time_t t, char text[PERIOD_TEXT]);
/* Its first second, and the first second after it (DST and month lengths taken into account).
 * Total: 0 and PERIOD_FOR_EVER. */
time_t period_start(enum period_kind kind, time_t t);
time_t period_end(enum period_kind kind, time_t t);
/* The start of the period `count` periods after (negative: before) the one that holds t. Not for
 * totals. */
time_t period_step(enum period_kind kind, time_t t, int count);
/* Reads such a name back; false for what is none. */
bool period_parse(struct slice text, enum period_kind *kind, time_t *start);

/* A date of the command line: a period's name (`2026-11-21`, `2026-11`, `2026-W47`, `2026-Q4`, the
 * hour `2026-11-21T13` of UTC), a year, `today`, `yesterday`, or so many periods back: `-12hours`,
 * `-7days`, `-2weeks`, `-3months`, `-1quarter`.
 * [*start, *end) is what it names (`-7days`: that one day, a week ago). `now` is the current time.
 */
int period_date_parse(struct slice text, time_t now, time_t *start, time_t *end,
                      struct err *err) TG_MUST_USE;

/* When something ends, for the command line: the last day (or longer) that it lasts, named like a
 * date above or `tomorrow`, or a length of time from now on: `+90min`, `+12hours`, `+3days`,
 * `+2weeks`. *until is the first second after it; what is over already is refused. */
int period_until_parse(struct slice text, time_t now, time_t *until, struct err *err) TG_MUST_USE;

#endif
