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
    enum counter_unit unit;
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

static void row_label(const struct report_grid_row *row, struct buf *b)
{
    format_text(b, row->label[GRID_STEP]);
    if (row->label[GRID_STEP].len > 0 && row->label[GRID_BY].len > 0)
        format_fill(b, " ", GAP);
    format_text(b, row->label[GRID_BY]);
}

/* False: this column has another unit and gets no bar. The label is in c->text afterwards. */
static bool bar_at(struct chart *c, size_t i, uint64_t *value)
{
    const struct report_grid *g = c->g;

    buf_reset(&c->text);
    if (g->label_names[GRID_STEP] == NULL && g->label_names[GRID_BY] == NULL) {
        column_label(&g->kind->columns[i], &c->text);
        *value = g->count > 0 ? g->rows[0].values[i] : 0;
        return g->kind->columns[i].unit == c->unit;
    }
    if (i < g->count) {
        row_label(&g->rows[i], &c->text);
        *value = g->rows[i].values[report_grid_main(g)];
        return true;
    }
    buf_add_char(&c->text, '(');
    format_count(&c->text, g->others_count);
    buf_add_str(&c->text, " more)");
    *value = g->others[report_grid_main(g)];
    return true;
}

static void measure(struct chart *c)
{
    unsigned width = c->style->width > 0 ? c->style->width : WIDTH_USUAL;
    size_t used;

    for (size_t i = 0; i < bar_count(c); i++) {
        uint64_t value;
        size_t label;

        if (!bar_at(c, i, &value))
            continue;
        label = format_width(buf_slice(&c->text));
        c->label_width = label > c->label_width ? label : c->label_width;
        c->most = value > c->most ? value : c->most;
        buf_reset(&c->text);
        format_value(&c->text, c->unit, value, false);
        c->format_width = c->text.len > c->format_width ? c->text.len : c->format_width;
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

        if (!bar_at(c, i, &value))
            continue;
        add_label(c, b);
        add_bar(c, value, b);
        format_fill(b, " ", GAP);
        buf_reset(&c->text);
        format_value(&c->text, c->unit, value, false);
        format_right(b, buf_slice(&c->text), c->format_width);
        buf_add_char(b, '\n');
    }
}

void render_chart(const struct report_grid *g, const struct render_style *style, struct buf *b)
{
    const struct report_column *column = &g->kind->columns[report_grid_main(g)];
    struct chart c = {.g = g, .style = style, .unit = column->unit};

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
    render_notes(g, b);
    buf_fini(&c.text);
}
