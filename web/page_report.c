#include "web/page_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "lib/core/render.h"
#include "lib/core/render_html.h"
#include "web/figures.h"
#include "web/page.h"
#include "web/page_log_list.h"
#include "web/report_form.h"
#include "web/report_link.h"

#define ROWS_MAX  100 /* of a list of names on a page, where top= does not say */
#define URL_BYTES 8192

static const char *const endings[] = {"", ".csv", ".json", ".svg"};

/* --- which ----------------------------------------------------------------------------------- */

struct slice page_report_stem(struct slice name, enum page_report_form *form)
{
    for (enum page_report_form e = PAGE_REPORT_SVG; e > PAGE_REPORT_HTML; e--) {
        struct slice ending = slice_str(endings[e]);

        if (name.len > ending.len && slice_equal(slice_from(name, name.len - ending.len), ending)) {
            *form = e;
            return slice_to(name, name.len - ending.len);
        }
    }
    *form = PAGE_REPORT_HTML;
    return name;
}

/* Which address has data beside its page? */
static bool has_data(const struct http_request *r, struct slice stem)
{
    if (r->segment_count != 2)
        return false;
    return slice_equal(r->segments[0], SLICE("billing")) ||
           (slice_equal(r->segments[0], SLICE("r")) &&
            (report_find(stem) != NULL || read_list_find(stem) != NULL));
}

bool page_report_is_data(const struct exchange *x)
{
    const struct http_request *r = &x->request;
    enum page_report_form form;
    struct slice stem = page_report_stem(
        r->segment_count > 0 ? r->segments[r->segment_count - 1] : SLICE_NONE, &form);

    return form != PAGE_REPORT_HTML && has_data(r, stem);
}

/* --- data ------------------------------------------------------------------------------------ */

int page_report_write(struct exchange *x, const struct report_grid *g, enum page_report_form form,
                      enum render_svg_kind chart, struct err *err)
{
    static const char *const types[] = {HTTP_TYPE_HTML, HTTP_TYPE_CSV, HTTP_TYPE_JSON,
                                        HTTP_TYPE_SVG};
    struct http_response *r = &x->response;

    http_response_reset(r, 200, types[form]);
    r->has_etag = true;
    if (form == PAGE_REPORT_JSON)
        return http_response_json(r, g, err);
    if (form == PAGE_REPORT_SVG) {
        render_svg_file(g, chart, &r->body);
        return 0;
    }
    (void)snprintf(r->file_name, sizeof r->file_name, "%s.csv", g->kind->name);
    render_csv(g, &r->body);
    return 0;
}

int page_report_data(struct exchange *x, const struct report_kind *kind, enum page_report_form form,
                     struct err *err)
{
    struct figures f;
    int result = figures_report(x, kind, 0, &f, err);

    if (result == 0 && form == PAGE_REPORT_SVG && f.chart == FIGURES_NO_CHART)
        result = err_set(err, EX_USAGE, "chart: use bar, line or area");
    if (result == 0)
        result = page_report_write(x, &f.grid, form, (enum render_svg_kind)f.chart, err);
    figures_fini(&f);
    return result;
}

/* --- the page -------------------------------------------------------------------------------- */

static void add_download(struct html *h, const struct report_link *l, const char *ending,
                         const char *text)
{
    struct buf url;

    buf_init(&url, URL_BYTES);
    report_link_write(l, ending, &url);
    html_open(h, "li");
    page_link(h, buf_slice(&url), slice_str(text));
    html_close(h, "li");
    buf_fini(&url);
}

static void add_links(struct exchange *x, struct html *h, const struct figures *f)
{
    struct report_link l;
    char help[128];

    report_link_of(x, f, &l);
    html_open(h, "ul");
    html_attr(h, "class", SLICE("links"));
    add_download(h, &l, ".csv", "CSV");
    add_download(h, &l, ".json", "JSON");
    if (f->chart != FIGURES_NO_CHART)
        add_download(h, &l, ".svg", "SVG");
    html_open(h, "li");
    (void)snprintf(help, sizeof help, "/help/%s", f->kind->name);
    page_link(h, slice_str(help), SLICE("Definitions"));
    html_close(h, "li");
    html_close(h, "ul");
    html_newline(h);
}

static void add_scope(struct exchange *x, struct html *h, const struct report_grid *g)
{
    int64_t age_s = exchange_age_s(x);

    html_open(h, "p");
    html_attr(h, "class", SLICE("scope"));
    html_text(h, slice_str(g->scope));
    if (g->name.len > 0) {
        html_text(h, SLICE(" "));
        html_element(h, "bdi", g->name);
    }
    html_text(h, SLICE(", "));
    html_text(h, g->from);
    html_text(h, SLICE(" to "));
    html_text(h, g->to);
    html_text(h, SLICE(", times in "));
    html_text(h, g->timezone);
    html_text(h, g->complete ? SLICE(", complete") : SLICE(", so far"));
    if (age_s > 0)
        html_textf(h, ", read %" PRId64 " s ago", age_s);
    html_close(h, "p");
    html_newline(h);
}

static void add_figures(struct exchange *x, struct html *h, const struct figures *f)
{
    struct report_links links = {x, f};
    const struct render_link row = {report_link_row, &links};
    const struct render_sort sort = {report_link_sort, &links};
    struct render_html_style style = {.id = "report", .link = &row, .sort = &sort};

    if (f->grid.count == 0) {
        html_element_class(h, "p", "empty", SLICE("Nothing was counted in this time."));
        render_html_notes(&f->grid, h);
        return;
    }
    if (f->chart != FIGURES_NO_CHART) {
        style.chart = (enum render_svg_kind)f->chart;
        render_html_figure(&f->grid, &style, h);
    }
    render_html_notes(&f->grid, h);
    render_html_table(&f->grid, &style, h);
}

static int answer_page(struct exchange *x, const struct report_kind *kind, struct err *err)
{
    struct figures f;
    struct html h;
    int result = figures_report(x, kind, ROWS_MAX, &f, err);

    if (result == 0) {
        page_begin(x, &h, kind->title);
        add_scope(x, &h, &f.grid);
        html_open(&h, "div");
        html_attr(&h, "class", SLICE("bar"));
        report_form_ranges(x, &h, &f);
        add_links(x, &h, &f);
        html_close(&h, "div");
        report_form(x, &h, &f);
        render_html_cards(&f.grid, &h);
        add_figures(x, &h, &f);
        report_form_others(x, &h, &f);
        page_end(x, &h);
    }
    figures_fini(&f);
    return result;
}

int page_report(struct exchange *x, struct err *err)
{
    enum page_report_form form;
    struct slice name = page_report_stem(x->request.segments[1], &form);
    const struct report_kind *kind = report_find(name);
    const struct list_kind *list = read_list_find(name);

    if (list != NULL)
        return page_log_list(x, list, form, err);
    if (kind == NULL)
        return scope_nothing(err);
    return form == PAGE_REPORT_HTML ? answer_page(x, kind, err)
                                    : page_report_data(x, kind, form, err);
}
