#include "lib/core/render.h"

#include <string.h>

#include "lib/core/format.h"

#define CELL_BYTES ((size_t)1 << 20)

/* A spreadsheet takes such a cell for a formula, whether it is quoted or not. */
static bool is_formula(struct slice value)
{
    return value.len > 0 && memchr("=+-@", value.ptr[0], 4) != NULL;
}

/* Nearly every value is a plain name: it is written as it is. */
static bool needs_care(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];

        if (c < 0x20 || c >= 0x7f || c == '"' || c == ',')
            return true;
    }
    return is_formula(value);
}

static bool needs_quotes(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];

        if (c == '"' || c == ',')
            return true;
    }
    return false;
}

/* RFC 4180 2.5 to 2.7 */
static void add_quoted(struct buf *b, struct slice value)
{
    buf_add_char(b, '"');
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"')
            buf_add_char(b, '"');
        buf_add_char(b, value.ptr[i]);
    }
    buf_add_char(b, '"');
}

void render_csv_text(struct buf *b, struct slice value)
{
    struct buf clean;

    if (!needs_care(value)) {
        buf_add(b, value);
        return;
    }
    buf_init(&clean, CELL_BYTES);
    if (is_formula(value))
        buf_add_char(&clean, '\'');
    format_text(&clean, value);
    b->failed = b->failed || clean.failed;
    if (needs_quotes(buf_slice(&clean)))
        add_quoted(b, buf_slice(&clean));
    else
        buf_add(b, buf_slice(&clean));
    buf_fini(&clean);
}

static void add_head(const struct report_grid *g, struct buf *b)
{
    const char *between = "";

    for (int l = 0; l < GRID_LABELS; l++) {
        if (g->label_names[l] == NULL)
            continue;
        buf_addf(b, "%s%s", between, g->label_names[l]);
        between = ",";
    }
    if (g->billing) {
        buf_addf(b, "%sfrom,to,complete", between);
        between = ",";
    }
    for (size_t c = 0; c < g->kind->column_count; c++) {
        buf_addf(b, "%s%s", between, g->kind->columns[c].name);
        between = ",";
    }
    buf_add_str(b, g->coverage != NULL ? ",coverage\r\n" : "\r\n");
}

/* Many rows have the same coverage, and its text is long in the making. */
struct csv_coverage {
    const struct coverage *of;
    struct buf text;
};

static void add_coverage(const struct report_grid *g, const struct coverage *coverage,
                         struct csv_coverage *last, struct buf *b)
{
    if (last->of != coverage) {
        buf_reset(&last->text);
        render_coverage(g, coverage, &last->text);
        last->of = coverage;
    }
    b->failed = b->failed || (coverage != NULL && last->text.failed);
    if (coverage != NULL)
        buf_add(b, buf_slice(&last->text));
}

/* Each field with the comma behind it; that of the last gives way to the end of the line. */
static void add_row(const struct report_grid *g, const struct report_grid_row *row,
                    struct csv_coverage *last, struct buf *b)
{
    for (int l = 0; l < GRID_LABELS; l++) {
        if (g->label_names[l] == NULL)
            continue;
        render_csv_text(b, row->label[l]);
        buf_add(b, SLICE(","));
    }
    if (g->billing)
        buf_addf(b, "%.*s,%.*s,%s,", SLICE_FMT(g->from), SLICE_FMT(g->to),
                 g->complete ? "true" : "false");
    for (size_t c = 0; c < g->kind->column_count; c++) {
        render_exact(&g->kind->columns[c], row->values[c], b);
        buf_add(b, SLICE(","));
    }
    if (g->coverage != NULL) {
        add_coverage(g, row->coverage, last, b);
        buf_add(b, SLICE(","));
    }
    if (!b->failed)
        b->len--;
    buf_add(b, SLICE("\r\n"));
}

void render_csv(const struct report_grid *g, struct buf *b)
{
    struct csv_coverage last = {.of = NULL};

    buf_init(&last.text, CELL_BYTES);
    add_head(g, b);
    for (size_t i = 0; i < g->count; i++) {
        add_row(g, &g->rows[i], &last, b);
        buf_drain(b);
    }
    buf_fini(&last.text);
}
