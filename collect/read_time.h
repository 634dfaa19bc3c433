#ifndef TG_COLLECT_READ_TIME_H
#define TG_COLLECT_READ_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/zone.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * When a line was written. Logs leave out the year, the zone, or both; what is left out follows
 * from the lines before.
 *
 * A year: time never runs back by more than a day in one source, so the year is the first in which
 * it does not, unless that lies behind the end of the source (the file's modification time). A
 * zone: that of `collect.timezone`. In the hour that the clocks show twice, order decides: a step
 * back of at least half the change is the second pass, and after it there is no first.
 *
 * Threads: one a source.
 */

/* A date as it is written. */
struct read_time_date {
    int64_t year; /* 0: left out */
    int month, day, hour, minute, second, ms;
    bool has_zone;
    int64_t offset_s; /* east of UTC */
};

#define READ_TIME_NONE INT64_MIN

/* What one source's times depend on. Of it, only last_ms has to be kept over a restart. */
struct read_time {
    int64_t last_ms; /* of the line before, wrong clocks left out; READ_TIME_NONE: none */
    struct {         /* the day of the last line without a zone, where its offset does not change */
        bool is_set;
        int64_t day, offset_s;
    } plain;
    struct { /* the last date without a year */
        int month, day;
        int64_t days;
    } dated;
};

/* Unix. `now`: nothing is later than a day after it. `end`: nor than a day after the source was
 * last written to. */
struct read_time_bounds {
    int64_t now_ms, end_ms;
};

void read_time_init(struct read_time *r, int64_t last_ms) TG_NONNULL(1);

/* Each takes a date off the front of *s; false, and *s as it was, where there is none:
 * "Nov 28 15:06:40", "Nov  8 15:06:40.123", "Nov 28 2026 15:06:40" ... */
bool read_time_take_syslog(struct slice *s, struct read_time_date *d) TG_NONNULL(1, 2);
/* "2026-11-28T15:09:17.805555+00:00", "2026-11-28 15:09:17", with Z, +0100 or no zone ... */
bool read_time_take_iso(struct slice *s, struct read_time_date *d) TG_NONNULL(1, 2);
/* "Sat Nov 28 15:08:13 2026". */
bool read_time_take_ctime(struct slice *s, struct read_time_date *d) TG_NONNULL(1, 2);

/* That date as a time (Unix, ms). What lies more than a day after now becomes now, *is_future. */
int64_t read_time_at(struct read_time *r, const struct zone *zone, const struct read_time_date *d,
                     const struct read_time_bounds *bounds, bool *is_future) TG_NONNULL(1, 3, 4, 5);
/* The same of a time that is known. */
int64_t read_time_of(struct read_time *r, int64_t time_ms, const struct read_time_bounds *bounds,
                     bool *is_future) TG_NONNULL(1, 3, 4);

#endif
