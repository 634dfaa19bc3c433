#include <stdlib.h>
#include <string.h>

#include "lib/core/format.h"
#include "lib/core/render_svg_work.h"

static bool has_label(const struct report_grid *g, enum report_grid_label label)
{
    return g->label_names[label] != NULL;
}

/* --- series ---------------------------------------------------------------------------------- */

static bool has_counter(const struct report_column *column, enum counter id)
{
    for (size_t i = 0; i < column->counter_count; i++) {
        if (column->counters[i] == id)
            return true;
    }
    return false;
}

/* "in" of "in, bytes"; "high" of a column without a group. */
static struct slice short_name(const struct report_column *column)
{
    return slice_str(column->group[0] != '\0' ? column->group : column->head);
}

/* The columns that the main one is the sum of, if there is one for each of its counters. */
static void series_of_columns(struct svg_chart *c)
{
    const struct report_kind *kind = c->g->kind;
    const struct report_column *main = &kind->columns[c->main];
    size_t count = 0;

    for (size_t i = 0; i < kind->column_count && main->counter_count > 1; i++) {
        const struct report_column *part = &kind->columns[i];

        if (part->kind == COLUMN_SUM && part->counter_count == 1 && count < SVG_SERIES_MAX &&
            has_counter(main, part->counters[0]))
            c->series[count++] = (struct svg_series){short_name(part), i};
    }
    c->series_count = count;
    if (count > 0 && count == main->counter_count)
        return;
    c->series[0] = (struct svg_series){short_name(main), c->main};
    c->series_count = 1;
}

/* --- bars ------------------------------------------------------------------------------------ */

static void bar_sum(struct svg_chart *c, struct svg_bar *bar)
{
    bar->total = REPORT_UNKNOWN;
    for (size_t s = 0; s < c->series_count; s++)
        bar->total = report_value_add(bar->total, bar->values[s]);
}

static void bar_clear(struct svg_bar *bar, size_t column)
{
    *bar = (struct svg_bar){.column = column, .total = REPORT_UNKNOWN};
    for (size_t s = 0; s < SVG_SERIES_MAX; s++)
        bar->values[s] = REPORT_UNKNOWN;
}

/* Adds a row's values (or those of the rows left out) to what the bar has. */
static void bar_add(const struct svg_chart *c, const uint64_t *values, struct svg_bar *bar)
{
    for (size_t s = 0; s < c->series_count; s++)
        bar->values[s] = report_value_add(bar->values[s], values[c->series[s].column]);
}

static bool bars_new(struct svg_chart *c, size_t count)
{
    c->bars = arena_array(&c->arena, count + 1, sizeof *c->bars);
    for (size_t i = 0; c->bars != NULL && i < count; i++)
        bar_clear(&c->bars[i], c->main);
    return c->bars != NULL;
}

static const struct report_grid_row **rows_sorted(struct svg_chart *c,
                                                  enum report_grid_label label);

/* One bar a step, in the order of time, whatever orders the table. */
static bool bars_of_steps(struct svg_chart *c)
{
    const struct report_grid_row **rows = rows_sorted(c, GRID_STEP);

    if (rows == NULL || !bars_new(c, c->g->count))
        return false;
    for (size_t i = 0; i < c->g->count; i++) {
        struct svg_bar *bar = &c->bars[c->bar_count++];

        bar->step = bar->text = rows[i]->label[GRID_STEP];
        bar->coverage = rows[i]->coverage;
        bar_add(c, rows[i]->values, bar);
    }
    return true;
}

static bool rest_text(struct svg_chart *c, struct svg_bar *bar, size_t count)
{
    buf_reset(&c->text);
    buf_add_char(&c->text, '(');
    format_count(&c->text, count);
    buf_add_str(&c->text, " more)");
    bar->text = arena_copy(&c->arena, buf_slice(&c->text));
    bar->is_rest = true;
    return bar->text.ptr != NULL;
}

/* One bar a row, in the table's order; the last one may stand for all that has no room. */
static bool bars_of_names(struct svg_chart *c)
{
    const struct report_grid *g = c->g;
    bool cut = g->count > SVG_NAMES_MAX || (g->others_count > 0 && g->count == SVG_NAMES_MAX);
    size_t shown = cut ? SVG_NAMES_MAX - 1 : g->count;
    size_t rest = g->count - shown + g->others_count;

    if (!bars_new(c, shown + 1))
        return false;
    for (size_t i = 0; i < g->count; i++) {
        struct svg_bar *bar = &c->bars[i < shown ? i : shown];

        if (i < shown) {
            bar->by = bar->text = g->rows[i].label[GRID_BY];
            bar->coverage = g->rows[i].coverage;
        }
        bar_add(c, g->rows[i].values, bar);
    }
    if (g->others_count > 0)
        bar_add(c, g->others, &c->bars[shown]);
    c->bar_count = shown + (rest > 0 ? 1 : 0);
    return rest == 0 || rest_text(c, &c->bars[shown], rest);
}

/* "in bytes", "relay" */
static bool column_text(struct svg_chart *c, const struct report_column *column,
                        struct svg_bar *bar)
{
    buf_reset(&c->text);
    buf_add_str(&c->text, column->group);
    buf_add_str(&c->text, column->group[0] != '\0' ? " " : "");
    buf_add_str(&c->text, column->head);
    bar->text = arena_copy(&c->arena, buf_slice(&c->text));
    return bar->text.ptr != NULL;
}

