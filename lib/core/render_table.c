#include "lib/core/render.h"

#include <string.h>

#include "lib/core/err.h"
#include "lib/core/format.h"

#define COLUMNS_MAX 128
#define GAP         2  /* blanks between columns */
#define LABEL_GOOD  32 /* a label is cut to this before a column is left out */
#define LABEL_LEAST 20 /* and never shorter than this */
#define CELL_BYTES  64
#define LABEL_BYTES ((size_t)1 << 20)
/* 999.9 KB */
#define WIDEST_BYTES 1023897

struct render_layout {
    const struct report_grid *g;
    const struct render_style *style;
    const char *dash, *ellipsis;
    bool brief;
    bool hidden[COLUMNS_MAX];
    size_t width[COLUMNS_MAX];
    size_t full_width[COLUMNS_MAX]; /* no figure is wider */
    uint64_t largest[COLUMNS_MAX];  /* of the figures that were measured */
    size_t label_width[GRID_LABELS];
    struct buf cell, labels, line; /* scratch */
    size_t line_bytes;
};

static struct slice cell_text(struct render_layout *l, size_t column, uint64_t value)
{
    buf_reset(&l->cell);
    render_value(l->g, column, value, l->style, l->brief, &l->cell);
    return buf_slice(&l->cell);
}

static void widen(size_t *width, size_t to)
{
    if (to > *width)
        *width = to;
}

/* The row of what `top` left out; its label stands in the first label column. */
static struct slice others_label(struct render_layout *l)
{
    buf_reset(&l->cell);
    render_others_label(l->g, &l->cell);
    return buf_slice(&l->cell);
}

/* Rows of one step have its label and often its coverage. */
static bool is_as_before(const struct report_grid *g, size_t row, int label)
{
    const struct report_grid_row *now = &g->rows[row], *before = row > 0 ? now - 1 : NULL;

    return before != NULL && now->label[label].ptr == before->label[label].ptr &&
           now->label[label].len == before->label[label].len && now->coverage == before->coverage;
}

/* The row's labels; they live until the next row's. Only those that a row has by itself are made.
 */
static void row_labels(struct render_layout *l, size_t row, struct slice labels[GRID_LABELS])
{
    int marked = (int)render_marked_label(l->g);

    if (!is_as_before(l->g, row, marked)) {
        buf_reset(&l->labels);
        render_label(l->g, &l->g->rows[row], (enum report_grid_label)marked, &l->labels);
    }
    for (int i = 0; i < GRID_LABELS; i++)
        labels[i] = i == marked ? buf_slice(&l->labels) : l->g->rows[row].label[i];
}

static void measure_rows(struct render_layout *l)
{
    for (int i = 0; i < GRID_LABELS; i++) {
        for (size_t r = 0; l->g->label_names[i] != NULL && r < l->g->count; r++) {
            if (is_as_before(l->g, r, i))
                continue;
            buf_reset(&l->labels);
            render_label(l->g, &l->g->rows[r], (enum report_grid_label)i, &l->labels);
            widen(&l->label_width[i], format_width(buf_slice(&l->labels)));
        }
    }
}

static void measure_labels(struct render_layout *l)
{
    const struct report_grid *g = l->g;
    bool first = true;

    for (int i = 0; i < GRID_LABELS; i++) {
        l->label_width[i] = 0;
        if (g->label_names[i] == NULL)
            continue;
        l->label_width[i] = strlen(g->label_names[i]);
        if (first && render_has_total(g))
            widen(&l->label_width[i], strlen("total"));
        if (first && g->others_count > 0)
            widen(&l->label_width[i], others_label(l).len);
        first = false;
    }
    measure_rows(l);
}

/* Whether the column is wide enough for the value without writing it: a whole count is no wider
 * than a larger one. What is unknown is empty. */
static bool is_measured(struct render_layout *l, size_t column, uint64_t value)
{
    const struct report_column *c = &l->g->kind->columns[column];

    if (c->kind != COLUMN_SUM || c->unit == UNIT_BYTES || l->brief)
        return false;
    if (value == REPORT_UNKNOWN || value < l->largest[column])
        return true;
    l->largest[column] = value;
    return false;
}

static void measure_values(struct render_layout *l, const uint64_t *values)
{
    for (size_t c = 0; c < l->g->kind->column_count; c++) {
        if (l->width[c] < l->full_width[c] && !is_measured(l, c, values[c]))
            widen(&l->width[c], format_width(cell_text(l, c, values[c])));
    }
}

/* Row by row: the values of a large grid come from memory once. */
static void measure_columns(struct render_layout *l)
{
    const struct report_grid *g = l->g;

    for (size_t c = 0; c < g->kind->column_count; c++) {
        bool is_bytes =
            g->kind->columns[c].kind == COLUMN_SUM && g->kind->columns[c].unit == UNIT_BYTES;

        l->width[c] = strlen(g->kind->columns[c].head);
        l->full_width[c] = is_bytes ? format_width(cell_text(l, c, WIDEST_BYTES)) : SIZE_MAX;
        l->largest[c] = 0;
    }
    for (size_t r = 0; r < g->count; r++)
        measure_values(l, g->rows[r].values);
    if (render_has_total(g))
        measure_values(l, g->total);
    if (g->others_count > 0)
        measure_values(l, g->others);
}

