#include "lib/core/render_svg.h"

#include <inttypes.h>
#include <string.h>

#include "lib/core/format.h"
#include "lib/core/render.h"
#include "lib/core/render_svg_work.h"

#define CHART_BYTES ((size_t)256 << 20)
#define TEXT_BYTES  ((size_t)1 << 20)
#define WIDE        9600
#define NARROW      3600
#define SWATCH      100
#define LEGEND_MOST 17  /* of a name: times the size of the font */
#define TITLE       300 /* height of the title line of a file */

static const struct render_style plain = {.utf8 = true};

/* What lies over a series' colour, on a tile of 6 by 6. */
static const char *const textures[SVG_SERIES_MAX] = {
    NULL, "M0 3H6", "M1 1h2v2h-2zM4 4h2v2h-2z", "M3 0V6", "M0 3H6M3 0V6", "M2 2h3v3h-3z",
};

/* --- legend ---------------------------------------------------------------------------------- */

/* Items that flow from left to right and on to the next line. */
struct svg_legend {
    int64_t x, y, line;
    bool draw; /* else it is only measured */
};

static void legend_place(struct svg_chart *c, struct svg_legend *l, int64_t width)
{
    if (l->x > 0 && l->x + width > c->width) {
        l->x = 0;
        l->y += l->line;
    }
}

/* pattern NULL: a plain rectangle of that class. */
static void legend_item(struct svg_chart *c, struct svg_legend *l, const char *pattern,
                        const char *class_name, struct slice name)
{
    int64_t whole = render_svg_text_width(c, name), most = LEGEND_MOST * c->font;
    int64_t room = (whole < most ? whole : most) + c->font / 2; /* so that rounding cuts nothing */
    int64_t width = SWATCH + 50 + room + 100;

    legend_place(c, l, width);
    if (l->draw) {
        int64_t y = l->y - SWATCH + 10;

        if (pattern != NULL)
            render_svg_rect_pattern(c, pattern, l->x, y, SWATCH, SWATCH);
        else
            render_svg_rect(c, class_name, "currentColor", l->x, y + SWATCH - 40, SWATCH, 40);
        render_svg_text_fit(c, NULL, l->x + SWATCH + 50, l->y, room, name);
    }
    l->x += width;
}

static void legend_states(struct svg_chart *c, struct svg_legend *l)
{
    bool running = false, behind = false, gap = false, blank = false;

    for (size_t i = 0; i < c->bar_count && c->over_time; i++) {
        const struct coverage *v = c->bars[i].coverage;

        blank = blank || c->bars[i].total == REPORT_UNKNOWN;
        if (v == NULL)
            continue;
        running = running || (v->is_running && !v->is_behind);
        behind = behind || v->is_behind;
        gap = gap || v->has_gap;
    }
    if (running || behind)
        legend_item(c, l, "hatch", NULL,
                    !behind    ? SLICE("so far")
                    : !running ? SLICE("incomplete")
                               : SLICE("so far, incomplete"));
    if (gap)
        legend_item(c, l, NULL, "gap", SLICE("gap in the log"));
    if (blank)
        legend_item(c, l, "blank", NULL, SLICE("unknown"));
}

/* Nothing to draw over time: not one step has anything. */
static bool is_empty(const struct svg_chart *c)
{
    return c->bar_count == 0 || (c->over_time && c->most == 0);
}

/* What the chart shows ("total bytes"), its series, its marks. Returns the height. */
static int64_t legend(struct svg_chart *c, bool draw)
{
    const struct report_column *main = &c->g->kind->columns[c->main];
    struct svg_legend l = {.line = c->font * 3 / 2, .draw = draw};

    l.y = c->font + (c->style->alone ? TITLE : 0);
    if (c->g->label_names[GRID_STEP] == NULL && c->g->label_names[GRID_BY] == NULL)
        return l.y - c->font;
    buf_reset(&c->text);
    buf_add_str(&c->text, main->group);
    buf_add_str(&c->text, main->group[0] != '\0' ? " " : "");
    buf_add_str(&c->text, main->head);
    if (draw)
        render_svg_text(c, "caption", 0, l.y, "start", buf_slice(&c->text));
    l.x = render_svg_text_width(c, buf_slice(&c->text)) + 2 * c->font;
    if (is_empty(c))
        return l.y + c->font;
    for (size_t s = 0; s < c->series_count && c->series_count > 1; s++)
        legend_item(c, &l, render_svg_pattern(s), NULL, c->series[s].name);
    legend_states(c, &l);
    return l.y + c->font;
}