/* One bar a column that has the main one's measure; quotients have none in common. */
static bool bars_of_columns(struct svg_chart *c)
{
    const struct report_kind *kind = c->g->kind;
    const struct report_column *main = &kind->columns[c->main];

    c->series_count = 1;
    if (!bars_new(c, kind->column_count))
        return false;
    for (size_t i = 0; i < kind->column_count && c->g->count > 0; i++) {
        const struct report_column *column = &kind->columns[i];
        bool same = column->kind == COLUMN_SUM && main->kind == COLUMN_SUM &&
                    column->unit == main->unit && !column->raw;
        struct svg_bar *bar = &c->bars[c->bar_count];

        if (!same && i != c->main)
            continue;
        bar->column = i;
        bar->coverage = c->g->rows[0].coverage;
        bar->values[0] = c->g->rows[0].values[i];
        if (!column_text(c, column, bar))
            return false;
        c->bar_count++;
    }
    return true;
}

/* --- steps and names ------------------------------------------------------------------------- */

static int label_compare(const void *left, const void *right, void *context)
{
    const struct report_grid_row *const *a = left, *const *b = right;
    const enum report_grid_label *label = context;

    return slice_compare((*a)->label[*label], (*b)->label[*label]);
}

static const struct report_grid_row **rows_sorted(struct svg_chart *c, enum report_grid_label label)
{
    size_t count = c->g->count;
    const struct report_grid_row **rows = arena_array(&c->arena, count + 1, sizeof *rows);

    for (size_t i = 0; rows != NULL && i < count; i++)
        rows[i] = &c->g->rows[i];
    if (rows != NULL && count > 1)
        qsort_r(rows, count, sizeof *rows, label_compare, &label);
    return rows;
}

struct svg_sum {
    struct slice name;
    uint64_t value;
};

static int sum_compare(const void *left, const void *right)
{
    const struct svg_sum *a = left, *b = right;

    if (a->value + 1 != b->value + 1) /* unknown is less than 0 */
        return a->value + 1 > b->value + 1 ? -1 : 1;
    return slice_compare(a->name, b->name);
}

/* The largest names become the series; the last series is the others, if there are any. */
static bool series_of_names(struct svg_chart *c)
{
    const struct report_grid_row **rows = rows_sorted(c, GRID_BY);
    struct svg_sum *sums = arena_array(&c->arena, c->g->count + 1, sizeof *sums);
    size_t count = 0;

    if (rows == NULL || sums == NULL)
        return false;
    for (size_t i = 0; i < c->g->count; i++) {
        struct slice name = rows[i]->label[GRID_BY];

        if (count == 0 || !slice_equal(sums[count - 1].name, name))
            sums[count++] = (struct svg_sum){name, REPORT_UNKNOWN};
        sums[count - 1].value = report_value_add(sums[count - 1].value, rows[i]->values[c->main]);
    }
    if (count > 1)
        qsort(sums, count, sizeof *sums, sum_compare);
    c->series_count = count < SVG_SERIES_MAX ? count : SVG_SERIES_MAX;
    for (size_t s = 0; s < c->series_count; s++)
        c->series[s] = (struct svg_series){sums[s].name, c->main};
    if (count > SVG_SERIES_MAX)
        c->series[SVG_SERIES_MAX - 1].name = SLICE_NONE;
    return true;
}

static size_t series_find(const struct svg_chart *c, struct slice name)
{
    for (size_t s = 0; s < c->series_count; s++) {
        if (c->series[s].name.ptr != NULL && slice_equal(c->series[s].name, name))
            return s;
    }
    return c->series_count - 1;
}

static bool bars_of_both(struct svg_chart *c)
{
    const struct report_grid_row **rows = rows_sorted(c, GRID_STEP);

    if (rows == NULL || !bars_new(c, c->g->count))
        return false;
    for (size_t i = 0; i < c->g->count; i++) {
        struct slice step = rows[i]->label[GRID_STEP];
        struct svg_bar *bar = &c->bars[c->bar_count - (c->bar_count > 0 ? 1 : 0)];
        uint64_t *value;

        if (c->bar_count == 0 || !slice_equal(bar->step, step)) {
            bar = &c->bars[c->bar_count++];
            bar->step = bar->text = step;
            bar->coverage = rows[i]->coverage;
        }
        value = &bar->values[series_find(c, rows[i]->label[GRID_BY])];
        *value = report_value_add(*value, rows[i]->values[c->main]);
    }
    for (size_t s = 0; s < c->series_count; s++) {
        if (c->series[s].name.ptr == NULL)
            c->series[s].name = SLICE("others");
    }
    return true;
}

/* --- the whole ------------------------------------------------------------------------------- */

static uint64_t larger(uint64_t a, uint64_t b)
{
    return b != REPORT_UNKNOWN && b > a ? b : a;
}

/* Lines stand side by side, all else is stacked. */
static void measure(struct svg_chart *c)
{
    bool apart = c->over_time && c->style->kind == RENDER_SVG_LINE;

    for (size_t i = 0; i < c->bar_count; i++) {
        bar_sum(c, &c->bars[i]);
        for (size_t s = 0; apart && s < c->series_count; s++)
            c->most = larger(c->most, c->bars[i].values[s]);
        if (!apart)
            c->most = larger(c->most, c->bars[i].total);
    }
}

static bool fill(struct svg_chart *c)
{
    bool step = has_label(c->g, GRID_STEP), by = has_label(c->g, GRID_BY);

    c->main = report_grid_main(c->g);
    c->over_time = step;
    if (step && by)
        return series_of_names(c) && bars_of_both(c);
    series_of_columns(c);
    if (step)
        return bars_of_steps(c);
    return by ? bars_of_names(c) : bars_of_columns(c);
}

bool render_svg_data(struct svg_chart *c)
{
    if (!fill(c))
        return false;
    measure(c);
    return true;
}
