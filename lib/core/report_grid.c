#include "lib/core/report_grid.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/buf.h"
#include "lib/core/suggest.h"

#define PRUNE_ROWS ((size_t)16384)

int report_grid_init(struct report_grid *g, const struct report_kind *kind, const char *step,
                     const char *by, size_t cap_bytes, struct err *err)
{
    *g = (struct report_grid){.kind = kind, .prune_at = PRUNE_ROWS, .label_names = {step, by}};
    arena_init(&g->arena, cap_bytes);
    g->total = arena_array(&g->arena, kind->column_count, sizeof(uint64_t));
    g->others = arena_array(&g->arena, kind->column_count, sizeof(uint64_t));
    if (g->total == NULL || g->others == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (size_t c = 0; c < kind->column_count; c++)
        g->has_quotients = g->has_quotients || kind->columns[c].kind != COLUMN_SUM;
    return 0;
}

void report_grid_start(struct report_grid *g, const struct report_cell *cells)
{
    for (size_t c = 0; c < g->kind->column_count; c++)
        g->total[c] = g->others[c] = cells[c].share;
}

void report_grid_fini(struct report_grid *g)
{
    free(g->rows);
    g->rows = NULL;
    arena_fini(&g->arena);
}

static int order_find(const struct report_grid *g, struct slice column, int *order)
{
    for (int i = 0; i < GRID_LABELS; i++) {
        if (g->label_names[i] != NULL && slice_equal(column, slice_str(g->label_names[i]))) {
            *order = -1 - i;
            return 0;
        }
    }
    for (size_t c = 0; c < g->kind->column_count; c++) {
        if (slice_equal(column, slice_str(g->kind->columns[c].name))) {
            *order = (int)c;
            return 0;
        }
    }
    return -1;
}

static int order_unknown(const struct report_grid *g, struct slice column, struct err *err)
{
    struct buf b;

    buf_init(&b, 4096);
    for (int i = 0; i < GRID_LABELS; i++) {
        if (g->label_names[i] != NULL)
            buf_addf(&b, " %s", g->label_names[i]);
    }
    for (size_t c = 0; c < g->kind->column_count; c++)
        buf_addf(&b, " %s", g->kind->columns[c].name);
    (void)err_set(err, EX_USAGE, "the report %s has no column \"%.*s\" to sort by; it has%s",
                  g->kind->name, SLICE_FMT(column), b.data != NULL ? b.data : "");
    buf_fini(&b);
    return -1;
}

int report_grid_order(struct report_grid *g, struct slice column, bool reverse, size_t top,
                      struct err *err)
{
    g->reverse = reverse;
    g->top = top;
    if (column.len > 0)
        return order_find(g, column, &g->order) == 0 ? 0 : order_unknown(g, column, err);
    g->order = g->label_names[GRID_BY] != NULL ? (int)g->kind->column_count - 1 : -1 - GRID_STEP;
    return 0;
}

size_t report_grid_main(const struct report_grid *g)
{
    return g->order >= 0 ? (size_t)g->order : g->kind->column_count - 1;
}

static int signed_if(int sign, bool turned)
{
    return turned ? -sign : sign;
}

static bool has_both(const struct report_grid *g)
{
    return g->label_names[GRID_STEP] != NULL && g->label_names[GRID_BY] != NULL;
}

/* The place of a row's value among others: the larger comes first. What is unknown is less than 0.
 */
static uint64_t rank_of(const struct report_grid *g, const struct report_grid_row *row)
{
    if (g->order < 0)
        return 0;
    return g->reverse ? row->values[g->order] + 1 : ~(row->values[g->order] + 1);
}

static int ranks_compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int steps_compare(const struct report_grid *g, const struct report_grid_row *a,
                         const struct report_grid_row *b)
{
    if (a->label[GRID_STEP].ptr == b->label[GRID_STEP].ptr)
        return 0;
    return signed_if(slice_compare(a->label[GRID_STEP], b->label[GRID_STEP]),
                     g->reverse && g->order == -1 - GRID_STEP);
}

/* Equal values stand in the order of their names, so that the same question gives the same answer.
 */
static int rows_compare(const void *left, const void *right, void *context)
{
    const struct report_grid_row *a = left, *b = right;
    const struct report_grid *g = context;
    int ranks = ranks_compare(rank_of(g, a), rank_of(g, b));
    int sign = has_both(g) || g->over_time ? 0 : ranks;

    if (sign == 0)
        sign = steps_compare(g, a, b);
    if (sign == 0)
        sign = ranks;
    if (sign != 0)
        return sign;
    return signed_if(slice_compare(a->label[GRID_BY], b->label[GRID_BY]),
                     g->reverse && g->order == -1 - GRID_BY);
}

static const uint64_t *shares(const struct report_grid *g, const struct report_grid_row *row)
{
    return row->values + (g->has_quotients ? g->kind->column_count : 0);
}

static void drop(struct report_grid *g, const struct report_grid_row *row)
{
    for (size_t c = 0; c < g->kind->column_count; c++)
        g->others[c] = report_value_add(g->others[c], shares(g, row)[c]);
    g->others_count++;
}

static void cut(struct report_grid *g)
{
    size_t kept = 0, in_step = 0;

    for (size_t i = 0; i < g->count; i++) {
        bool same = !has_both(g) || (kept > 0 && slice_equal(g->rows[kept - 1].label[GRID_STEP],
                                                             g->rows[i].label[GRID_STEP]));

        in_step = same ? in_step + 1 : 1;
        if (in_step <= g->top)
            g->rows[kept++] = g->rows[i];
        else
            drop(g, &g->rows[i]);
    }
    g->count = kept;
    g->step_from = has_both(g) ? kept - (in_step < g->top ? in_step : g->top) : 0;
}

/* A row being sorted. Its rank stands beside it: most rows are told apart by that alone, and
 * neither they nor their values are fetched for it. */
struct ranked_row {
    uint64_t rank;
    const struct report_grid_row *row;
};

static int ranked_compare(const void *left, const void *right, void *context)
{
    const struct ranked_row *a = left, *b = right;

    return rows_compare(a->row, b->row, context);
}

/* Into `to`, by one digit of the rank: rows that have the same stay as they came. false: all have
 * the same, and nothing was done. */
static bool deal(const struct ranked_row *from, struct ranked_row *to, size_t count, unsigned shift)
{
    size_t place[256] = {0}, sum = 0;

    for (size_t i = 0; i < count; i++)
        place[from[i].rank >> shift & 255]++;
    if (place[from[0].rank >> shift & 255] == count)
        return false;
    for (size_t digit = 0; digit < 256; digit++) {
        size_t before = sum;

        sum += place[digit];
        place[digit] = before;
    }
    for (size_t i = 0; i < count; i++)
        to[place[from[i].rank >> shift & 255]++] = from[i];
    return true;
}

/* Ranks are numbers: from their lowest digit to the highest, which takes a quarter of what
 * comparing does for a fleet's domains. Only rows of one rank are compared. `ranked` has room for
 * twice as many; returns where they are in order. */
static struct ranked_row *order_ranked(struct report_grid *g, struct ranked_row *ranked,
                                       size_t count)
{
    struct ranked_row *from = ranked, *to = ranked + count;

    for (unsigned shift = 0; shift < 64; shift += 8) {
        if (deal(from, to, count, shift)) {
            to = from;
            from = from == ranked ? ranked + count : ranked;
        }
    }
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && from[end].rank == from[i].rank; end++)
            ;
        if (end - i > 1)
            qsort_r(from + i, end - i, sizeof *from, ranked_compare, g);
    }
    return from;
}

