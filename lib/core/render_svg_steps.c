/* Charts over time: the axes, and bars, lines or areas of the steps. */
#include <inttypes.h>
#include <string.h>

#include "lib/core/format.h"
#include "lib/core/render_svg_work.h"

#define HEIGHT_WIDE   2400 /* of the plot */
#define HEIGHT_NARROW 1500
#define MARGIN        60
#define BAR_MOST      480
#define BAR_LEAST     10 /* what is not nothing is seen */
#define BAND_MET      30
#define POINTS_MOST   62 /* more would hide the line */

/* --- axes ------------------------------------------------------------------------------------ */

void render_svg_steps_frame(struct svg_chart *c, int64_t legend)
{
    int64_t label = 0;

    render_svg_scale(&c->g->kind->columns[c->main], c->most, c->style->narrow ? 4 : 5, &c->scale);
    for (unsigned i = 0; i <= c->scale.count; i++) {
        int64_t width;

        buf_reset(&c->text);
        render_svg_scale_label(&c->scale, i, &c->text);
        width = render_svg_text_width(c, buf_slice(&c->text));
        label = width > label ? width : label;
    }
    c->left = label + MARGIN;
    c->right = c->width - MARGIN;
    c->top = legend + c->font / 2;
    c->bottom = c->top + (c->style->narrow ? HEIGHT_NARROW : HEIGHT_WIDE);
    c->height = (c->bottom + 2 * c->font + 9) / 10 * 10;
}

static int64_t y_of(const struct svg_chart *c, double value)
{
    double share = value / render_svg_scale_top(&c->scale);

    return c->bottom - (int64_t)(share * (double)(c->bottom - c->top) + 0.5);
}

/* Where the step's band begins; that of bar_count: where the last one ends. */
static int64_t band(const struct svg_chart *c, size_t i)
{
    return c->left + (c->right - c->left) * (int64_t)i / (int64_t)c->bar_count;
}

static int64_t centre(const struct svg_chart *c, size_t i)
{
    return (band(c, i) + band(c, i + 1)) / 2;
}

static void add_line(struct svg_chart *c, const char *class_name, int64_t y, const char *opacity)
{
    html_open(c->h, "line");
    html_attr(c->h, "class", slice_str(class_name));
    html_attr_tenths(c->h, "x1", c->left);
    html_attr_tenths(c->h, "x2", c->right);
    html_attr_tenths(c->h, "y1", y);
    html_attr_tenths(c->h, "y2", y);
    html_attr(c->h, "stroke", SLICE("currentColor"));
    html_attr(c->h, "stroke-opacity", slice_str(opacity));
    html_close(c->h, "line");
}

static void add_values_axis(struct svg_chart *c)
{
    for (unsigned i = 0; i <= c->scale.count; i++) {
        int64_t y = c->bottom - (c->bottom - c->top) * i / c->scale.count;

        add_line(c, i == 0 ? "axis" : "rule", y, i == 0 ? ".6" : ".15");
        buf_reset(&c->text);
        render_svg_scale_label(&c->scale, i, &c->text);
        render_svg_text(c, "tick", c->left - MARGIN, y + c->font * 35 / 100, "end",
                        buf_slice(&c->text));
    }
}

/* "Nov 1" of 2026-11-01, "Nov 2026" of 2026-11, "13:00" of 2026-11-21T13 (midnight: its day),
 * "W47", "Q4 2026". Other names stay as they are. */
static void step_text(struct slice step, struct buf *b)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct slice rest = slice_from(step, 5), year = slice_to(step, 4);
    uint64_t month = 0, number;

    if (slice_number(slice_to(rest, 2), &month) && month >= 1 && month <= 12) {
        struct slice day = slice_from(rest, 3);
        struct slice hour = slice_from(day, 3);

        if (hour.len == 2 && !slice_equal(hour, SLICE("00")))
            buf_addf(b, "%.2s:00", hour.ptr);
        else if (slice_number(slice_to(day, 2), &number))
            buf_addf(b, "%s %" PRIu64, months[month - 1], number);
        else
            buf_addf(b, "%s %.*s", months[month - 1], SLICE_FMT(year));
    } else if (slice_starts(rest, SLICE("Q"))) {
        buf_addf(b, "%.*s %.*s", SLICE_FMT(rest), SLICE_FMT(year));
    } else if (slice_starts(rest, SLICE("W"))) {
        buf_add(b, rest);
    } else {
        buf_add(b, step);
    }
}