/* --- frame ----------------------------------------------------------------------------------- */

static void add_title_text(struct svg_chart *c)
{
    buf_reset(&c->text);
    render_title(c->g, &plain, &c->text);
    html_text(c->h, slice_trim(buf_slice(&c->text)));
}

static void add_extreme(struct svg_chart *c, const char *lead, const struct svg_bar *bar)
{
    html_text(c->h, slice_str(lead));
    html_text(c->h, render_svg_figure(c, bar->column, bar->total));
    html_text(c->h, SLICE(" ("));
    html_text(c->h, bar->text);
    html_text(c->h, SLICE(")"));
}

/* "31 bars by day. Largest 3.8 GB (2026-11-14), smallest 12 MB (2026-11-01)." */
static void add_description(struct svg_chart *c)
{
    const char *label = c->g->label_names[c->over_time ? GRID_STEP : GRID_BY];
    const struct svg_bar *most = NULL, *least = NULL;

    for (size_t i = 0; i < c->bar_count; i++) {
        const struct svg_bar *bar = &c->bars[i];

        if (bar->total == REPORT_UNKNOWN || bar->is_rest)
            continue;
        most = most == NULL || bar->total > most->total ? bar : most;
        least = least == NULL || bar->total < least->total ? bar : least;
    }
    html_textf(c->h, "%zu %s%s%s%s", c->bar_count, c->over_time ? "step" : "bar",
               c->bar_count == 1 ? "" : "s", label != NULL ? " by " : "",
               label != NULL ? label : "");
    if (most != NULL) {
        add_extreme(c, ". Largest ", most);
        if (least != most)
            add_extreme(c, ", smallest ", least);
    }
    html_text(c->h, c->style->alone ? SLICE(".") : SLICE(". The table has all figures."));
}

static void pattern_open(struct svg_chart *c, const char *name, int size)
{
    html_open(c->h, "pattern");
    html_attr(c->h, "id", render_svg_id(c, "", name, ""));
    html_attr_number(c->h, "width", size);
    html_attr_number(c->h, "height", size);
    render_svg_attr(c, "patternUnits", "userSpaceOnUse");
}

/* The lines of a pattern. */
static void add_path(struct svg_chart *c, const char *class_name, const char *d, const char *stroke,
                     const char *opacity, const char *width)
{
    html_open(c->h, "path");
    render_svg_attr(c, "class", class_name);
    render_svg_attr(c, "d", d);
    render_svg_attr(c, "fill", "none");
    render_svg_attr(c, "stroke", stroke);
    render_svg_attr(c, "stroke-opacity", opacity);
    render_svg_attr(c, "stroke-width", width);
    html_close(c->h, "path");
}

static void add_patterns(struct svg_chart *c)
{
    html_open(c->h, "defs");
    for (size_t s = 0; s < c->series_count; s++) {
        pattern_open(c, render_svg_pattern(s), 6);
        render_svg_rect(c, render_svg_class(s), render_svg_colour(s), 0, 0, 60, 60);
        if (textures[s] != NULL)
            add_path(c, "texture", textures[s], "#fff", ".5", "1");
        html_close(c->h, "pattern");
    }
    pattern_open(c, "hatch", 7);
    add_path(c, "paper", "M-2 2L2 -2M0 7L7 0M5 9L9 5", "#fff", NULL, "2.6");
    add_path(c, NULL, "M-2 2L2 -2M0 7L7 0M5 9L9 5", "currentColor", NULL, ".6");
    html_close(c->h, "pattern");
    pattern_open(c, "blank", 6);
    add_path(c, NULL, "M0 0L6 6M6 0L0 6", "currentColor", ".5", ".5");
    html_close(c->h, "pattern");
    html_close(c->h, "defs");
}

static void add_labelled_by(struct svg_chart *c)
{
    struct buf ids;

    buf_init(&ids, TEXT_BYTES);
    buf_add(&ids, render_svg_id(c, "", "title", ""));
    buf_add_char(&ids, ' ');
    buf_add(&ids, render_svg_id(c, "", "desc", ""));
    html_attr(c->h, "aria-labelledby", buf_slice(&ids));
    buf_fini(&ids);
}

