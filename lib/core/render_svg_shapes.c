/* What charts are made of: texts, rectangles, the look of a series, figures, links. */
#include <string.h>

#include "lib/core/format.h"
#include "lib/core/render.h"
#include "lib/core/render_svg_work.h"

#define CUT_BYTES ((size_t)1 << 20)

static const struct render_style plain = {.utf8 = true};

/* Told apart by those who do not see all colours (Okabe and Ito), dark enough for white paper. */
static const char *const colours[SVG_SERIES_MAX] = {"#0072b2", "#d55e00", "#008060",
                                                    "#a64d86", "#8a6d00", "#5f6b7a"};
static const char *const classes[SVG_SERIES_MAX] = {"s1", "s2", "s3", "s4", "s5", "s6"};
static const char *const line_classes[SVG_SERIES_MAX] = {"l1", "l2", "l3", "l4", "l5", "l6"};
static const char *const patterns[SVG_SERIES_MAX] = {"1", "2", "3", "4", "5", "6"};
static const char *const dashes[SVG_SERIES_MAX] = {NULL, "7 3", "2 2", "9 3 2 3", "5 5", "1 4"};
const char *render_svg_colour(size_t series)
{
    return colours[series];
}

const char *render_svg_class(size_t series)
{
    return classes[series];
}

const char *render_svg_line_class(size_t series)
{
    return line_classes[series];
}

const char *render_svg_pattern(size_t series)
{
    return patterns[series];
}

const char *render_svg_dashes(size_t series)
{
    return dashes[series];
}

/* --- texts and shapes ------------------------------------------------------------------------ */

void render_svg_attr(struct svg_chart *c, const char *name, const char *value)
{
    if (value != NULL)
        html_attr(c->h, name, slice_str(value));
}

/* Digits take 0.56 to 0.64 of the font's size, most letters less; a wide character is two columns.
 */
int64_t render_svg_text_width(const struct svg_chart *c, struct slice text)
{
    return (int64_t)format_width(text) * c->font * 62 / 100;
}

void render_svg_text(struct svg_chart *c, const char *class_name, int64_t x, int64_t y,
                     const char *anchor, struct slice text)
{
    html_open(c->h, "text");
    render_svg_attr(c, "class", class_name);
    html_attr_tenths(c->h, "x", x);
    html_attr_tenths(c->h, "y", y);
    if (strcmp(anchor, "start") != 0)
        render_svg_attr(c, "text-anchor", anchor);
    html_text(c->h, text);
    html_close(c->h, "text");
}

void render_svg_text_fit(struct svg_chart *c, const char *class_name, int64_t x, int64_t y,
                         int64_t room, struct slice text)
{
    size_t columns = (size_t)(room * 100 / (c->font * 62));
    struct buf cut;

    if (format_width(text) <= columns) {
        render_svg_text(c, class_name, x, y, "start", text);
        return;
    }
    buf_init(&cut, CUT_BYTES);
    buf_add(&cut, format_head(text, columns > 0 ? columns - 1 : 0));
    buf_add_str(&cut, "…");
    render_svg_text(c, class_name, x, y, "start", buf_slice(&cut));
    buf_fini(&cut);
}

void render_svg_rect(struct svg_chart *c, const char *class_name, const char *fill, int64_t x,
                     int64_t y, int64_t width, int64_t height)
{
    html_open(c->h, "rect");
    render_svg_attr(c, "class", class_name);
    html_attr_tenths(c->h, "x", x);
    html_attr_tenths(c->h, "y", y);
    html_attr_tenths(c->h, "width", width);
    html_attr_tenths(c->h, "height", height);
    render_svg_attr(c, "fill", fill);
    html_close(c->h, "rect");
}

struct slice render_svg_id(struct svg_chart *c, const char *before, const char *name,
                           const char *after)
{
    buf_reset(&c->text);
    buf_add_str(&c->text, before);
    buf_add_str(&c->text, c->style->id);
    buf_add_char(&c->text, '-');
    buf_add_str(&c->text, name);
    buf_add_str(&c->text, after);
    return buf_slice(&c->text);
}

struct slice render_svg_pattern_url(struct svg_chart *c, const char *pattern)
{
    return render_svg_id(c, "url(#", pattern, ")");
}

void render_svg_rect_pattern(struct svg_chart *c, const char *pattern, int64_t x, int64_t y,
                             int64_t width, int64_t height)
{
    struct slice fill = render_svg_pattern_url(c, pattern);

    render_svg_rect(c, strcmp(pattern, "hatch") == 0 ? "hatch" : NULL, fill.ptr, x, y, width,
                    height);
}

/* format_bytes writes "512  B", for columns. */
struct slice render_svg_figure(struct svg_chart *c, size_t column, uint64_t value)
{
    size_t kept = 0;

    buf_reset(&c->text);
    render_value(c->g, column, value, &plain, false, &c->text);
    for (size_t i = 0; i < c->text.len; i++) {
        if (kept == 0 || c->text.data[i] != ' ' || c->text.data[kept - 1] != ' ')
            c->text.data[kept++] = c->text.data[i];
    }
    c->text.len = kept;
    return buf_slice(&c->text);
}

/* --- a bar's title and link ------------------------------------------------------------------ */

static void add_figure(struct svg_chart *c, size_t column, uint64_t value)
{
    if (value == REPORT_UNKNOWN)
        html_text(c->h, SLICE("unknown"));
    else
        html_text(c->h, render_svg_figure(c, column, value));
}

/* "2026-11-28: 3.8 GB (in 2.9 GB, out 811 MB), so far" */
static void add_bar_title(struct svg_chart *c, const struct svg_bar *bar)
{
    html_open(c->h, "title");
    html_text(c->h, bar->text);
    html_text(c->h, SLICE(": "));
    add_figure(c, bar->column, bar->total);
    for (size_t s = 0; s < c->series_count && c->series_count > 1; s++) {
        html_text(c->h, s == 0 ? SLICE(" (") : SLICE(", "));
        html_text(c->h, c->series[s].name);
        html_text(c->h, SLICE(" "));
        add_figure(c, c->series[s].column, bar->values[s]);
    }
    if (c->series_count > 1)
        html_text(c->h, SLICE(")"));
    if (bar->coverage != NULL) {
        buf_reset(&c->text);
        coverage_text(bar->coverage, &c->text);
        if (!slice_equal(buf_slice(&c->text), SLICE("complete"))) {
            html_text(c->h, SLICE(", "));
            html_text(c->h, buf_slice(&c->text));
        }
    }
    html_close(c->h, "title");
}

const char *render_svg_bar_open(struct svg_chart *c, const struct svg_bar *bar)
{
    const char *element = "g";

    buf_reset(&c->url);
    if (c->style->link != NULL && !bar->is_rest)
        c->style->link->add(c->style->link->context, bar->step, bar->by, &c->url);
    if (c->url.len > 0)
        element = "a";
    html_open(c->h, element);
    if (c->url.len > 0) {
        html_attr_url(c->h, "href", buf_slice(&c->url));
        html_attr_number(c->h, "tabindex", -1);
    }
    add_bar_title(c, bar);
    return element;
}