/* Each how many steps have a label, so that none touches the next: hours by parts of a day. */
static size_t label_each(struct svg_chart *c)
{
    static const size_t hours[] = {1, 2, 3, 4, 6, 12, 24, 48, 72, 168, 336, 744};
    bool hourly = strcmp(c->g->label_names[GRID_STEP], "hour") == 0;
    int64_t widest = 0, room = c->right - c->left;
    size_t fit;

    for (size_t i = 0; i < c->bar_count; i++) {
        int64_t width;

        buf_reset(&c->text);
        step_text(c->bars[i].text, &c->text);
        width = render_svg_text_width(c, buf_slice(&c->text)) + c->font;
        widest = width > widest ? width : widest;
    }
    fit = (size_t)((widest * (int64_t)c->bar_count + room - 1) / room);
    for (size_t i = 0; hourly && i < sizeof hours / sizeof hours[0]; i++) {
        if (hours[i] >= fit)
            return hours[i];
    }
    return fit > 0 ? fit : 1;
}

/* Hours are labelled at the hours that divide the day, all else from the first on. */
static size_t label_first(const struct svg_chart *c, size_t each)
{
    uint64_t hour = 0;

    if (strcmp(c->g->label_names[GRID_STEP], "hour") == 0 &&
        slice_number(slice_from(c->bars[0].text, 11), &hour) && each <= 24)
        return (each - (size_t)hour % each) % each;
    return 0;
}

static void add_steps_axis(struct svg_chart *c)
{
    size_t each = label_each(c);

    for (size_t i = label_first(c, each); i < c->bar_count; i += each) {
        int64_t x = centre(c, i), half;

        buf_reset(&c->text);
        step_text(c->bars[i].text, &c->text);
        half = render_svg_text_width(c, buf_slice(&c->text)) / 2;
        x = x + half > c->width ? c->width - half : x;
        x = x < half ? half : x;
        render_svg_text(c, "tick", x, c->bottom + c->font * 3 / 2, "middle", buf_slice(&c->text));
    }
}

/* --- what each step has ---------------------------------------------------------------------- */

/* The largest series of a bar that is too small for more than one. */
static size_t largest(const struct svg_chart *c, const struct svg_bar *bar)
{
    size_t found = 0;

    for (size_t s = 1; s < c->series_count; s++) {
        if (bar->values[s] + 1 > bar->values[found] + 1)
            found = s;
    }
    return found;
}

static void add_stack(struct svg_chart *c, const struct svg_bar *bar, int64_t x, int64_t width)
{
    int64_t y = c->bottom;
    double sum = 0;

    if (c->bottom - y_of(c, (double)bar->total) < BAR_LEAST) {
        render_svg_rect_pattern(c, render_svg_pattern(largest(c, bar)), x, c->bottom - BAR_LEAST,
                                width, BAR_LEAST);
        return;
    }
    for (size_t s = 0; s < c->series_count; s++) {
        int64_t above;

        if (bar->values[s] == REPORT_UNKNOWN)
            continue;
        sum += (double)bar->values[s];
        above = y_of(c, sum);
        if (above < y)
            render_svg_rect_pattern(c, render_svg_pattern(s), x, above, width, y - above);
        y = above;
    }
}

static bool is_open(const struct svg_bar *bar)
{
    return bar->coverage != NULL && (bar->coverage->is_running || bar->coverage->is_behind);
}

