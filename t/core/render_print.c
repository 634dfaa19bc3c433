/*
 * Prints a grid of invented rows in one format, for the tests of the renderers:
 *
 *   render_print FORMAT REPORT STEP BY SORT TOP < ROWS       STEP, BY, SORT: "-" for none
 *
 * FORMAT: svg-bar, svg-line, svg-area, html-bar ... (files); page-bar, narrow-bar, table-bar ...
 * (parts of a page, with links).
 * A row: STEP, BY (in hexadecimal), MARKS (of coverage_marks, "." for complete, "-" for not told)
 * and COUNTER=VALUE ..., separated by blanks; "-" for an empty label, VALUE "?" for unknown.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/render_html.h"

static void fail(const char *what)
{
    (void)fprintf(stderr, "render_print: %s\n", what);
    exit(2);
}

static const char *or_none(const char *text)
{
    return strcmp(text, "-") == 0 ? NULL : text;
}

static unsigned digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static struct slice hex_read(struct slice hex, char *out)
{
    for (size_t i = 0; i + 1 < hex.len; i += 2)
        out[i / 2] = (char)(digit(hex.ptr[i]) << 4 | digit(hex.ptr[i + 1]));
    return (struct slice){out, hex.len / 2};
}

static struct coverage *coverage_of(struct report_grid *g, struct slice marks)
{
    struct coverage *c = arena_alloc(&g->arena, sizeof *c);

    if (c == NULL || slice_equal(marks, SLICE("-")))
        return NULL;
    *c = (struct coverage){.nodes = 2, .covered_s = 60};
    c->is_running = slice_find(marks, '*') >= 0;
    c->is_behind = slice_find(marks, '!') >= 0;
    c->has_gap = slice_find(marks, '~') >= 0;
    c->gap_s = c->has_gap ? 240 : 0;
    c->silent = slice_find(marks, '?') >= 0 ? 1 : 0;
    return c;
}

/* Which columns a counter that is unknown makes unknown: those that have it. */
static void forget(const struct report_grid *g, int id, struct report_cell *cells)
{
    for (size_t c = 0; c < g->kind->column_count; c++) {
        const struct report_column *column = &g->kind->columns[c];

        for (size_t i = 0; i < column->counter_count; i++) {
            if ((int)column->counters[i] == id)
                cells[c] = (struct report_cell){REPORT_UNKNOWN, REPORT_UNKNOWN};
        }
    }
}

static void row_take(struct report_grid *g, struct slice line)
{
    static const struct report_basis basis = {
        .covered = {60, 60, 60}, .covered_range = {600, 600, 600}, .watched_range = 600};
    struct report_cell cells[COUNTER_COUNT];
    struct slice step = {0}, by = {0}, marks = {0}, rest, word;
    struct tally t = {{0}};
    char *name = malloc(line.len + 1);
    struct err err;

    if (name == NULL || !slice_word(&line, " ", &step) || !slice_word(&line, " ", &by) ||
        !slice_word(&line, " ", &marks))
        fail("a row is STEP BY MARKS COUNTER=VALUE ...");
    for (rest = line; slice_word(&rest, " ", &word);) {
        struct slice value = word, counter;
        int id = slice_cut(&value, '=', &counter) ? counter_find(counter) : -1;

        if (id < 0 || (!slice_number(value, &t.value[id]) && !slice_equal(value, SLICE("?"))))
            fail("no such counter or value");
    }
    report_cells_init(g->kind, cells);
    report_cells_add(g->kind, &t, &basis, cells);
    for (rest = line; slice_word(&rest, " ", &word);) {
        struct slice value = word, counter;

        if (slice_cut(&value, '=', &counter) && slice_equal(value, SLICE("?")))
            forget(g, counter_find(counter), cells);
    }
    step = slice_equal(step, SLICE("-")) ? SLICE_NONE : step;
    by = slice_equal(by, SLICE("-")) ? SLICE_NONE : hex_read(by, name);
    if (report_grid_add(g, step, by, cells, coverage_of(g, marks), &err) != 0)
        fail(err.text);
    free(name);
}