/* Moves each row to where it was ranked: along the cycles of the permutation. */
static void settle(struct report_grid_row *rows, struct ranked_row *ranked, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct report_grid_row first = rows[i];
        size_t to = i, from;

        while ((from = (size_t)(ranked[to].row - rows)) != i) {
            rows[to] = rows[from];
            ranked[to].row = &rows[to];
            to = from;
        }
        rows[to] = first;
        ranked[to].row = &rows[to];
    }
}

static bool is_in_order(struct report_grid *g, size_t from)
{
    for (size_t i = from + 1; i < g->count; i++) {
        if (rows_compare(&g->rows[i - 1], &g->rows[i], g) > 0)
            return false;
    }
    return true;
}

static void sort_ranked(struct report_grid *g, struct report_grid_row *rows, size_t count,
                        struct ranked_row *ranked)
{
    bool by_rank = has_both(g) || !g->over_time;

    for (size_t i = 0; i < count; i++)
        ranked[i] = (struct ranked_row){by_rank ? rank_of(g, &rows[i]) : 0, &rows[i]};
    settle(rows, order_ranked(g, ranked, count), count);
}

/* Rows from `from` on; of one step, but where steps are mixed. Without memory it takes longer. */
static void sort(struct report_grid *g, size_t from)
{
    struct report_grid_row *rows = g->rows + from;
    size_t count = g->count - from;
    struct ranked_row *ranked;

    if (is_in_order(g, from))
        return;
    ranked = g->is_mixed ? NULL : calloc(count, 2 * sizeof *ranked);
    if (ranked != NULL)
        sort_ranked(g, rows, count, ranked);
    else
        qsort_r(rows, count, sizeof *rows, rows_compare, g);
    free(ranked);
}

/* Steps that came one after the other are in order each, and so are all. */
void report_grid_finish(struct report_grid *g)
{
    sort(g, g->is_mixed ? 0 : g->step_from);
    g->is_mixed = false;
    if (g->top > 0)
        cut(g);
}

static uint64_t *values_copy(struct arena *arena, const uint64_t *values, size_t count)
{
    uint64_t *copy = arena_array(arena, count, sizeof *copy);

    if (copy != NULL)
        memcpy(copy, values, count * sizeof *copy);
    return copy;
}

static struct slice by_label(const struct report_grid *g, struct arena *arena, struct slice by)
{
    return g->borrows_by ? by : arena_copy(arena, by);
}

static size_t values_of_row(const struct report_grid *g)
{
    return g->kind->column_count * (g->has_quotients ? 2 : 1);
}