static size_t whole_width(const struct render_layout *l)
{
    size_t width = 0;

    for (int i = 0; i < GRID_LABELS; i++) {
        if (l->g->label_names[i] != NULL)
            width += l->label_width[i] + GAP;
    }
    for (size_t c = 0; c < l->g->kind->column_count; c++) {
        if (!l->hidden[c])
            width += l->width[c] + GAP;
    }
    return width - GAP;
}

static bool fits(const struct render_layout *l)
{
    return l->style->width == 0 || whole_width(l) <= l->style->width;
}

static void cut_labels(struct render_layout *l, size_t least)
{
    for (int i = GRID_LABELS; i-- > 0 && !fits(l);) {
        size_t over = whole_width(l) - l->style->width;
        size_t width = l->label_width[i];

        if (width > least)
            l->label_width[i] = width - least < over ? least : width - over;
    }
}

static void squeeze(struct render_layout *l)
{
    if (fits(l))
        return;
    l->brief = true;
    measure_columns(l);
    cut_labels(l, LABEL_GOOD);
    for (size_t c = l->g->kind->column_count; c-- > 0 && !fits(l);)
        l->hidden[c] = l->g->kind->columns[c].minor || l->g->kind->columns[c].raw;
    cut_labels(l, LABEL_LEAST);
}

/* The end of the run of neighbours that stand under the same group name; how wide those of them
 * that are shown are, and how many. */
static size_t group_end(const struct render_layout *l, size_t start, size_t *width, size_t *shown)
{
    const struct report_column *columns = l->g->kind->columns;
    size_t c;

    *width = 0;
    *shown = 0;
    for (c = start; c < l->g->kind->column_count; c++) {
        if (strcmp(columns[c].group, columns[start].group) != 0)
            break;
        if (columns[start].group[0] == '\0' && c > start)
            break;
        if (!l->hidden[c])
            *width += l->width[c] + ((*shown)++ > 0 ? GAP : 0);
    }
    return c;
}

static void add_group(const struct render_layout *l, const char *name, size_t width, bool dashes,
                      struct buf *b)
{
    size_t used = strlen(name) + 2;

    if (!dashes || used + 2 > width) {
        format_right(b, slice_str(name), width);
    } else {
        format_fill(b, l->dash, (width - used) / 2);
        buf_addf(b, " %s ", name);
        format_fill(b, l->dash, width - used - (width - used) / 2);
    }
}

static void trim_line(struct buf *b)
{
    while (b->len > 0 && b->data[b->len - 1] == ' ')
        b->len--;
    buf_add_char(b, '\n');
}

static bool has_groups(const struct render_layout *l)
{
    for (size_t c = 0; c < l->g->kind->column_count; c++) {
        if (!l->hidden[c] && l->g->kind->columns[c].group[0] != '\0')
            return true;
    }
    return false;
}

static void add_groups(const struct render_layout *l, struct buf *b)
{
    const char *between = "";

    for (int i = 0; i < GRID_LABELS; i++) {
        if (l->g->label_names[i] == NULL)
            continue;
        buf_add_str(b, between);
        format_fill(b, " ", l->label_width[i]);
        between = "  ";
    }
    for (size_t c = 0; c < l->g->kind->column_count;) {
        size_t width, shown, end = group_end(l, c, &width, &shown);

        if (shown > 0) {
            buf_add_str(b, between);
            add_group(l, l->g->kind->columns[c].group, width, shown > 1, b);
            between = "  ";
        }
        c = end;
    }
    trim_line(b);
}

static void add_labels(const struct render_layout *l, const struct slice labels[GRID_LABELS],
                       struct buf *b)
{
    const char *between = "";

    for (int i = 0; i < GRID_LABELS; i++) {
        if (l->g->label_names[i] == NULL)
            continue;
        buf_add_str(b, between);
        format_fit(b, labels[i], l->label_width[i], l->ellipsis);
        between = "  ";
    }
}

static bool has_labels(const struct report_grid *g)
{
    return g->label_names[GRID_STEP] != NULL || g->label_names[GRID_BY] != NULL;
}

static void add_head(const struct render_layout *l, struct buf *b)
{
    struct slice names[GRID_LABELS];
    const char *between = has_labels(l->g) ? "  " : "";

    for (int i = 0; i < GRID_LABELS; i++)
        names[i] = slice_str(l->g->label_names[i]);
    add_labels(l, names, b);
    for (size_t c = 0; c < l->g->kind->column_count; c++) {
        if (l->hidden[c])
            continue;
        buf_add_str(b, between);
        format_right(b, slice_str(l->g->kind->columns[c].head), l->width[c]);
        between = "  ";
    }
    buf_add_char(b, '\n');
}

/* Before the first row: how far a line of cells can reach, where a mark takes more bytes than
 * columns. */
