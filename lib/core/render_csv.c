#include "lib/core/render.h"

#include <inttypes.h>

static bool needs_quotes(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];

        if (c == '"' || c == ',' || c == '\r' || c == '\n')
            return true;
    }
    return false;
}

/* RFC 4180 2.5 to 2.7 */
void render_csv_field(struct buf *b, struct slice value)
{
    if (!needs_quotes(value)) {
        buf_add(b, value);
        return;
    }
    buf_add_char(b, '"');
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"')
            buf_add_char(b, '"');
        buf_add_char(b, value.ptr[i]);
    }
    buf_add_char(b, '"');
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
    buf_add_str(b, "\r\n");
}

static void add_row(const struct report_grid *g, const struct report_grid_row *row, struct buf *b)
{
    const char *between = "";

    for (int l = 0; l < GRID_LABELS; l++) {
        if (g->label_names[l] == NULL)
            continue;
        buf_add_str(b, between);
        render_csv_field(b, row->label[l]);
        between = ",";
    }
    if (g->billing) {
        buf_addf(b, "%s%.*s,%.*s,%s", between, SLICE_FMT(g->from), SLICE_FMT(g->to),
                 g->complete ? "true" : "false");
        between = ",";
    }
    for (size_t c = 0; c < g->kind->column_count; c++) {
        buf_addf(b, "%s%" PRIu64, between, row->values[c]);
        between = ",";
    }
    buf_add_str(b, "\r\n");
}

void render_csv(const struct report_grid *g, struct buf *b)
{
    add_head(g, b);
    for (size_t i = 0; i < g->count; i++)
        add_row(g, &g->rows[i], b);
}