static void add_bar(struct svg_chart *c, const struct svg_bar *bar, size_t i)
{
    int64_t room = band(c, i + 1) - band(c, i);
    int64_t width = room * 72 / 100 < BAR_MOST ? room * 72 / 100 : BAR_MOST;
    int64_t x = centre(c, i) - width / 2;

    if (bar->total == REPORT_UNKNOWN || bar->total == 0)
        return;
    width = width > 5 ? width : 5;
    add_stack(c, bar, x, width);
    if (is_open(bar)) {
        int64_t top = y_of(c, (double)bar->total);

        top = top > c->bottom - BAR_LEAST ? c->bottom - BAR_LEAST : top;
        render_svg_rect_pattern(c, "hatch", x, top, width, c->bottom - top);
    }
}

/* On a narrow page, no finger meets a band of 3 pixels: its title and link would only be weight. */
static bool is_met(const struct svg_chart *c, size_t i)
{
    return !c->style->narrow || band(c, i + 1) - band(c, i) > BAND_MET;
}

/* The whole band answers to the pointer. */
static void add_band(struct svg_chart *c, size_t i)
{
    html_open(c->h, "rect");
    html_attr(c->h, "class", SLICE("band"));
    html_attr_tenths(c->h, "x", band(c, i));
    html_attr_tenths(c->h, "y", c->top);
    html_attr_tenths(c->h, "width", band(c, i + 1) - band(c, i));
    html_attr_tenths(c->h, "height", c->bottom - c->top);
    html_attr(c->h, "fill-opacity", SLICE("0"));
    html_close(c->h, "rect");
}

/* The band shows what is unknown or has a gap. */
static void add_state(struct svg_chart *c, const struct svg_bar *bar, size_t i)
{
    int64_t x = band(c, i), width = band(c, i + 1) - x;

    if (bar->total == REPORT_UNKNOWN)
        render_svg_rect_pattern(c, "blank", x, c->top, width, c->bottom - c->top);
    else if (c->style->kind != RENDER_SVG_BAR && is_open(bar))
        render_svg_rect_pattern(c, "hatch", x, c->top, width, c->bottom - c->top);
    if (bar->coverage != NULL && bar->coverage->has_gap)
        render_svg_rect(c, "gap", "currentColor", x, c->bottom + 5, width, 35);
}

static void add_step(struct svg_chart *c, size_t i)
{
    const struct svg_bar *bar = &c->bars[i];
    const char *element = "g";

    if (is_met(c, i)) {
        element = render_svg_bar_open(c, bar);
        add_band(c, i);
    } else {
        html_open(c->h, element);
    }
    add_state(c, bar, i);
    if (c->style->kind == RENDER_SVG_BAR)
        add_bar(c, bar, i);
    html_close(c->h, element);
}

/* --- lines and areas ------------------------------------------------------------------------- */

/* What the series adds up to at step i: by itself (lines), or on top of those before (areas). */
static double level(const struct svg_chart *c, size_t i, size_t series)
{
    double sum = 0;

    for (size_t s = c->style->kind == RENDER_SVG_AREA ? 0 : series; s <= series; s++) {
        if (c->bars[i].values[s] != REPORT_UNKNOWN)
            sum += (double)c->bars[i].values[s];
    }
    return sum;
}

static bool is_known(const struct svg_chart *c, size_t i, size_t series)
{
    return c->style->kind == RENDER_SVG_AREA ? c->bars[i].total != REPORT_UNKNOWN
                                             : c->bars[i].values[series] != REPORT_UNKNOWN;
}

/* The end of the run of steps that are known. */
static size_t run_end(const struct svg_chart *c, size_t start, size_t series)
{
    size_t end = start;

    while (end < c->bar_count && is_known(c, end, series))
        end++;
    return end;
}

static void path_to(struct svg_chart *c, char command, int64_t x, int64_t y)
{
    buf_addf(&c->url, "%c%" PRId64 ".%" PRId64 " %" PRId64 ".%" PRId64, command, x / 10, x % 10,
             y / 10, y % 10);
}

