#ifndef TG_CORE_REPORT_H
#define TG_CORE_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/counters.h"
#include "lib/core/slice.h"
#include "lib/core/tally.h"

/*
 * The one table of reports: name, title, and columns made out of counters. A report's result is a
 * grid (lib/core/report_grid.h), rendered by lib/core/render.h or lib/sys/json.h.
 *
 * The last column is the main one: it orders the rows and makes the bars of a chart where nothing
 * else is asked for.
 *
 * To add a report: a list of columns and a line in the table in report.c; nothing else names it.
 * Names of columns are the contract of CSV and JSON; headings are for people and may change.
 */

#define REPORT_SUM_MAX 6

/* A column is a counter, or a sum of a few. */
struct report_column {
    const char *name;  /* the counter's name; total_* for a sum */
    const char *group; /* upper line of a table's head, shared by neighbours; "": none */
    const char *head;  /* lower line */
    bool minor;        /* left out of a table that is wider than the terminal */
    enum counter_unit unit;
    size_t counter_count;
    enum counter counters[REPORT_SUM_MAX];
};

struct report_kind {
    const char *name, *title;
    const char *help;
    const struct report_column *columns;
    size_t column_count;
};

const struct report_kind *report_find(struct slice name);
const struct report_kind *report_at(size_t index); /* NULL after the last */
/* Every counter of the accounts as it is: what `tollgate totals` gives. Not among the above. */
const struct report_kind *report_totals(void);

uint64_t report_value(const struct report_column *column, const struct tally *t) TG_NONNULL(1);

/* Which counters a report is made of, each once, in the order of the counters' table. */
struct counter_list {
    size_t count;
    enum counter ids[COUNTER_COUNT];
};
void report_counters(const struct report_kind *kind, struct counter_list *out) TG_NONNULL(1);

#endif
