#ifndef TG_CORE_RENDER_SVG_WORK_H
#define TG_CORE_RENDER_SVG_WORK_H

#include "lib/core/arena.h"
#include "lib/core/render_svg.h"

/*
 * What the parts of render_svg share: the numbers of a chart (render_svg_data), its scale
 * (render_svg_scale), its frame and legend (render_svg.c), its
 * texts and shapes (render_svg_shapes), its bars and lines (render_svg_steps,
 * render_svg_names).
 *
 * Units: lengths and places are tenths of a unit of the viewBox.
 */

#define SVG_SERIES_MAX 6
#define SVG_NAMES_MAX  40 /* bars of names, the sum of the others included */

struct svg_series {
    struct slice name;
    size_t column; /* of the grid */
};

struct svg_bar {
    struct slice step, by; /* the labels; empty where there are none */
    struct slice text;     /* what it is called */
    const struct coverage *coverage;
    bool is_rest;                    /* the sum of what is not shown: leads nowhere */
    size_t column;                   /* of the grid, whose values they are */
    uint64_t values[SVG_SERIES_MAX]; /* REPORT_UNKNOWN */
    uint64_t total;                  /* of those that are known; REPORT_UNKNOWN: none is */
};

/* The axis of values, from 0 to count * step. */
struct svg_scale {
    double unit;     /* what one unit of the labels is worth */
    uint64_t tenths; /* a step, in tenths of a unit */
    unsigned count;  /* of steps */
    const char *name;
};

struct svg_chart {
    const struct report_grid *g;
    const struct render_svg_style *style;
    struct html *h;
    struct arena arena;   /* bars */
    struct buf text, url; /* scratch */

    size_t main; /* column of the grid */
    bool over_time;
    struct svg_series series[SVG_SERIES_MAX];
    size_t series_count;
    struct svg_bar *bars;
    size_t bar_count;
    uint64_t most; /* the largest total; of lines, the largest value */
    struct svg_scale scale;

    int64_t width, height, font;
    int64_t left, right, top, bottom; /* of the plot */
};

/* Fills series, bars and `most`. False: out of memory. */
bool render_svg_data(struct svg_chart *c) TG_MUST_USE TG_NONNULL(1);

/* Round numbers for values up to `most`, with `most_steps` steps at most. */
void render_svg_scale(const struct report_column *column, uint64_t most, unsigned most_steps,
                      struct svg_scale *out) TG_NONNULL(1, 4);
double render_svg_scale_top(const struct svg_scale *s) TG_NONNULL(1);
/* The label of step i: "0", "1.5 MB", "20k". */
void render_svg_scale_label(const struct svg_scale *s, unsigned i, struct buf *b) TG_NONNULL(1, 3);

/* NULL: no such attribute. */
void render_svg_attr(struct svg_chart *c, const char *name, const char *value) TG_NONNULL(1, 2);
/* "chart-title", or a reference to it with what stands before and after; in c->text. */
struct slice render_svg_id(struct svg_chart *c, const char *before, const char *name,
                           const char *after) TG_NONNULL(1, 2, 3, 4);
/* How wide the text is at most in any usual font. */
int64_t render_svg_text_width(const struct svg_chart *c, struct slice text) TG_NONNULL(1);
/* anchor: "start", "middle", "end". class_name NULL: none. */
void render_svg_text(struct svg_chart *c, const char *class_name, int64_t x, int64_t y,
                     const char *anchor, struct slice text) TG_NONNULL(1, 5);
/* The same, cut so that it is no wider than `room`. */
void render_svg_text_fit(struct svg_chart *c, const char *class_name, int64_t x, int64_t y,
                         int64_t room, struct slice text) TG_NONNULL(1);
/* fill NULL: as inherited. */
void render_svg_rect(struct svg_chart *c, const char *class_name, const char *fill, int64_t x,
                     int64_t y, int64_t width, int64_t height) TG_NONNULL(1);
/* "url(#chart-1)", in c->text: the pattern of that name ("1" to "6", "hatch", "blank"). */
struct slice render_svg_pattern_url(struct svg_chart *c, const char *pattern) TG_NONNULL(1, 2);
void render_svg_rect_pattern(struct svg_chart *c, const char *pattern, int64_t x, int64_t y,
                             int64_t width, int64_t height) TG_NONNULL(1, 2);
/* Of series i: its colour ("#0072b2"), classes ("s1"; as a line "l1"), pattern ("1") and dashes
 * (NULL: none). */
const char *render_svg_colour(size_t series);
const char *render_svg_class(size_t series);
const char *render_svg_line_class(size_t series);
const char *render_svg_pattern(size_t series);
const char *render_svg_dashes(size_t series);

/* A figure for people, in c->text. */
struct slice render_svg_figure(struct svg_chart *c, size_t column, uint64_t value) TG_NONNULL(1);
/* Opens the bar's link, or a group, with its title in it; returns the element to close. */
const char *render_svg_bar_open(struct svg_chart *c, const struct svg_bar *bar) TG_NONNULL(1, 2);

/* The plots. render_svg_steps_frame sets left, bottom ... for the height of the legend given. */
void render_svg_steps_frame(struct svg_chart *c, int64_t legend) TG_NONNULL(1);
void render_svg_steps(struct svg_chart *c) TG_NONNULL(1);
void render_svg_names_frame(struct svg_chart *c, int64_t legend) TG_NONNULL(1);
void render_svg_names(struct svg_chart *c) TG_NONNULL(1);

#endif