/* From edge to edge of the run, so that a run of one step is seen too. */
static void path_edge(struct svg_chart *c, size_t start, size_t end, size_t series)
{
    path_to(c, 'M', band(c, start), y_of(c, level(c, start, series)));
    for (size_t i = start; i < end; i++)
        path_to(c, 'L', centre(c, i), y_of(c, level(c, i, series)));
    path_to(c, 'L', band(c, end), y_of(c, level(c, end - 1, series)));
}

/* Back along the series below, or the axis. */
static void path_back(struct svg_chart *c, size_t start, size_t end, size_t series)
{
    int64_t below = series > 0 ? y_of(c, level(c, end - 1, series - 1)) : c->bottom;

    path_to(c, 'L', band(c, end), below);
    for (size_t i = end; series > 0 && i-- > start;)
        path_to(c, 'L', centre(c, i), y_of(c, level(c, i, series - 1)));
    below = series > 0 ? y_of(c, level(c, start, series - 1)) : c->bottom;
    path_to(c, 'L', band(c, start), below);
    buf_add_char(&c->url, 'Z');
}

static void path_line(struct svg_chart *c, size_t start, size_t end, size_t series)
{
    for (size_t i = start; i < end; i++)
        path_to(c, i == start ? 'M' : 'L', centre(c, i), y_of(c, level(c, i, series)));
}

static void add_points(struct svg_chart *c, size_t start, size_t end, size_t series)
{
    if (end - start > 1 && c->bar_count > POINTS_MOST)
        return;
    for (size_t i = start; i < end; i++) {
        html_open(c->h, "circle");
        html_attr(c->h, "class", slice_str(render_svg_class(series)));
        html_attr_tenths(c->h, "cx", centre(c, i));
        html_attr_tenths(c->h, "cy", y_of(c, level(c, i, series)));
        html_attr_tenths(c->h, "r", 25);
        html_attr(c->h, "fill", slice_str(render_svg_colour(series)));
        html_close(c->h, "circle");
    }
}

static void begin_path(struct svg_chart *c)
{
    html_open(c->h, "path");
    html_attr(c->h, "d", buf_slice(&c->url));
}

static void add_run(struct svg_chart *c, size_t start, size_t end, size_t series)
{
    buf_reset(&c->url);
    if (c->style->kind == RENDER_SVG_AREA) {
        path_edge(c, start, end, series);
        path_back(c, start, end, series);
        begin_path(c);
        html_attr(c->h, "fill", render_svg_pattern_url(c, render_svg_pattern(series)));
        html_close(c->h, "path");
        return;
    }
    path_line(c, start, end, series);
    begin_path(c);
    html_attr(c->h, "class", slice_str(render_svg_line_class(series)));
    html_attr(c->h, "fill", SLICE("none"));
    html_attr(c->h, "stroke", slice_str(render_svg_colour(series)));
    html_attr(c->h, "stroke-width", SLICE("2"));
    if (render_svg_dashes(series) != NULL)
        html_attr(c->h, "stroke-dasharray", slice_str(render_svg_dashes(series)));
    html_close(c->h, "path");
    add_points(c, start, end, series);
}

static void add_runs(struct svg_chart *c, size_t series)
{
    for (size_t start = 0; start < c->bar_count; start++) {
        size_t end = run_end(c, start, series);

        if (end > start)
            add_run(c, start, end, series);
        start = end;
    }
}

void render_svg_steps(struct svg_chart *c)
{
    html_open(c->h, "g");
    html_attr(c->h, "aria-hidden", SLICE("true"));
    add_values_axis(c);
    add_steps_axis(c);
    html_close(c->h, "g");
    for (size_t s = 0; s < c->series_count && c->style->kind == RENDER_SVG_AREA; s++)
        add_runs(c, s);
    for (size_t i = 0; i < c->bar_count; i++)
        add_step(c, i);
    for (size_t s = 0; s < c->series_count && c->style->kind == RENDER_SVG_LINE; s++)
        add_runs(c, s);
}
