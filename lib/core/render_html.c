#include "lib/core/render_html.h"

/* --- figure ----------------------------------------------------------------------------------- */

static void add_chart(const struct report_grid *g, const struct render_html_style *style,
                      bool narrow, struct html *h)
{
    struct render_svg_style svg = {.kind = style->chart,
                                   .narrow = narrow,
                                   .class_name = narrow ? "narrow" : "wide",
                                   .link = style->link};
    struct buf id;

    buf_init(&id, 256);
    buf_add_str(&id, style->id);
    buf_add_str(&id, narrow ? "-narrow" : "-wide");
    svg.id = buf_slice(&id).ptr;
    render_svg(g, &svg, h);
    html_newline(h);
    h->out->failed = h->out->failed || id.failed;
    buf_fini(&id);
}

void render_html_figure(const struct report_grid *g, const struct render_html_style *style,
                        struct html *h)
{
    html_open(h, "figure");
    html_attr(h, "class", SLICE("chart"));
    html_newline(h);
    add_chart(g, style, false, h);
    add_chart(g, style, true, h);
    html_close(h, "figure");
    html_newline(h);
}

/* --- a page ----------------------------------------------------------------------------------- */

static void add_scope(const struct report_grid *g, struct html *h)
{
    html_text(h, slice_str(g->scope));
    if (g->name.len > 0) {
        html_text(h, SLICE(" "));
        html_element(h, "bdi", g->name);
    }
    html_text(h, SLICE(", "));
    html_text(h, g->from);
    if (!slice_equal(g->from, g->to)) {
        html_text(h, SLICE(" to "));
        html_text(h, g->to);
    }
    if (g->timezone.len > 0) {
        html_text(h, SLICE(", times in "));
        html_text(h, g->timezone);
    }
}

void render_html_heading(const struct report_grid *g, struct html *h)
{
    html_element(h, "h1", slice_str(g->kind->title));
    html_newline(h);
    html_open(h, "p");
    html_attr(h, "class", SLICE("scope"));
    add_scope(g, h);
    html_close(h, "p");
    html_newline(h);
}

static void add_meta(struct html *h, const char *name, struct slice content)
{
    html_open(h, "meta");
    html_attr(h, "name", slice_str(name));
    html_attr(h, "content", content);
    html_close(h, "meta");
    html_newline(h);
}

static void add_head(const struct report_grid *g, struct html *h)
{
    html_open(h, "head");
    html_newline(h);
    html_open(h, "meta");
    html_attr(h, "charset", SLICE("utf-8"));
    html_close(h, "meta");
    html_newline(h);
    add_meta(h, "viewport", SLICE("width=device-width, initial-scale=1"));
    add_meta(h, "color-scheme", SLICE("light dark"));
    html_open(h, "title");
    html_text(h, slice_str(g->kind->title));
    html_text(h, SLICE(", "));
    html_text(h, g->name.len > 0 ? g->name : slice_str(g->scope));
    html_close(h, "title");
    html_newline(h);
    html_style_sheet(h, slice_str(render_html_sheet));
    html_newline(h);
    html_close(h, "head");
    html_newline(h);
}

static void add_main(const struct report_grid *g, const struct render_html_style *style,
                     struct html *h)
{
    html_open(h, "main");
    html_newline(h);
    render_html_heading(g, h);
    if (g->count > 0) {
        render_html_cards(g, h);
        render_html_figure(g, style, h);
        render_html_table(g, style, h);
    } else {
        html_element_class(h, "p", "empty", SLICE("Nothing was counted."));
        html_newline(h);
    }
    render_html_notes(g, h);
    html_element(h, "h2", SLICE("What the columns count"));
    html_newline(h);
    render_html_definitions(g->kind, h);
    html_close(h, "main");
    html_newline(h);
}

void render_html_file(const struct report_grid *g, enum render_svg_kind chart, struct slice footer,
                      struct buf *b)
{
    const struct render_html_style style = {.chart = chart, .id = "report"};
    struct html h;

    html_init(&h, b);
    html_doctype(&h);
    html_open(&h, "html");
    html_attr(&h, "lang", SLICE("en"));
    html_newline(&h);
    add_head(g, &h);
    html_open(&h, "body");
    html_newline(&h);
    add_main(g, &style, &h);
    html_element(&h, "footer", footer);
    html_newline(&h);
    html_close(&h, "body");
    html_close(&h, "html");
    html_newline(&h);
}
