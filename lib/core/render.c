#include "lib/core/render.h"

#include "lib/core/format.h"

void render_title(const struct report_grid *g, const struct render_style *style, struct buf *b)
{
    buf_addf(b, "%s%s, %s", style->colour ? "\033[1m" : "", g->kind->title, g->scope);
    if (g->name.len > 0) {
        buf_add_char(b, ' ');
        format_text(b, g->name);
    }
    buf_add_str(b, ", ");
    buf_add(b, g->from);
    if (!slice_equal(g->from, g->to)) {
        buf_add_str(b, " to ");
        buf_add(b, g->to);
    }
    if (g->label_names[GRID_STEP] != NULL &&
        slice_equal(slice_str(g->label_names[GRID_STEP]), SLICE("hour")))
        buf_add_str(b, " UTC");
    buf_add_str(b, style->colour ? "\033[0m\n\n" : "\n\n");
}

void render_notes(const struct report_grid *g, struct buf *b)
{
    if (g->note.len > 0) {
        buf_add_char(b, '\n');
        format_text(b, g->note);
        buf_add_char(b, '\n');
    }
}
