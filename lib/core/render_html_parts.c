/* Parts of a page: figures, cards, notes, definitions, meters. */
#include "lib/core/render.h"
#include "lib/core/render_html_work.h"

#define NOTES_BYTES ((size_t)4 << 20)
#define CARD_MOST   11 /* characters of a figure on a card; the table has it exactly */

static const struct render_style plain = {.utf8 = true};

/* --- figures and names ------------------------------------------------------------------------ */

/* A dash for the eye, the word for the ear. */
static void add_unknown(struct html *h)
{
    html_open(h, "span");
    html_attr(h, "class", SLICE("unknown"));
    html_attr(h, "aria-hidden", SLICE("true"));
    html_text(h, SLICE("–"));
    html_close(h, "span");
    html_element_class(h, "span", "hidden", SLICE("unknown"));
}

/* Units have a width of their own, so that digits stand under each other. */
void render_html_figure_text(const struct report_grid *g, size_t column, uint64_t value,
                             size_t most, struct html *h)
{
    struct slice text;
    ptrdiff_t blank;
    struct buf b;

    if (value == REPORT_UNKNOWN) {
        add_unknown(h);
        return;
    }
    buf_init(&b, 256);
    render_value(g, column, value, &plain, false, &b);
    if (b.len > most) {
        buf_reset(&b);
        render_value(g, column, value, &plain, true, &b);
    }
    text = buf_slice(&b);
    blank = slice_find(text, ' ');
    html_text(h, slice_to(text, blank < 0 ? text.len : (size_t)blank));
    if (blank >= 0) {
        html_text(h, SLICE(" "));
        html_element_class(h, "span", "unit", slice_trim(slice_from(text, (size_t)blank)));
    }
    buf_fini(&b);
}

static void add_column_name(const struct report_column *column, struct html *h)
{
    if (column->group[0] != '\0') {
        html_text(h, slice_str(column->group));
        html_text(h, SLICE(" "));
    }
    html_text(h, slice_str(column->head));
}

/* --- cards ------------------------------------------------------------------------------------ */

void render_html_cards(const struct report_grid *g, struct html *h)
{
    html_open(h, "dl");
    html_attr(h, "class", SLICE("cards"));
    for (size_t c = 0; c < g->kind->column_count; c++) {
        const struct report_column *column = &g->kind->columns[c];

        if (column->minor || column->raw)
            continue;
        html_open(h, "div");
        html_open(h, "dt");
        add_column_name(column, h);
        html_close(h, "dt");
        html_open(h, "dd");
        render_html_figure_text(g, c, g->total[c], CARD_MOST, h);
        html_close(h, "dd");
        html_close(h, "div");
    }
    html_close(h, "dl");
    html_newline(h);
}

/* --- notes and definitions -------------------------------------------------------------------- */

void render_html_notes(const struct report_grid *g, struct html *h)
{
    struct slice rest, line;
    struct buf b;

    buf_init(&b, NOTES_BYTES);
    render_notes(g, &plain, &b);
    if (b.len > 0) {
        html_open(h, "ul");
        html_attr(h, "class", SLICE("notes"));
        for (rest = buf_slice(&b); slice_word(&rest, "\n", &line);)
            html_element(h, "li", line);
        html_close(h, "ul");
        html_newline(h);
    }
    h->out->failed = h->out->failed || b.failed;
    buf_fini(&b);
}

static void add_counter_names(const struct report_column *column, struct html *h)
{
    for (size_t i = 0; i < column->counter_count; i++) {
        html_text(h, i > 0 ? SLICE(" + ") : SLICE(" "));
        html_element(h, "code", slice_str(counter_table[column->counters[i]].name));
    }
}

static void add_definition(const struct report_column *column, struct html *h)
{
    html_open(h, "div");
    html_open(h, "dt");
    add_column_name(column, h);
    html_text(h, SLICE(" "));
    html_element(h, "code", slice_str(column->name));
    html_close(h, "dt");
    html_open(h, "dd");
    if (column->kind != COLUMN_SUM)
        html_text(h, SLICE("Average over the time that is covered. "));
    if (column->counter_count > 1) {
        html_text(h, SLICE("The sum of"));
        add_counter_names(column, h);
    } else {
        html_text(h, slice_str(counter_table[column->counters[0]].help));
    }
    html_close(h, "dd");
    html_close(h, "div");
}

void render_html_definitions(const struct report_kind *kind, struct html *h)
{
    html_open(h, "dl");
    html_attr(h, "class", SLICE("definitions"));
    for (size_t c = 0; c < kind->column_count; c++) {
        if (!kind->columns[c].raw)
            add_definition(&kind->columns[c], h);
    }
    html_close(h, "dl");
    html_newline(h);
}

/* --- meter ------------------------------------------------------------------------------------ */

static void add_meter_part(struct html *h, const char *class_name, unsigned width)
{
    html_open(h, "rect");
    html_attr(h, "class", slice_str(class_name));
    html_attr_number(h, "width", width);
    html_attr_number(h, "height", 80);
    html_close(h, "rect");
}

void render_html_meter(struct html *h, const char *class_name, unsigned thousandths)
{
    unsigned width = thousandths < 1000 ? thousandths : 1000;

    html_open(h, "svg");
    html_attr(h, "class", SLICE("meter"));
    html_attr(h, "viewBox", SLICE("0 0 1000 80"));
    html_attr(h, "preserveAspectRatio", SLICE("none"));
    html_attr(h, "aria-hidden", SLICE("true"));
    add_meter_part(h, "room", 1000);
    if (width > 0)
        add_meter_part(h, class_name, width < 10 ? 10 : width);
    html_close(h, "svg");
}
