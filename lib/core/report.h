#ifndef TG_CORE_REPORT_H
#define TG_CORE_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/counters.h"
#include "lib/core/coverage.h"
#include "lib/core/slice.h"
#include "lib/core/tally.h"

/*
 * The one table of reports: name, title, and columns made out of counters. A report's result is a
 * grid (lib/core/report_grid.h), rendered by lib/core/render.h or lib/sys/json.h.
 *
 * The last column is the main one: it orders the rows and makes the bars of a chart where nothing
 * else is asked for. Raw columns come before it.
 *
 * To add a report: a list of columns and a line in the table in report.c; nothing else names it.
 * Names of columns are the contract of CSV and JSON; headings are for people and may change.
 */

#define REPORT_SUM_MAX 6

enum report_column_kind {
    COLUMN_SUM,     /* a counter, or a sum of a few */
    COLUMN_AVERAGE, /* that sum (of seconds) / seconds of the time that are covered */
    COLUMN_MEAN     /* that sum / (status_seconds x divisor) */
};

/* Averages and means of several nodes add up: the value of all nodes is the sum of theirs. */
struct report_column {
    const char *name;  /* the counter's name; total_* for a sum; of a quotient its own */
    const char *group; /* upper line of a table's head, shared by neighbours; "": none */
    const char *head;  /* lower line */
    bool minor;        /* left out of a table that is wider than the terminal */
    enum counter_unit unit;
    size_t counter_count;
    enum counter counters[REPORT_SUM_MAX];
    enum report_column_kind kind;
    unsigned divisor; /* COLUMN_MEAN */
    bool raw;         /* a part of a quotient: in CSV and JSON, in no table */
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

/* A value is a count; of a quotient, the value in millionths. */
#define REPORT_MILLION UINT64_C(1000000)
#define REPORT_UNKNOWN UINT64_MAX /* shown as nothing, never as 0 */

/* What a row has in a column, and what that is of the report's total: the sum of the counters is
 * the same in both, a quotient divides by the seconds of its row, and by those of the report. */
struct report_cell {
    uint64_t value, share;
};

/* What the figures of an account rest on, by the program that fills them. */
struct report_basis {
    bool is_node;
    bool by_milter; /* the node's SMTP sessions are those that the milter saw: no log tells them */
    uint64_t covered[FILLERS];         /* seconds of the row's time */
    uint64_t covered_range[FILLERS];   /* of the report's */
    uint64_t watched_range;            /* status_seconds of the report's time */
    const enum coverage_bound *bounds; /* one a column; NULL: all are exact */
};

void report_cells_init(const struct report_kind *kind, struct report_cell *cells) TG_NONNULL(1, 2);
/* The cells of one account, added to what stands in `cells` (one a column, all unknown at first)
 * from other nodes. What the collector fills is unknown where nothing was read. */
void report_cells_add(const struct report_kind *kind, const struct tally *t,
                      const struct report_basis *basis, struct report_cell *cells)
    TG_NONNULL(1, 2, 3, 4);
/* a + b, where neither may be known. */
uint64_t report_value_add(uint64_t a, uint64_t b);

/* Which programs fill the report's counters in node accounts (is_node), or in others. A report
 * with a counter that nobody fills there does not exist for them. */
struct report_fillers {
    bool milter, collector, nobody;
};
struct report_fillers report_fillers(const struct report_kind *kind, bool is_node) TG_NONNULL(1);
/* Do users have all of its counters? */
bool report_is_of_users(const struct report_kind *kind) TG_NONNULL(1);
/* Is it one of those that basis.by_milter is about? */
bool report_is_of_sessions(enum counter id);
/* Which program fills the column's counters there. */
enum counter_filler report_filler(const struct report_column *column, bool is_node) TG_NONNULL(1);

/* Which counters a report is made of, each once, in the order of the counters' table. */
struct counter_list {
    size_t count;
    enum counter ids[COUNTER_COUNT];
};
void report_counters(const struct report_kind *kind, struct counter_list *out) TG_NONNULL(1);

#endif
