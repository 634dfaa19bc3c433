/* The grid as a table: heads that sort, rows that lead on, the others and the total below. */
#include <string.h>

#include "lib/core/format.h"
#include "lib/core/render.h"
#include "lib/core/render_html_work.h"

#define TEXT_BYTES ((size_t)1 << 20)

struct render_html_work {
    const struct report_grid *g;
    const struct render_html_style *style;
    struct html *h;
    struct buf text, url; /* scratch */
};

static bool has_labels(const struct report_grid *g)
{
    return g->label_names[GRID_STEP] != NULL || g->label_names[GRID_BY] != NULL;
}

/* --- heads ------------------------------------------------------------------------------------ */

/* Numbers stand right; the first column of a group begins it; minor ones go first on a narrow page.
 */
static const char *column_class(const struct report_grid *g, size_t column)
{
    const struct report_column *c = &g->kind->columns[column];
    bool begins = c->group[0] == '\0' || column == 0 ||
                  strcmp(c->group, g->kind->columns[column - 1].group) != 0;

    if (c->minor)
        return begins ? "n minor begins" : "n minor";
    return begins ? "n begins" : "n";
}

/* Largest first, names and steps from the first on, unless it is turned round. */
static void attr_sorted(struct render_html_work *w, int order)
{
    bool down = (order >= 0) != w->g->reverse;

    if (w->g->order == order && w->style->sort != NULL)
        html_attr(w->h, "aria-sort", down ? SLICE("descending") : SLICE("ascending"));
}

/* Opens the link that sorts by that column, if there is one. */
static bool open_sort(struct render_html_work *w, struct slice name)
{
    if (w->style->sort == NULL)
        return false;
    buf_reset(&w->url);
    w->style->sort->add(w->style->sort->context, name, &w->url);
    html_open(w->h, "a");
    html_attr_url(w->h, "href", buf_slice(&w->url));
    return true;
}

static void add_label_head(struct render_html_work *w, int label)
{
    struct slice name = slice_str(w->g->label_names[label]);
    bool link;

    html_open(w->h, "th");
    html_attr(w->h, "scope", SLICE("col"));
    attr_sorted(w, -1 - label);
    link = open_sort(w, name);
    html_text(w->h, name);
    if (link)
        html_close(w->h, "a");
    html_close(w->h, "th");
}

static void add_column_head(struct render_html_work *w, size_t column)
{
    const struct report_column *c = &w->g->kind->columns[column];
    bool link;

    html_open(w->h, "th");
    html_attr(w->h, "scope", SLICE("col"));
    html_attr(w->h, "class", slice_str(column_class(w->g, column)));
    attr_sorted(w, (int)column);
    link = open_sort(w, slice_str(c->name));
    if (c->group[0] != '\0') {
        html_element_class(w->h, "span", "group", slice_str(c->group));
        html_text(w->h, SLICE(" "));
    }
    html_text(w->h, slice_str(c->head));
    if (link)
        html_close(w->h, "a");
    html_close(w->h, "th");
}

static void add_head(struct render_html_work *w)
{
    html_open(w->h, "thead");
    html_open(w->h, "tr");
    for (int l = 0; l < GRID_LABELS; l++) {
        if (w->g->label_names[l] != NULL)
            add_label_head(w, l);
    }
    for (size_t c = 0; c < w->g->kind->column_count; c++) {
        if (!w->g->kind->columns[c].raw)
            add_column_head(w, c);
    }
    html_close(w->h, "tr");
    html_close(w->h, "thead");
    html_newline(w->h);
}

/* --- rows ------------------------------------------------------------------------------------- */

static void add_marks(struct render_html_work *w, const struct report_grid_row *row)
{
    char marks[COVERAGE_MARKS];

    coverage_marks(row->coverage, marks);
    if (marks[0] == '\0')
        return;
    buf_reset(&w->text);
    coverage_text(row->coverage, &w->text);
    html_text(w->h, SLICE(" "));
    html_open(w->h, "span");
    html_attr(w->h, "class", SLICE("mark"));
    html_attr(w->h, "title", buf_slice(&w->text));
    html_text(w->h, slice_str(marks));
    html_close(w->h, "span");
}

/* With steps and names, a step leads to all of its names, and a name to that name in that step. */
static bool open_link(struct render_html_work *w, const struct report_grid_row *row, int label)
{
    struct slice by = label == GRID_STEP ? SLICE_NONE : row->label[GRID_BY];

    if (w->style->link == NULL)
        return false;
    buf_reset(&w->url);
    w->style->link->add(w->style->link->context, row->label[GRID_STEP], by, &w->url);
    if (w->url.len == 0)
        return false;
    html_open(w->h, "a");
    html_attr_url(w->h, "href", buf_slice(&w->url));
    return true;
}