static void add_view_box(struct svg_chart *c)
{
    buf_reset(&c->text);
    buf_addf(&c->text, "0 0 %" PRId64 " %" PRId64, c->width / 10, c->height / 10);
    html_attr(c->h, "viewBox", buf_slice(&c->text));
    if (c->style->alone) {
        html_attr_tenths(c->h, "width", c->width);
        html_attr_tenths(c->h, "height", c->height);
    }
}

/* An image has no content for those who do not see it, links included: with links it is a group. */
static void begin(struct svg_chart *c)
{
    html_open(c->h, "svg");
    render_svg_attr(c, "xmlns", "http://www.w3.org/2000/svg");
    render_svg_attr(c, "class", c->style->class_name);
    add_view_box(c);
    render_svg_attr(c, "role", c->style->link != NULL ? "group" : "img");
    add_labelled_by(c);
    render_svg_attr(c, "font-family", "system-ui, sans-serif");
    html_attr_tenths(c->h, "font-size", c->font);
    render_svg_attr(c, "fill", "currentColor");
    html_open(c->h, "title");
    html_attr(c->h, "id", render_svg_id(c, "", "title", ""));
    add_title_text(c);
    html_close(c->h, "title");
    html_open(c->h, "desc");
    html_attr(c->h, "id", render_svg_id(c, "", "desc", ""));
    add_description(c);
    html_close(c->h, "desc");
    add_patterns(c);
}

static void add_head(struct svg_chart *c)
{
    if (c->style->alone) {
        render_svg_rect(c, "paper", "#fff", 0, 0, c->width, c->height);
        buf_reset(&c->text);
        render_title(c->g, &plain, &c->text);
        buf_add(&c->url, slice_trim(buf_slice(&c->text)));
        html_open(c->h, "g");
        render_svg_attr(c, "font-weight", "bold");
        render_svg_text_fit(c, NULL, 0, 2 * c->font - TITLE / 3, c->width, buf_slice(&c->url));
        html_close(c->h, "g");
        buf_reset(&c->url);
    }
    html_open(c->h, "g");
    render_svg_attr(c, "aria-hidden", "true");
    (void)legend(c, true);
    html_close(c->h, "g");
}

static void frame(struct svg_chart *c)
{
    int64_t used;

    c->width = c->style->narrow ? NARROW : WIDE;
    c->font = c->style->narrow ? 110 : 120;
    used = legend(c, false);
    if (is_empty(c))
        c->height = used + 600;
    else if (c->over_time)
        render_svg_steps_frame(c, used);
    else
        render_svg_names_frame(c, used);
}

static bool is_unknown(const struct svg_chart *c)
{
    for (size_t i = 0; i < c->bar_count; i++) {
        if (c->bars[i].total != REPORT_UNKNOWN)
            return false;
    }
    return c->bar_count > 0;
}

static void add_plot(struct svg_chart *c)
{
    if (is_empty(c))
        render_svg_text(c, "empty", c->width / 2, c->height - 300, "middle",
                        is_unknown(c) ? SLICE("Nothing is known of this time.")
                                      : SLICE("Nothing was counted."));
    else if (c->over_time)
        render_svg_steps(c);
    else
        render_svg_names(c);
}

void render_svg(const struct report_grid *g, const struct render_svg_style *style, struct html *h)
{
    struct svg_chart c = {.g = g, .style = style, .h = h};

    arena_init(&c.arena, CHART_BYTES);
    buf_init(&c.text, TEXT_BYTES);
    buf_init(&c.url, TEXT_BYTES);
    if (render_svg_data(&c)) {
        frame(&c);
        begin(&c);
        add_head(&c);
        add_plot(&c);
        html_close(h, "svg");
    } else {
        h->out->failed = true;
    }
    h->out->failed = h->out->failed || c.text.failed || c.url.failed;
    buf_fini(&c.text);
    buf_fini(&c.url);
    arena_fini(&c.arena);
}

void render_svg_file(const struct report_grid *g, enum render_svg_kind kind, struct buf *b)
{
    const struct render_svg_style style = {.kind = kind, .alone = true, .id = "chart"};
    struct html h;

    html_init(&h, b);
    render_svg(g, &style, &h);
    html_newline(&h);
}
