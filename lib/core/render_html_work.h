#ifndef TG_CORE_RENDER_HTML_WORK_H
#define TG_CORE_RENDER_HTML_WORK_H

#include "lib/core/render_html.h"

/* What the parts of render_html share. */

/* A figure with its unit in an element of its own; "unknown" where it is. A longer count than
 * `most` characters is shortened. */
void render_html_figure_text(const struct report_grid *g, size_t column, uint64_t value,
                             size_t most, struct html *h) TG_NONNULL(1, 5);

#endif
