/* Bars of names: each runs to the right, with its name and figure beside it; on a narrow page,
 * above it. */
#include "lib/core/format.h"
#include "lib/core/render_svg_work.h"

#define GAP       80
#define BAR_LEAST 10

static int64_t figure_width(struct svg_chart *c, const struct svg_bar *bar)
{
    if (bar->total == REPORT_UNKNOWN)
        return 0;
    return render_svg_text_width(c, render_svg_figure(c, bar->column, bar->total));
}

static int64_t row_height(const struct svg_chart *c)
{
    return c->style->narrow ? c->font * 3 : c->font * 2;
}

/* Names take a third of a wide chart at most. */
void render_svg_names_frame(struct svg_chart *c, int64_t legend)
{
    int64_t name = 0, figure = 0;

    for (size_t i = 0; i < c->bar_count; i++) {
        int64_t name_width = render_svg_text_width(c, c->bars[i].text);
        int64_t shown = figure_width(c, &c->bars[i]);

        name = name_width > name ? name_width : name;
        figure = shown > figure ? shown : figure;
    }
    name = name > c->width / 3 ? c->width / 3 : name;
    c->left = c->style->narrow ? 0 : name + GAP;
    c->right = c->style->narrow ? c->width : c->width - figure - GAP;
    c->top = legend + c->font / 2;
    c->bottom = c->top + row_height(c) * (int64_t)c->bar_count;
    c->height = (c->bottom + 50 + 9) / 10 * 10;
}

static int64_t length_of(const struct svg_chart *c, double value)
{
    return c->most == 0 ? 0
                        : (int64_t)(value / (double)c->most * (double)(c->right - c->left) + 0.5);
}

/* Returns where the bar ends. */
static int64_t add_bar(struct svg_chart *c, const struct svg_bar *bar, int64_t y, int64_t height)
{
    int64_t x = 0;
    double sum = 0;

    for (size_t s = 0; s < c->series_count; s++) {
        int64_t end;

        if (bar->values[s] == REPORT_UNKNOWN)
            continue;
        sum += (double)bar->values[s];
        end = length_of(c, sum);
        if (sum > 0 && end < BAR_LEAST)
            end = BAR_LEAST;
        if (end > x)
            render_svg_rect_pattern(c, render_svg_pattern(s), c->left + x, y, end - x, height);
        x = end > x ? end : x;
    }
    return c->left + x;
}

static void add_texts(struct svg_chart *c, const struct svg_bar *bar, int64_t y, int64_t bar_end)
{
    int64_t room = c->style->narrow ? c->width - figure_width(c, bar) - GAP : c->left - GAP;

    render_svg_text_fit(c, "name", 0, y, room, bar->text);
    if (bar->total == REPORT_UNKNOWN)
        return;
    if (c->style->narrow)
        render_svg_text(c, "figure", c->width, y, "end",
                        render_svg_figure(c, bar->column, bar->total));
    else
        render_svg_text(c, "figure", bar_end + GAP * 3 / 4, y, "start",
                        render_svg_figure(c, bar->column, bar->total));
}

static void add_band(struct svg_chart *c, int64_t y)
{
    html_open(c->h, "rect");
    html_attr(c->h, "class", SLICE("band"));
    html_attr_tenths(c->h, "x", 0);
    html_attr_tenths(c->h, "y", y);
    html_attr_tenths(c->h, "width", c->width);
    html_attr_tenths(c->h, "height", row_height(c));
    html_attr(c->h, "fill-opacity", SLICE("0"));
    html_close(c->h, "rect");
}

void render_svg_names(struct svg_chart *c)
{
    for (size_t i = 0; i < c->bar_count; i++) {
        int64_t y = c->top + row_height(c) * (int64_t)i, end;
        const char *element = render_svg_bar_open(c, &c->bars[i]);

        add_band(c, y);
        if (c->style->narrow)
            end = add_bar(c, &c->bars[i], y + c->font * 155 / 100, c->font * 9 / 10);
        else
            end = add_bar(c, &c->bars[i], y + c->font / 3, c->font * 4 / 3);
        add_texts(c, &c->bars[i], y + c->font * (c->style->narrow ? 115 : 135) / 100, end);
        html_close(c->h, element);
    }
}