static bool line_reserve(struct render_layout *l)
{
    l->line_bytes = whole_width(l) + GAP + l->g->kind->column_count * strlen("≥");
    buf_init(&l->line, l->line_bytes);
    return buf_space(&l->line, l->line_bytes) != NULL;
}

/* All cells, from the last one to the first, so that each figure is written once, where it stands.
 */
static void add_cells(struct render_layout *l, const uint64_t *values, struct buf *b)
{
    char *end = l->line.data + l->line_bytes, *at = end;

    memset(l->line.data, ' ', l->line_bytes);
    for (size_t c = l->g->kind->column_count; c-- > 0;) {
        const char *cell_end = at;
        size_t used;

        if (l->hidden[c])
            continue;
        at = render_value_before(at, l->g, c, values[c], l->style, l->brief);
        used = format_width((struct slice){at, (size_t)(cell_end - at)});
        at -= GAP + (used < l->width[c] ? l->width[c] - used : 0);
    }
    if (!has_labels(l->g))
        at += GAP;
    buf_add(b, (struct slice){at, (size_t)(end - at)});
}

static void add_row(struct render_layout *l, const struct slice labels[GRID_LABELS],
                    const uint64_t *values, struct buf *b)
{
    add_labels(l, labels, b);
    add_cells(l, values, b);
    trim_line(b);
}

static void add_rule(const struct render_layout *l, struct buf *b)
{
    format_fill(b, l->dash, whole_width(l));
    buf_add_char(b, '\n');
}

/* `text` in the first label column there is. */
static void label_first(const struct report_grid *g, struct slice text,
                        struct slice labels[GRID_LABELS])
{
    bool step = g->label_names[GRID_STEP] != NULL;

    labels[GRID_STEP] = step ? text : SLICE_NONE;
    labels[GRID_BY] = step ? SLICE_NONE : text;
}

static void add_foot(struct render_layout *l, struct buf *b)
{
    struct slice labels[GRID_LABELS];
    char others[CELL_BYTES];
    const struct report_grid *g = l->g;

    if (g->others_count > 0) {
        struct slice text = slice_to(others_label(l), sizeof others);

        memcpy(others, text.ptr, text.len);
        label_first(g, (struct slice){others, text.len}, labels);
        add_row(l, labels, g->others, b);
    }
    if (render_has_total(g)) {
        add_rule(l, b);
        label_first(g, SLICE("total"), labels);
        add_row(l, labels, g->total, b);
    }
}

static void add_hidden(const struct render_layout *l, struct buf *b)
{
    static const char lead[] = "Not shown for lack of room:";
    bool any = false;
    size_t used = 0;

    for (size_t c = 0; c < l->g->kind->column_count; c++) {
        const char *name = l->g->kind->columns[c].name;

        if (!l->hidden[c] || l->g->kind->columns[c].raw)
            continue;
        if (!any) {
            buf_addf(b, "\n%s", lead);
            used = sizeof lead - 1;
            any = true;
        } else if (used + strlen(name) + 1 > l->style->width) {
            buf_add_char(b, '\n');
            used = 0;
        }
        buf_addf(b, "%s%s", used > 0 ? " " : "", name);
        used += strlen(name) + 1;
    }
    if (any)
        buf_add_char(b, '\n');
}

static void add_bold(const struct render_layout *l, bool on, struct buf *b)
{
    if (l->style->colour)
        buf_add_str(b, on ? "\033[1m" : "\033[0m");
}

static void add_body(struct render_layout *l, struct buf *b)
{
    add_bold(l, true, b);
    if (has_groups(l))
        add_groups(l, b);
    add_head(l, b);
    add_bold(l, false, b);
    add_rule(l, b);
    for (size_t r = 0; r < l->g->count; r++) {
        struct slice labels[GRID_LABELS];

        row_labels(l, r, labels);
        add_row(l, labels, l->g->rows[r].values, b);
        buf_drain(b);
    }
    add_foot(l, b);
    add_hidden(l, b);
}

void render_table(const struct report_grid *g, const struct render_style *style, struct buf *b)
{
    struct render_layout l = {.g = g, .style = style};

    TG_ASSERT(g->kind->column_count <= COLUMNS_MAX);
    l.dash = style->utf8 ? "─" : "-";
    l.ellipsis = style->utf8 ? "…" : "...";
    for (size_t c = 0; c < g->kind->column_count; c++)
        l.hidden[c] = g->kind->columns[c].raw;
    buf_init(&l.cell, CELL_BYTES);
    buf_init(&l.labels, LABEL_BYTES);
    render_title(g, style, b);
    if (g->count == 0) {
        buf_add_str(b, "Nothing was counted.\n");
    } else {
        measure_labels(&l);
        measure_columns(&l);
        squeeze(&l);
        if (line_reserve(&l))
            add_body(&l, b);
        else
            b->failed = true;
    }
    render_notes(g, style, b);
    buf_fini(&l.cell);
    buf_fini(&l.labels);
    buf_fini(&l.line);
}
