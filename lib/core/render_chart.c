#include "lib/core/render.h"

#include <string.h>

#include "lib/core/format.h"

#define WIDTH_USUAL 80
#define BAR_LEAST   10 /* a bar has room for as much, however narrow the terminal */
#define LABEL_MOST  40
#define GAP         2

struct chart {
    const struct report_grid *g;
    const struct render_style *style;
    struct buf text; /* scratch: a label or a figure */
    size_t main;     /* its column */
    size_t label_width, format_width, bar_width;
    uint64_t most;
};

/* One bar: what stands before it, and its value. */
static size_t bar_count(const struct chart *c)
{
    return c->g->label_names[GRID_STEP] == NULL && c->g->label_names[GRID_BY] == NULL
               ? c->g->kind->column_count
               : c->g->count + (c->g->others_count > 0 ? 1 : 0);
}

static void column_label(const struct report_column *column, struct buf *b)
{
    bool plain = column->group[0] == '\0';

    buf_add_str(b, plain ? column->head : column->group);
    if (!plain && strcmp(column->head, "msgs") != 0 && strcmp(column->head, "bytes") != 0)
        buf_addf(b, " %s", column->head);
}

static void row_label(const struct report_grid *g, const struct report_grid_row *row, struct buf *b)
{
    render_label(g, row, GRID_STEP, b);
    if (row->label[GRID_STEP].len > 0 && row->label[GRID_BY].len > 0)
        format_fill(b, " ", GAP);
    render_label(g, row, GRID_BY, b);
}

/* Does the column get a bar beside the main one's? Quotients have no common measure. */
static bool is_comparable(const struct chart *c, size_t column)
{
    const struct report_column *a = &c->g->kind->columns[c->main],
                               *b = &c->g->kind->columns[column];

    if (a->kind != COLUMN_SUM || b->kind != COLUMN_SUM)
        return column == c->main;
    return a->unit == b->unit && !b->raw;
}

/* A bar's value and its column. False: this column gets no bar. The label is in c->text
 * afterwards. */
static bool bar_at(struct chart *c, size_t i, size_t *column, uint64_t *value)
{
    const struct report_grid *g = c->g;

    buf_reset(&c->text);
    *column = c->main;
    if (g->label_names[GRID_STEP] == NULL && g->label_names[GRID_BY] == NULL) {
        column_label(&g->kind->columns[i], &c->text);
        *column = i;
        *value = g->count > 0 ? g->rows[0].values[i] : 0;
        return is_comparable(c, i);
    }
    if (i < g->count) {
        row_label(g, &g->rows[i], &c->text);
        *value = g->rows[i].values[c->main];
        return true;
    }
    render_others_label(g, &c->text);
    *value = g->others[c->main];
    return true;
}

static struct slice figure(struct chart *c, size_t column, uint64_t value)
{
    buf_reset(&c->text);
    render_value(c->g, column, value, c->style, false, &c->text);
    return buf_slice(&c->text);
}

static void measure(struct chart *c)
{
    unsigned width = c->style->width > 0 ? c->style->width : WIDTH_USUAL;
    size_t used;

    for (size_t i = 0; i < bar_count(c); i++) {
        uint64_t value;
        size_t label, column, shown;

        if (!bar_at(c, i, &column, &value))
            continue;
        label = format_width(buf_slice(&c->text));
        c->label_width = label > c->label_width ? label : c->label_width;
        c->most = value > c->most && value != REPORT_UNKNOWN ? value : c->most;
        shown = format_width(figure(c, column, value));
        c->format_width = shown > c->format_width ? shown : c->format_width;
    }
    c->label_width = c->label_width < LABEL_MOST ? c->label_width : LABEL_MOST;
    used = c->label_width + c->format_width + 2 * GAP;
    c->bar_width = width > used + BAR_LEAST ? width - used : BAR_LEAST;
}

/* In eighths of a block, or whole `#`; what is not nothing shows at least the smallest piece. */
static size_t bar_pieces(const struct chart *c, uint64_t value, size_t pieces_a_block)
{
    double share = c->most > 0 ? (double)value / (double)c->most : 0;
    size_t pieces = (size_t)(share * (double)(c->bar_width * pieces_a_block) + 0.5);

    return value > 0 && pieces == 0 ? 1 : pieces;
}

static void add_bar(const struct chart *c, uint64_t value, struct buf *b)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    size_t a_block = c->style->utf8 ? 8 : 1;
    size_t pieces = bar_pieces(c, value, a_block);
    size_t blocks = pieces / a_block, rest = pieces % a_block;

    if (c->style->colour)
        buf_add_str(b, "\033[36m");
    format_fill(b, c->style->utf8 ? "█" : "#", blocks);
    buf_add_str(b, eighths[rest]);
    if (c->style->colour)
        buf_add_str(b, "\033[0m");
    format_fill(b, " ", c->bar_width - blocks - (rest > 0 ? 1 : 0));
}

static void add_label(const struct chart *c, struct buf *b)
{
    format_left(b, format_head(buf_slice(&c->text), c->label_width), c->label_width);
    format_fill(b, " ", GAP);
}

static void add_lines(struct chart *c, struct buf *b)
{
    for (size_t i = 0; i < bar_count(c); i++) {
        uint64_t value;
        size_t column;

        if (!bar_at(c, i, &column, &value))
            continue;
        add_label(c, b);
        add_bar(c, value != REPORT_UNKNOWN ? value : 0, b);
        format_fill(b, " ", GAP);
        format_right(b, figure(c, column, value), c->format_width);
        buf_add_char(b, '\n');
    }
}

void render_chart(const struct report_grid *g, const struct render_style *style, struct buf *b)
{
    const struct report_column *column = &g->kind->columns[report_grid_main(g)];
    struct chart c = {.g = g, .style = style, .main = report_grid_main(g)};

    buf_init(&c.text, 4096);
    render_title(g, style, b);
    if (g->count == 0) {
        buf_add_str(b, "Nothing was counted.\n");
    } else {
        if (g->label_names[GRID_STEP] != NULL || g->label_names[GRID_BY] != NULL)
            buf_addf(b, "%s\n\n", column->name);
        measure(&c);
        add_lines(&c, b);
    }
    render_notes(g, style, b);
    buf_fini(&c.text);
}