/* Moves what is kept into a new arena, so that the memory of dropped rows comes back. */
static int move(struct report_grid *g)
{
    struct arena fresh;
    uint64_t *total, *others;
    bool good;

    arena_init(&fresh, g->arena.cap_bytes);
    total = values_copy(&fresh, g->total, g->kind->column_count);
    others = values_copy(&fresh, g->others, g->kind->column_count);
    good = total != NULL && others != NULL;
    for (size_t i = 0; good && i < g->count; i++) {
        struct report_grid_row *row = &g->rows[i];

        row->values = values_copy(&fresh, row->values, values_of_row(g));
        row->label[GRID_STEP] = arena_copy(&fresh, row->label[GRID_STEP]);
        row->label[GRID_BY] = by_label(g, &fresh, row->label[GRID_BY]);
        good = row->values != NULL && row->label[GRID_STEP].ptr != NULL &&
               row->label[GRID_BY].ptr != NULL;
    }
    if (!good) {
        arena_fini(&fresh);
        g->count = 0;
        return -1;
    }
    arena_fini(&g->arena);
    g->arena = fresh;
    g->total = total;
    g->others = others;
    return 0;
}

static int prune(struct report_grid *g)
{
    report_grid_finish(g);
    g->prune_at = g->count * 2 > PRUNE_ROWS ? g->count * 2 : PRUNE_ROWS;
    return move(g);
}

/* Room for one more. Many rows are moved by the kernel as they grow, page by page, not copied; they
 * are within the cap of the arena. */
static int rows_grow(struct report_grid *g)
{
    size_t room = g->room > 0 ? g->room * 2 : 8;
    size_t more = (room - g->room) * sizeof *g->rows;
    struct report_grid_row *rows;

    if (g->count < g->room)
        return 0;
    if (more > g->arena.cap_bytes - g->arena.used_bytes)
        return -1;
    rows = realloc(g->rows, room * sizeof *rows);
    if (rows == NULL)
        return -1;
    g->arena.cap_bytes -= more;
    g->rows = rows;
    g->room = room;
    return 0;
}

static int report_grid_full(struct err *err)
{
    return err_set(err, EX_UNAVAILABLE,
                   "the report has too many rows for its memory; use a shorter time, a longer "
                   "step, or --top");
}

enum coverage_bound report_grid_bound(const struct report_grid *g, size_t column)
{
    return g->bounds != NULL ? g->bounds[column] : BOUND_EXACT;
}

static bool comes_before_last(const struct report_grid *g, struct slice step)
{
    const struct report_grid_row row = {.label = {[GRID_STEP] = step}};

    return g->count > 0 && steps_compare(g, &g->rows[g->count - 1], &row) > 0;
}

/* The step's label, which the row before may have, too. Where a new step begins the rows of the
 * last one are sorted: few at a time, while they are near, and while more is on its way. */
static struct slice step_label(struct report_grid *g, struct slice step)
{
    if (g->count > 0 && slice_equal(g->rows[g->count - 1].label[GRID_STEP], step))
        return g->rows[g->count - 1].label[GRID_STEP];
    if (has_both(g)) {
        sort(g, g->step_from);
        g->step_from = g->count;
        g->is_mixed = g->is_mixed || comes_before_last(g, step);
    }
    return arena_copy(&g->arena, step);
}

static int row_fill(struct report_grid *g, struct report_grid_row *row,
                    const struct report_cell *cells)
{
    size_t columns = g->kind->column_count;

    row->values = arena_array(&g->arena, values_of_row(g), sizeof(uint64_t));
    if (row->values == NULL)
        return -1;
    for (size_t c = 0; c < columns; c++) {
        row->values[c] = cells[c].value;
        if (g->has_quotients)
            row->values[columns + c] = cells[c].share;
        g->total[c] = report_value_add(g->total[c], cells[c].share);
    }
    return 0;
}

int report_grid_add(struct report_grid *g, struct slice step, struct slice by,
                    const struct report_cell *cells, const struct coverage *coverage,
                    struct err *err)
{
    struct report_grid_row row = {.label = {SLICE(""), SLICE("")}, .coverage = coverage};

    if ((g->top > 0 && g->count >= g->prune_at && prune(g) != 0) || rows_grow(g) != 0)
        return report_grid_full(err);
    row.label[GRID_STEP] = step_label(g, step);
    row.label[GRID_BY] = by_label(g, &g->arena, by);
    if (row.label[GRID_STEP].ptr == NULL || row.label[GRID_BY].ptr == NULL ||
        row_fill(g, &row, cells) != 0)
        return report_grid_full(err);
    g->rows[g->count++] = row;
    return 0;
}

int report_grid_add_sums(struct report_grid *g, struct slice step, struct slice by,
                         const struct tally *t, struct err *err)
{
    static const struct report_basis basis = {.covered = {1, 1, 1}};
    struct report_cell cells[COUNTER_COUNT];

    TG_ASSERT(g->kind->column_count <= COUNTER_COUNT);
    report_cells_init(g->kind, cells);
    report_cells_add(g->kind, t, &basis, cells);
    return report_grid_add(g, step, by, cells, NULL, err);
}
