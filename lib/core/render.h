#ifndef TG_CORE_RENDER_H
#define TG_CORE_RENDER_H

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/format.h"
#include "lib/core/report_grid.h"

/*
 * A grid as text: a table and bars for people, CSV for programs (JSON is in lib/sys/json.h).
 * Pure; the caller looks at the builder's `failed`.
 */

struct render_style {
    unsigned width; /* columns of the terminal; 0: as wide as it gets */
    bool utf8;      /* the terminal shows UTF-8 */
    bool colour;    /* and takes colours (never needed to understand what is said) */
};

/* Aligned columns, a line of totals where there are several rows. Counts are exact; where the table
 * would be wider than style->width they are shortened, then minor columns left out, which a line
 * below names. */
void render_table(const struct report_grid *g, const struct render_style *style, struct buf *b)
    TG_NONNULL(1);

/* One bar a row of report_grid_main's column; without labels, one bar a column of the same unit.
 * Eighths of a block in UTF-8, `#` in ASCII. style->width 0 counts as 80. */
void render_chart(const struct report_grid *g, const struct render_style *style, struct buf *b)
    TG_NONNULL(1);

/* RFC 4180: a header row of labels and columns, CRLF ends, exact plain numbers; no line of totals.
 */
void render_csv(const struct report_grid *g, struct buf *b) TG_NONNULL(1);
/* A cell of text: as format_text shows it (line breaks are controls), quoted where it has to be.
 * One that a spreadsheet would take for a formula (it begins with = + - or @) has a ' before it. */
void render_csv_text(struct buf *b, struct slice value) TG_NONNULL(1);

/* A value of that column for people: counts and bytes as format_value, quotients with one decimal;
 * ">=" where it is at least so much; nothing where it is unknown. */
void render_value(const struct report_grid *g, size_t column, uint64_t value,
                  const struct render_style *style, bool brief, struct buf *b) TG_NONNULL(1, 4, 6);
/* The same as format_value_before has it; at most RENDER_ROOM bytes. */
#define RENDER_ROOM (FORMAT_ROOM + 8)
char *render_value_before(char *end, const struct report_grid *g, size_t column, uint64_t value,
                          const struct render_style *style, bool brief) TG_NONNULL(1, 2, 5);
/* The same exactly, for programs: quotients with three decimals, nothing where it is unknown. */
void render_exact(const struct report_column *column, uint64_t value, struct buf *b)
    TG_NONNULL(1, 3);
/* What the row covers, as coverage_text says it, and which of its figures are bounds: "so far; at
 * least pop_bytes". */
void render_coverage(const struct report_grid *g, const struct coverage *coverage, struct buf *b)
    TG_NONNULL(1, 3);
/* A label, and the marks of coverage_marks behind it where rows differ in time or node. */
void render_label(const struct report_grid *g, const struct report_grid_row *row,
                  enum report_grid_label label, struct buf *b) TG_NONNULL(1, 2, 4);
/* The label that has the marks; the other one is as the row has it. */
enum report_grid_label render_marked_label(const struct report_grid *g) TG_NONNULL(1);

/* Do rows differ in what they cover? They do where they are of different times or nodes. */
bool render_has_marks(const struct report_grid *g) TG_NONNULL(1);
/* Is there more than one row to be added up? */
bool render_has_total(const struct report_grid *g) TG_NONNULL(1);
/* "(12 more)": the label of what `top` left out. */
void render_others_label(const struct report_grid *g, struct buf *b) TG_NONNULL(1, 2);

/* What table and chart share: the title above, remarks below. */
void render_title(const struct report_grid *g, const struct render_style *style, struct buf *b)
    TG_NONNULL(1);
void render_notes(const struct report_grid *g, const struct render_style *style, struct buf *b)
    TG_NONNULL(1, 2, 3);

#endif
