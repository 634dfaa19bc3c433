#ifndef TG_CORE_REPORT_H
#define TG_CORE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/buf.h"
#include "lib/core/counters.h"
#include "lib/core/err.h"

/*
 * Reports: the one table of what there is (columns out of counters), and a report's result as a grid that is rendered as
 * table, CSV (RFC 4180) or bars in a terminal. JSON is rendered from the same grid in lib/sys/json.
 * Pure: values come in, text goes out.
 */

#define REPORT_COLUMNS_MAX 24

/* A column is a counter, or a sum of counters. */
struct report_column {
    const char *name;    /* the counter's name, or total_* for sums */
    uint64_t counters;   /* bit set of enum counter */
    enum counter_unit unit;
};

struct report_kind {
    const char *name, *title;
    const struct report_column *columns;
    size_t column_count;
};

const struct report_kind *report_find(struct slice name);
const struct report_kind *report_at(size_t index); /* NULL after the last */

struct grid_row {
    struct slice label[2];   /* step and by-key; empty where not asked for */
    struct tally tally;
};

struct grid {
    const struct report_kind *kind;
    const char *label_names[2]; /* "month", "domain"; NULL: none */
    struct grid_row *rows;
    size_t count;
    struct tally total;
    struct slice subject;    /* "server", "domain example.com" */
    struct slice from, to;   /* dates */
    bool complete;
};

uint64_t grid_value(const struct grid *g, const struct tally *t, size_t column);
/* -1 where no column has that name. */
int grid_sort(struct grid *g, struct slice column, bool reverse, struct err *err);
void grid_top(struct grid *g, size_t rows);

void render_table(const struct grid *g, struct buf *b);
void render_csv(const struct grid *g, struct buf *b);
void render_chart(const struct grid *g, unsigned width, bool utf8, struct buf *b);
void render_csv_field(struct buf *b, struct slice value);

#endif
