#ifndef TG_CORE_RENDER_SVG_H
#define TG_CORE_RENDER_SVG_H

#include <stdbool.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/html.h"
#include "lib/core/report_grid.h"

/*
 * A grid as a chart in SVG, without script and without style: colours are presentation attributes,
 * which a style sheet overrides by class (web/static/tollgate.css does, for dark pages), texts and
 * lines are currentColor.
 *
 * With steps, time runs from left to right and the value upwards. Where the main column is a sum of
 * other columns (total = in + out + forward), these are the series: stacked in bars and areas, side
 * by side as lines. With steps and names, the largest names are the series. Without steps, each row
 * is a bar that runs to the right. Without labels, each column of the main one's unit is.
 *
 * A series is known by its pattern (by its dashes, as a line) as well as by its colour. What is not
 * over or has not arrived is hatched; a gap in the log is a bar below the axis; a time of which
 * nothing is known is grey, and lines are interrupted there.
 *
 * Pure; the caller looks at the builder's `failed`.  Limits: 6 series (the smallest are added up),
 * 40 bars of names (the others are added up).
 */

enum render_svg_kind { RENDER_SVG_BAR, RENDER_SVG_LINE, RENDER_SVG_AREA };

/* The address of what a row stands for: that step, that name. Leaves `url` empty where there is
 * none. */
struct render_link {
    void (*add)(void *context, struct slice step, struct slice by, struct buf *url);
    void *context;
};

struct render_svg_style {
    enum render_svg_kind kind; /* with steps; all else is bars */
    bool narrow;               /* for 360 CSS pixels; else for 960 and more */
    bool alone;                /* a file: on white paper, with the title in sight */
    const char *id;            /* begins the ids of its elements: one of its own on each page */
    const char *class_name;    /* of the svg element; NULL: none */
    /* NULL: none. The links are reached by pointer; a keyboard finds the same in the table. */
    const struct render_link *link;
};

void render_svg(const struct report_grid *g, const struct render_svg_style *style, struct html *h)
    TG_NONNULL(1, 2, 3);
/* The same as a file. */
void render_svg_file(const struct report_grid *g, enum render_svg_kind kind, struct buf *b)
    TG_NONNULL(1, 3);

#endif