static void grid_read(struct report_grid *g, char **argv)
{
    static char line[1 << 16];
    const char *sort = or_none(argv[5]);
    struct err err;

    if (report_find(slice_str(argv[2])) == NULL)
        fail("no such report");
    if (report_grid_init(g, report_find(slice_str(argv[2])), or_none(argv[3]), or_none(argv[4]),
                         (size_t)1 << 28, &err) != 0 ||
        report_grid_order(g, slice_str(sort), false, (size_t)strtoul(argv[6], NULL, 10), &err) != 0)
        fail(err.text);
    g->scope = "domain";
    g->name = SLICE("example.com");
    g->from = SLICE("2026-11-01");
    g->to = SLICE("2026-11-30");
    g->timezone = SLICE("Europe/Zagreb");
    while (fgets(line, sizeof line, stdin) != NULL)
        row_take(g, slice_trim(slice_str(line)));
    report_grid_finish(g);
}

/* The address of a row, with all that a name may hold. */
static void link_add(void *context, struct slice step, struct slice by, struct buf *url)
{
    buf_add_str(url, context);
    if (step.len > 0)
        html_url_query(url, "from", step);
    if (by.len > 0)
        html_url_query(url, "domain", by);
}

static void print_svg(const struct report_grid *g, const char *format, enum render_svg_kind kind,
                      struct buf *b)
{
    static char path[] = "/r/smtp";
    struct render_link link = {link_add, path};
    const struct render_svg_style style = {.kind = kind,
                                           .narrow = strncmp(format, "narrow", 6) == 0,
                                           .id = "c1",
                                           .class_name = "chart",
                                           .link = &link};
    struct html h;

    if (strncmp(format, "svg", 3) == 0) {
        render_svg_file(g, kind, b);
        return;
    }
    html_init(&h, b);
    render_svg(g, &style, &h);
}

static void sort_add(void *context, struct slice column, struct buf *url)
{
    buf_add_str(url, context);
    html_url_query(url, "sort", column);
}

/* "html-bar": a file; "table-bar": the parts of a page, with links. */
static void print_html(const struct report_grid *g, const char *format, enum render_svg_kind kind,
                       struct buf *b)
{
    static char path[] = "/r/smtp";
    struct render_link link = {link_add, path};
    struct render_sort sort = {sort_add, path};
    const struct render_html_style style = {
        .chart = kind, .id = "r1", .link = &link, .sort = &sort};
    struct html h;

    if (strncmp(format, "html", 4) == 0) {
        render_html_file(g, kind, SLICE("Written by a test."), b);
        return;
    }
    html_init(&h, b);
    html_open(&h, "main");
    render_html_heading(g, &h);
    render_html_cards(g, &h);
    render_html_figure(g, &style, &h);
    render_html_table(g, &style, &h);
    render_html_notes(g, &h);
    render_html_definitions(g->kind, &h);
    html_close(&h, "main");
}

static void print(const struct report_grid *g, const char *format, enum render_svg_kind kind,
                  struct buf *b)
{
    if (strncmp(format, "html", 4) == 0 || strncmp(format, "table", 5) == 0)
        print_html(g, format, kind, b);
    else
        print_svg(g, format, kind, b);
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"-bar", "-line", "-area"};
    struct report_grid g;
    struct buf b;

    if (argc != 7)
        fail("usage: FORMAT REPORT STEP BY SORT TOP < ROWS");
    grid_read(&g, argv);
    buf_init(&b, (size_t)1 << 28);
    for (int k = 0; k < 3; k++) {
        if (strstr(argv[1], kinds[k]) != NULL)
            print(&g, argv[1], (enum render_svg_kind)k, &b);
    }
    if (b.failed || fwrite(buf_slice(&b).ptr, 1, b.len, stdout) != b.len)
        fail("cannot write");
    buf_fini(&b);
    report_grid_fini(&g);
    return 0;
}
