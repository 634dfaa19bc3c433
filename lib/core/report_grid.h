#ifndef TG_CORE_REPORT_GRID_H
#define TG_CORE_REPORT_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/report.h"

/*
 * The result of a report: rows with up to two labels (a step of time, and a node, domain or user)
 * and one value a column. Rows are added in any order, report_grid_finish puts them in order.
 *
 * Memory: with `top` set, rows that cannot come among the first are dropped as they come (their
 * values go into `others`), so that a report of the ten first of a million users is small. Owner:
 * report_grid_init/report_grid_fini; labels and values live in the grid's arena. Limits:
 * cap_bytes.
 */

enum report_grid_label { GRID_STEP, GRID_BY, GRID_LABELS };

struct report_grid_row {
    struct slice label[GRID_LABELS]; /* empty where not asked for */
    /* One a column; REPORT_UNKNOWN. With has_quotients as many behind them: their shares of the
     * total. */
    uint64_t *values;
    const struct coverage *coverage; /* borrowed; NULL: not told */
};

struct report_grid {
    const struct report_kind *kind;
    const char *label_names[GRID_LABELS]; /* "month", "domain"; NULL: none */
    struct arena arena;
    struct report_grid_row *rows;
    size_t count, room, prune_at;
    size_t step_from; /* the first row of the last step; 0 where rows have no step, or only that */
    bool is_mixed;    /* a step came before one that stands before it */
    uint64_t *total;  /* of all rows' shares, the dropped ones' too */
    uint64_t *others; /* of the rows that `top` left out */
    size_t others_count;
    bool has_quotients; /* else what a row has is its share of the total */

    int order; /* column that orders the rows; -1 - GRID_STEP, -1 - GRID_BY: a label */
    bool reverse;
    bool borrows_by; /* labels of GRID_BY outlive the grid: they are not copied */
    bool over_time;  /* steps stay in order whatever is sorted by (a chart) */
    size_t top;      /* 0: all */

    /* What stands above and below; borrowed. */
    const char *scope;     /* "server", "domain", "user", "accounts" */
    struct slice name;     /* of the domain or user */
    struct slice from, to; /* dates, both within */
    struct slice timezone;
    bool complete;
    bool billing;                /* every row says from, to and complete by itself */
    struct slice note;           /* why it is not complete; may be empty */
    const struct slice *remarks; /* what else is to be known of the figures: gaps and the like */
    size_t remark_count;
    const struct coverage *coverage;   /* of the whole; rows have one, too, if it is there */
    const enum coverage_bound *bounds; /* one a column; NULL: all are exact */
};

int report_grid_init(struct report_grid *g, const struct report_kind *kind, const char *step,
                     const char *by, size_t cap_bytes, struct err *err) TG_MUST_USE TG_NONNULL(1);
void report_grid_fini(struct report_grid *g);

/* Before the first row. Values are ordered from the largest, labels from the first; `reverse` turns
 * it round. With both labels, steps stay in order and the column orders within each. An empty
 * column: the report's main one where there is something to compare, else the step. `top` rows are
 * kept (of each step, with both). -1: no such column (*err names those there are). */
int report_grid_order(struct report_grid *g, struct slice column, bool reverse, size_t top,
                      struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Before the first row: what the sums begin with (0, if this is not called): the cells of an
 * account without counters, so that what is unknown stays so. */
void report_grid_start(struct report_grid *g, const struct report_cell *cells) TG_NONNULL(1, 2);

/* Labels are copied, but for borrows_by. Rows of the same labels are not joined. -1: the cap is
 * reached. */
int report_grid_add(struct report_grid *g, struct slice step, struct slice by,
                    const struct report_cell *cells, const struct coverage *coverage,
                    struct err *err) TG_MUST_USE TG_NONNULL(1, 4);
/* The same of a report without quotients, whose figures are all known. */
int report_grid_add_sums(struct report_grid *g, struct slice step, struct slice by,
                         const struct tally *t, struct err *err) TG_MUST_USE TG_NONNULL(1, 4);
void report_grid_finish(struct report_grid *g) TG_NONNULL(1);

/* Is the column's figure "at least" or "at most"? */
enum coverage_bound report_grid_bound(const struct report_grid *g, size_t column) TG_NONNULL(1);
/* The column that makes the bars of a chart. */
size_t report_grid_main(const struct report_grid *g) TG_NONNULL(1);

#endif
