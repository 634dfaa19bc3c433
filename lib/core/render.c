#include "lib/core/render.h"

#include <inttypes.h>
#include <string.h>

#include "lib/core/format.h"

#define NOTES_BYTES ((size_t)1 << 20)

void render_title(const struct report_grid *g, const struct render_style *style, struct buf *b)
{
    buf_addf(b, "%s%s, %s", style->colour ? "\033[1m" : "", g->kind->title, g->scope);
    if (g->name.len > 0) {
        buf_add_char(b, ' ');
        format_text(b, g->name);
    }
    buf_add_str(b, ", ");
    buf_add(b, g->from);
    if (!slice_equal(g->from, g->to)) {
        buf_add_str(b, " to ");
        buf_add(b, g->to);
    }
    if (g->label_names[GRID_STEP] != NULL &&
        slice_equal(slice_str(g->label_names[GRID_STEP]), SLICE("hour")))
        buf_add_str(b, " UTC");
    buf_add_str(b, style->colour ? "\033[0m\n\n" : "\n\n");
}

static char *quotient_before(char *end, uint64_t millionths, bool brief)
{
    uint64_t tenths = (millionths + REPORT_MILLION / 20) / (REPORT_MILLION / 10);

    if (brief && tenths >= 100000)
        return format_value_before(end, UNIT_AMOUNTS, tenths / 10, true);
    *--end = (char)('0' + tenths % 10);
    *--end = '.';
    return format_value_before(end, UNIT_AMOUNTS, tenths / 10, false);
}

static struct slice bound_text(enum coverage_bound bound, bool utf8)
{
    if (bound == BOUND_LEAST)
        return utf8 ? SLICE("≥") : SLICE(">=");
    if (bound == BOUND_MOST)
        return utf8 ? SLICE("≤") : SLICE("<=");
    return SLICE("");
}

char *render_value_before(char *end, const struct report_grid *g, size_t column, uint64_t value,
                          const struct render_style *style, bool brief)
{
    const struct report_column *c = &g->kind->columns[column];
    struct slice bound;

    if (value == REPORT_UNKNOWN)
        return end;
    end = c->kind == COLUMN_SUM ? format_value_before(end, c->unit, value, brief)
                                : quotient_before(end, value, brief);
    bound = bound_text(report_grid_bound(g, column), style->utf8);
    return memcpy(end - bound.len, bound.ptr, bound.len);
}

void render_value(const struct report_grid *g, size_t column, uint64_t value,
                  const struct render_style *style, bool brief, struct buf *b)
{
    char room[RENDER_ROOM], *end = room + sizeof room;
    const char *begin = render_value_before(end, g, column, value, style, brief);

    buf_add(b, (struct slice){begin, (size_t)(end - begin)});
}

void render_exact(const struct report_column *column, uint64_t value, struct buf *b)
{
    uint64_t thousandths = value / 1000 + (value % 1000 >= 500);

    if (value == REPORT_UNKNOWN)
        return;
    if (column->kind == COLUMN_SUM)
        buf_add_number(b, value);
    else
        buf_addf(b, "%" PRIu64 ".%03" PRIu64, thousandths / 1000, thousandths % 1000);
}

static void add_bounds(const struct report_grid *g, enum coverage_bound bound, const char *text,
                       struct buf *b)
{
    const char *lead = text;

    for (size_t c = 0; c < g->kind->column_count; c++) {
        if (report_grid_bound(g, c) != bound)
            continue;
        buf_addf(b, "%s %s", lead, g->kind->columns[c].name);
        lead = "";
    }
}

void render_coverage(const struct report_grid *g, const struct coverage *coverage, struct buf *b)
{
    if (coverage == NULL)
        return;
    coverage_text(coverage, b);
    add_bounds(g, BOUND_LEAST, "; at least", b);
    add_bounds(g, BOUND_MOST, "; at most", b);
    add_bounds(g, BOUND_UNKNOWN, "; unknown", b);
}

bool render_has_marks(const struct report_grid *g)
{
    const char *by = g->label_names[GRID_BY];

    return g->label_names[GRID_STEP] != NULL || (by != NULL && strcmp(by, "node") == 0);
}

bool render_has_total(const struct report_grid *g)
{
    return g->count + g->others_count > 1;
}

void render_others_label(const struct report_grid *g, struct buf *b)
{
    buf_add_char(b, '(');
    format_count(b, g->others_count);
    buf_add_str(b, " more)");
}

enum report_grid_label render_marked_label(const struct report_grid *g)
{
    return g->label_names[GRID_STEP] != NULL ? GRID_STEP : GRID_BY;
}

void render_label(const struct report_grid *g, const struct report_grid_row *row,
                  enum report_grid_label label, struct buf *b)
{
    char marks[COVERAGE_MARKS];

    buf_add(b, row->label[label]);
    if (row->coverage == NULL || label != render_marked_label(g) || !render_has_marks(g))
        return;
    coverage_marks(row->coverage, marks);
    if (marks[0] != '\0')
        buf_addf(b, " %s", marks);
}

/* --- notes ----------------------------------------------------------------------------------- */

/* A paragraph, broken between words. */
static void add_note(const struct render_style *style, struct slice text, struct buf *b)
{
    struct slice rest = text, word;
    size_t used = 0;

    while (slice_word(&rest, " ", &word)) {
        size_t width = format_width(word);

        if (used > 0 && style->width > 0 && used + 1 + width > style->width) {
            buf_add_char(b, '\n');
            used = 0;
        }
        if (used > 0) {
            buf_add_char(b, ' ');
            used++;
        }
        format_text(b, word);
        used += width;
    }
    buf_add_char(b, '\n');
}

/* What the marks behind the labels mean, as far as there are any. */
static void add_legend(const struct report_grid *g, const struct render_style *style, struct buf *b)
{
    static const struct {
        char mark;
        const char *text;
    } legend[] = {{'*', "* so far"},
                  {'!', "! not yet reported by every node"},
                  {'~', "~ with a gap in the log"},
                  {'?', "? without the log of a node"}};
    char marks[COVERAGE_MARKS];
    struct buf line;

    buf_init(&line, 1024);
    for (size_t i = 0; i < sizeof legend / sizeof legend[0]; i++) {
        bool found = false;

        for (size_t r = 0; r < g->count && !found; r++) {
            if (g->rows[r].coverage == NULL)
                break;
            if (r > 0 && g->rows[r].coverage == g->rows[r - 1].coverage)
                continue;
            coverage_marks(g->rows[r].coverage, marks);
            found = strchr(marks, legend[i].mark) != NULL;
        }
        if (found)
            buf_addf(&line, "%s%s", line.len > 0 ? ", " : "", legend[i].text);
    }
    if (line.len > 0)
        add_note(style, buf_slice(&line), b);
    buf_fini(&line);
}

void render_notes(const struct report_grid *g, const struct render_style *style, struct buf *b)
{
    struct buf notes;

    buf_init(&notes, NOTES_BYTES);
    if (render_has_marks(g))
        add_legend(g, style, &notes);
    if (g->note.len > 0)
        add_note(style, g->note, &notes);
    for (size_t i = 0; i < g->remark_count; i++)
        add_note(style, g->remarks[i], &notes);
    if (notes.len > 0)
        buf_add_char(b, '\n');
    buf_add(b, buf_slice(&notes));
    b->failed = b->failed || notes.failed;
    buf_fini(&notes);
}
