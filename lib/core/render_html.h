#ifndef TG_CORE_RENDER_HTML_H
#define TG_CORE_RENDER_HTML_H

#include "lib/core/html.h"
#include "lib/core/render_svg.h"
#include "lib/core/report_grid.h"

/*
 * A grid as parts of an HTML page, and as a page of its own. The parts are styled by
 * web/static/tollgate.css, which is compiled in; they have no style attributes and need no script.
 *
 * The table stands in a region that scrolls sideways by itself and takes the keyboard's focus, so
 * that the page never does. Columns marked minor are of class "minor", which a narrow page hides;
 * raw ones are left out.  Pure; the caller looks at the builder's `failed`.
 */

/* The address that sorts by a column, by its name or that of a label ("day", "domain"). */
struct render_sort {
    void (*add)(void *context, struct slice column, struct buf *url);
    void *context;
};

struct render_html_style {
    enum render_svg_kind chart;
    const char *id;                 /* begins the ids of its elements */
    const struct render_link *link; /* rows and bars lead there; NULL: nowhere */
    const struct render_sort *sort; /* heads lead there; NULL: nowhere */
};

/* The totals, one card a column that is neither minor nor raw. */
void render_html_cards(const struct report_grid *g, struct html *h) TG_NONNULL(1, 2);
/* The chart, wide and narrow; the sheet shows the one that fits. */
void render_html_figure(const struct report_grid *g, const struct render_html_style *style,
                        struct html *h) TG_NONNULL(1, 2, 3);
void render_html_table(const struct report_grid *g, const struct render_html_style *style,
                       struct html *h) TG_NONNULL(1, 2, 3);
/* What is to be known of the figures: marks, gaps; nothing where there is nothing. */
void render_html_notes(const struct report_grid *g, struct html *h) TG_NONNULL(1, 2);
/* What each column counts. */
void render_html_definitions(const struct report_kind *kind, struct html *h) TG_NONNULL(1, 2);

/* A bar of usage: so many thousandths of a limit, at most all of it. class_name: "good", "warn" or
 * "bad". It says nothing to a screen reader: the figures stand beside it. */
void render_html_meter(struct html *h, const char *class_name, unsigned thousandths)
    TG_NONNULL(1, 2);

/* "SMTP traffic", and "domain example.com, 2026-11-01 to 2026-11-30, times in Europe/Zagreb". */
void render_html_heading(const struct report_grid *g, struct html *h) TG_NONNULL(1, 2);
/* All of it in one file that needs no other. `footer` says what wrote it, and when. */
void render_html_file(const struct report_grid *g, enum render_svg_kind chart, struct slice footer,
                      struct buf *b) TG_NONNULL(1, 4);

/* web/static/tollgate.css; and what served pages have beside it: tollgate.js, icon.svg. */
extern const char render_html_sheet[], render_html_script[], render_html_icon[];

#endif
