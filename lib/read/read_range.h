#ifndef TG_READ_READ_RANGE_H
#define TG_READ_READ_RANGE_H

#include "lib/core/contract.h"
#include "lib/core/period.h"
#include "lib/read/read_report.h"

/*
 * The time that a report is about, in words: the first day and the last, both included; by default
 * this month so far. Days and longer are those of the configured time zone, hours are UTC.
 */

struct range {
    struct report_time time;
    char from_text[PERIOD_TEXT], to_text[PERIOD_TEXT];
};

struct range_words {
    struct slice from, to;           /* as period_date_parse takes them; empty: not said */
    const char *from_name, *to_name; /* as messages call them: "--from" */
    bool hours;                      /* counted by hours */
};

/* In r->time the caller has set `now` and what is kept. EX_USAGE. */
int read_range_parse(struct range *r, const struct range_words *words, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);

#endif
