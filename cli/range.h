#ifndef TG_CLI_RANGE_H
#define TG_CLI_RANGE_H

#include <time.h>

#include "cli/cli.h"
#include "lib/core/contract.h"
#include "lib/core/period_range.h"
#include "lib/read/read_report.h"

/*
 * The time that a report is about: --from and --to, both included; by default this month so far.
 * Days and longer are those of the configured time zone, hours are UTC.
 */

struct range {
    struct report_time time;
    char from_text[PERIOD_TEXT], to_text[PERIOD_TEXT];
};

/* Either text may be NULL: from the start of the month that it ends in, to today. */
int range_parse(struct range *r, const char *from, const char *to, bool hours,
                struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Is everything that the range may hold in the store, from every node? Says so in *complete and,
 * where not, why in `note`. */
int range_complete(struct cli *cli, const struct range *r, struct arena *arena, bool *complete,
                   struct slice *note, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
