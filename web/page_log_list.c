#include "web/page_log_list.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/json.h"
#include "web/figures_lists.h"
#include "web/page.h"
#include "web/page_rows.h"

#define ROWS_MAX    200 /* on a page, where top= does not say */
#define TEXTS_SHOWN 10
#define TEXT_BYTES  ((size_t)1 << 20)
#define URL_BYTES   8192

/* --- data ------------------------------------------------------------------------------------ */

static int write_json(struct exchange *x, const struct figures_list *f, struct err *err)
{
    json_add(&x->response.body, read_list_json(&f->question, &f->report), JSON_INDENT(2));
    return x->response.body.failed ? err_set(err, EX_OSERR, "out of memory") : 0;
}

static int write_data(struct exchange *x, const struct figures_list *f, enum page_report_form form,
                      struct err *err)
{
    struct http_response *r = &x->response;

    http_response_reset(r, 200, form == PAGE_REPORT_CSV ? HTTP_TYPE_CSV : HTTP_TYPE_JSON);
    r->has_etag = true;
    if (form == PAGE_REPORT_JSON)
        return write_json(x, f, err);
    (void)snprintf(r->file_name, sizeof r->file_name, "%s.csv", f->question.kind->name);
    table_csv(&f->report.table, true, &r->body);
    return 0;
}

/* --- the page -------------------------------------------------------------------------------- */

static void add_scope(struct html *h, const struct figures_list *f)
{
    html_open(h, "p");
    html_attr(h, "class", SLICE("scope"));
    html_text(h, f->question.domain.len > 0 ? SLICE("domain ") : SLICE("server"));
    if (f->question.domain.len > 0)
        html_element(h, "bdi", f->question.domain);
    html_textf(h, ", %s to %s, times in %s", f->range.from_text, f->range.to_text,
               f->question.timezone);
    html_close(h, "p");
    html_newline(h);
}

static void add_input(struct html *h, const char *label, const char *name, const char *type,
                      struct slice value)
{
    html_open(h, "label");
    html_text(h, slice_str(label));
    html_open(h, "input");
    html_attr(h, "type", slice_str(type));
    html_attr(h, "name", slice_str(name));
    html_attr(h, "value", value);
    html_close(h, "input");
    html_close(h, "label");
}

static void add_form(struct html *h, const struct figures_list *f)
{
    struct buf url;

    buf_init(&url, URL_BYTES);
    buf_addf(&url, "/r/%s", f->question.kind->name);
    page_fold_open(h, "Filter");
    html_open(h, "form");
    html_attr(h, "class", SLICE("filter"));
    html_attr(h, "method", SLICE("get"));
    html_attr_url(h, "action", buf_slice(&url));
    add_input(h, "Domain", "domain", "text", f->question.domain);
    add_input(h, "From", "from", "date", slice_str(f->range.from_text));
    add_input(h, "To", "to", "date", slice_str(f->range.to_text));
    page_button(h, "show", "Show");
    html_close(h, "form");
    html_close(h, "details");
    html_newline(h);
    buf_fini(&url);
}

/* The same question in another form. */
static void add_download(struct exchange *x, struct html *h, const struct list_kind *kind,
                         const char *ending, const char *text)
{
    struct buf url;

    buf_init(&url, URL_BYTES);
    buf_addf(&url, "/r/%s%s", kind->name, ending);
    for (size_t i = 0; figures_list_parameters[i] != NULL; i++) {
        struct slice value = http_query_get(&x->query, figures_list_parameters[i]);

        if (value.len > 0)
            html_url_query(&url, figures_list_parameters[i], value);
    }
    html_open(h, "li");
    page_link(h, buf_slice(&url), slice_str(text));
    html_close(h, "li");
    buf_fini(&url);
}

static void add_links(struct exchange *x, struct html *h, const struct list_kind *kind)
{
    html_open(h, "ul");
    html_attr(h, "class", SLICE("links"));
    add_download(x, h, kind, ".csv", "CSV");
    add_download(x, h, kind, ".json", "JSON");
    html_close(h, "ul");
    html_newline(h);
}

/* What the other servers said last. */
static void add_texts(struct html *h, const struct figures_list *f)
{
    struct buf text;
    bool any = false;

    buf_init(&text, TEXT_BYTES);
    for (size_t i = 0; i < f->report.table.row_count && i < TEXTS_SHOWN; i++) {
        buf_reset(&text);
        if (!read_list_text(&f->question, &f->report, i, &text))
            continue;
        if (!any) {
            html_element(h, "h2", SLICE("Latest replies"));
            html_open(h, "ul");
        }
        html_element(h, "li", buf_slice(&text));
        any = true;
    }
    if (any)
        html_close(h, "ul");
    html_newline(h);
    buf_fini(&text);
}

static void add_notes(struct html *h, const struct figures_list *f)
{
    if (f->report.more > 0) {
        html_open(h, "p");
        html_textf(h, "%zu more: the CSV has them all.", f->report.more);
        html_close(h, "p");
    }
    for (size_t i = 0; i < f->report.remarks.count; i++)
        html_element_class(h, "p", "soft", f->report.remarks.items[i]);
    html_newline(h);
}

static void write_page(struct exchange *x, const struct figures_list *f)
{
    const struct list_kind *kind = f->question.kind;
    struct html h;

    page_begin(x, &h, kind->title);
    add_scope(&h, f);
    add_form(&h, f);
    add_links(x, &h, kind);
    if (f->report.table.row_count > 0)
        page_rows(&h, kind->name, kind->help, &f->report.table);
    else
        html_element_class(&h, "p", "empty", SLICE("Nothing was found in this time."));
    add_texts(&h, f);
    add_notes(&h, f);
    page_end(x, &h);
}

int page_log_list(struct exchange *x, const struct list_kind *kind, enum page_report_form form,
                  struct err *err)
{
    struct figures_list f;

    if (form == PAGE_REPORT_SVG)
        return scope_nothing(err);
    if (figures_list(x, kind, form == PAGE_REPORT_HTML ? ROWS_MAX : 0, &f, err) != 0)
        return -1;
    if (form != PAGE_REPORT_HTML)
        return write_data(x, &f, form, err);
    write_page(x, &f);
    return 0;
}

void page_log_list_links(struct exchange *x, struct html *h)
{
    const struct list_kind *kind;
    struct buf url;

    if (x->who.role == WEB_ROLE_USER)
        return;
    buf_init(&url, URL_BYTES);
    for (size_t i = 0; (kind = read_list_at(i)) != NULL; i++) {
        buf_reset(&url);
        buf_addf(&url, "/r/%s", kind->name);
        html_open(h, "li");
        page_link(h, buf_slice(&url), slice_str(kind->title));
        html_close(h, "li");
    }
    buf_fini(&url);
}