static void add_label(struct render_html_work *w, const struct report_grid_row *row, int label)
{
    int marked = w->g->label_names[GRID_STEP] != NULL ? GRID_STEP : GRID_BY;
    bool link;

    html_open(w->h, "th");
    html_attr(w->h, "scope", SLICE("row"));
    if (label == GRID_STEP)
        html_attr(w->h, "class", SLICE("step"));
    link = open_link(w, row, label);
    html_element(w->h, "bdi", row->label[label]);
    if (link)
        html_close(w->h, "a");
    if (label == marked && row->coverage != NULL && render_has_marks(w->g))
        add_marks(w, row);
    html_close(w->h, "th");
}

static void add_values(struct render_html_work *w, const uint64_t *values)
{
    for (size_t c = 0; c < w->g->kind->column_count; c++) {
        if (w->g->kind->columns[c].raw)
            continue;
        html_open(w->h, "td");
        html_attr(w->h, "class", slice_str(column_class(w->g, c)));
        render_html_figure_text(w->g, c, values[c], SIZE_MAX, w->h);
        html_close(w->h, "td");
    }
}

static void add_row(struct render_html_work *w, const struct report_grid_row *row)
{
    html_open(w->h, "tr");
    for (int l = 0; l < GRID_LABELS; l++) {
        if (w->g->label_names[l] != NULL)
            add_label(w, row, l);
    }
    add_values(w, row->values);
    html_close(w->h, "tr");
    html_newline(w->h);
}

/* A line of sums; its name stands in the first column of labels. */
static void add_sum(struct render_html_work *w, struct slice name, const uint64_t *values)
{
    bool both = w->g->label_names[GRID_STEP] != NULL && w->g->label_names[GRID_BY] != NULL;

    html_open(w->h, "tr");
    if (has_labels(w->g)) {
        html_open(w->h, "th");
        html_attr(w->h, "scope", SLICE("row"));
        html_text(w->h, name);
        html_close(w->h, "th");
    }
    if (both)
        html_element(w->h, "td", SLICE_NONE);
    add_values(w, values);
    html_close(w->h, "tr");
    html_newline(w->h);
}

static void add_foot(struct render_html_work *w)
{
    if (!render_has_total(w->g))
        return;
    html_open(w->h, "tfoot");
    html_newline(w->h);
    if (w->g->others_count > 0) {
        buf_reset(&w->text);
        render_others_label(w->g, &w->text);
        add_sum(w, buf_slice(&w->text), w->g->others);
    }
    add_sum(w, SLICE("total"), w->g->total);
    html_close(w->h, "tfoot");
    html_newline(w->h);
}

/* --- the whole -------------------------------------------------------------------------------- */

static struct slice caption_id(struct render_html_work *w)
{
    buf_reset(&w->text);
    buf_add_str(&w->text, w->style->id);
    buf_add_str(&w->text, "-caption");
    return buf_slice(&w->text);
}

/* The heading of the page says the same in sight. */
static void add_caption(struct render_html_work *w)
{
    html_open(w->h, "caption");
    html_attr(w->h, "id", caption_id(w));
    html_attr(w->h, "class", SLICE("hidden"));
    buf_reset(&w->text);
    render_title(w->g, &(const struct render_style){.utf8 = true}, &w->text);
    html_text(w->h, slice_trim(buf_slice(&w->text)));
    html_close(w->h, "caption");
    html_newline(w->h);
}

static void add_table(struct render_html_work *w)
{
    html_open(w->h, "div");
    html_attr(w->h, "class", SLICE("scroll"));
    html_attr(w->h, "role", SLICE("region"));
    html_attr(w->h, "tabindex", SLICE("0"));
    html_attr(w->h, "aria-labelledby", caption_id(w));
    html_open(w->h, "table");
    html_newline(w->h);
    add_caption(w);
    add_head(w);
    html_open(w->h, "tbody");
    html_newline(w->h);
    for (size_t r = 0; r < w->g->count; r++)
        add_row(w, &w->g->rows[r]);
    html_close(w->h, "tbody");
    html_newline(w->h);
    add_foot(w);
    html_close(w->h, "table");
    html_close(w->h, "div");
    html_newline(w->h);
}

void render_html_table(const struct report_grid *g, const struct render_html_style *style,
                       struct html *h)
{
    struct render_html_work w = {.g = g, .style = style, .h = h};

    buf_init(&w.text, TEXT_BYTES);
    buf_init(&w.url, TEXT_BYTES);
    add_table(&w);
    h->out->failed = h->out->failed || w.text.failed || w.url.failed;
    buf_fini(&w.text);
    buf_fini(&w.url);
}
