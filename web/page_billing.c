#include "web/page_billing.h"

#include <stdio.h>
#include <sysexits.h>

#include "lib/core/format.h"
#include "lib/core/render_html.h"
#include "web/figures_billing.h"
#include "web/page.h"
#include "web/page_report.h"

#define ROWS_MAX     100 /* on a page, where top= does not say */
#define TOP_MOST     10000
#define MONTHS_SHOWN 12
#define URL_BYTES    4096
#define TEXT_BYTES   65536

/* What of the totals stands on the page; all of it is in the data. */
static const char *const shown_columns[] = {
    "in_messages",      "in_bytes",           "out_messages",  "out_recipients",    "out_bytes",
    "forward_messages", "forward_recipients", "forward_bytes", "throttled_messages"};
#define SHOWN (sizeof shown_columns / sizeof shown_columns[0])

static const struct page_head heads[SHOWN + 1] = {
    {"account", false, false},         {"in, messages", true, true},
    {"in, bytes", true, false},        {"out, messages", true, false},
    {"recipients", true, true},        {"out, bytes", true, false},
    {"forward, messages", true, true}, {"recipients", true, true},
    {"forward, bytes", true, false},   {"throttled, messages", true, true}};

static const struct page_head adjustment_heads[] = {
    {"account", false, false}, {"correction", false, false}, {"reason", false, false},
    {"evidence", false, true}, {"by", false, true},          {"at", false, true}};

/* --- addresses ------------------------------------------------------------------------------- */

static void write_url(struct exchange *x, const char *month, const char *ending, struct buf *url)
{
    static const char *const whose[] = {"domain", "customer"};

    buf_addf(url, "/billing/%s%s", month, ending);
    for (size_t i = 0; i < sizeof whose / sizeof whose[0]; i++) {
        struct slice name = http_query_get(&x->query, whose[i]);

        if (name.len > 0)
            html_url_query(url, whose[i], name);
    }
}

static void add_link(struct exchange *x, struct html *h, const char *month, const char *ending,
                     const char *text, bool is_shown)
{
    struct buf url;

    buf_init(&url, URL_BYTES);
    write_url(x, month, ending, &url);
    html_open(h, "li");
    html_open(h, "a");
    html_attr_url(h, "href", buf_slice(&url));
    if (is_shown)
        html_attr(h, "aria-current", SLICE("true"));
    html_text(h, slice_str(text));
    html_close(h, "a");
    html_close(h, "li");
    buf_fini(&url);
}

static void add_months(struct exchange *x, struct html *h, const struct figures_billing *f)
{
    time_t start = period_start(PERIOD_MONTH, (time_t)(x->now_ms / 1000));

    html_open(h, "ul");
    html_attr(h, "class", SLICE("ranges"));
    for (size_t i = 0; i < MONTHS_SHOWN; i++) {
        char month[PERIOD_TEXT];

        period_name(PERIOD_MONTH, start, month);
        add_link(x, h, month, "", month, slice_equal(slice_str(month), slice_str(f->month)));
        start = period_start(PERIOD_MONTH, start - 1);
    }
    html_close(h, "ul");
}

/* Of one domain: where a correction is added. */
static void add_adjust_link(struct exchange *x, struct html *h)
{
    struct slice domain = http_query_get(&x->query, "domain");
    struct buf url;

    if (x->who.role != WEB_ROLE_ADMIN || domain.len == 0)
        return;
    buf_init(&url, URL_BYTES);
    buf_add_str(&url, "/adjust");
    html_url_segment(&url, domain);
    html_open(h, "li");
    page_link(h, buf_slice(&url), SLICE("Add an adjustment"));
    html_close(h, "li");
    buf_fini(&url);
}

static void add_links(struct exchange *x, struct html *h, const struct figures_billing *f)
{
    html_open(h, "div");
    html_attr(h, "class", SLICE("bar"));
    add_months(x, h, f);
    html_open(h, "ul");
    html_attr(h, "class", SLICE("links"));
    add_link(x, h, f->month, ".csv", "CSV", false);
    add_link(x, h, f->month, ".json", "JSON", false);
    add_adjust_link(x, h);
    html_close(h, "ul");
    html_close(h, "div");
    html_newline(h);
}

/* --- the table ------------------------------------------------------------------------------- */

static size_t column_of(const struct report_kind *kind, const char *name)
{
    size_t i = 0;

    while (!slice_equal(slice_str(kind->columns[i].name), slice_str(name)))
        i++;
    return i;
}

static void add_values(struct html *h, const struct figures_billing *f, const uint64_t *values)
{
    const struct report_kind *kind = f->grid.kind;
    struct buf text;

    buf_init(&text, 256);
    for (size_t i = 0; i < SHOWN; i++) {
        size_t column = column_of(kind, shown_columns[i]);

        buf_reset(&text);
        format_value(&text, kind->columns[column].unit, values[column], false);
        page_cell(h, &heads[i + 1], buf_slice(&text));
    }
    buf_fini(&text);
}

/* Leads to its traffic, step by step. */
static void add_account(struct html *h, const struct figures_billing *f, struct slice account)
{
    struct buf url;

    buf_init(&url, URL_BYTES);
    buf_add_str(&url, "/r/smtp");
    html_url_query(&url, "domain", account);
    html_url_query(&url, "from", slice_str(f->range.from_text));
    html_url_query(&url, "to", slice_str(f->range.to_text));
    page_cell_name(h, buf_slice(&url), account);
    buf_fini(&url);
}

static void add_table(struct html *h, const struct figures_billing *f, size_t top)
{
    const struct report_grid *g = &f->grid;

    page_table_open(h, "billing", "Totals of each account", heads, SHOWN + 1);
    for (size_t i = 0; i < g->count && i < top; i++) {
        html_open(h, "tr");
        add_account(h, f, g->rows[i].label[GRID_BY]);
        add_values(h, f, g->rows[i].values);
        html_close(h, "tr");
        html_newline(h);
    }
    if (g->count > 1) {
        html_open(h, "tr");
        page_cell_name(h, SLICE_NONE, SLICE("Sum"));
        add_values(h, f, g->total);
        html_close(h, "tr");
    }
    page_table_close(h);
    if (g->count > top) {
        html_open(h, "p");
        html_textf(h, "%zu more accounts: the CSV has them all.", g->count - top);
        html_close(h, "p");
    }
}

/* --- corrections ----------------------------------------------------------------------------- */

static void write_amounts(const struct adjustment *a, struct buf *b)
{
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        int64_t n = a->amounts[i];

        if (n == 0)
            continue;
        buf_addf(b, "%s%s %c", b->len > 0 ? ", " : "", counter_table[i].name, n < 0 ? '-' : '+');
        format_count(b, (uint64_t)(n < 0 ? -n : n));
    }
}

static void add_adjustment(struct html *h, const struct adjustment_entry *e)
{
    char time[PAGE_TIME_ROOM];
    struct buf amounts;

    buf_init(&amounts, TEXT_BYTES);
    write_amounts(&e->adjustment, &amounts);
    html_open(h, "tr");
    page_cell_name(h, SLICE_NONE, e->account);
    page_cell(h, &adjustment_heads[1], buf_slice(&amounts));
    page_cell(h, &adjustment_heads[2], e->adjustment.reason);
    page_cell(h, &adjustment_heads[3], e->adjustment.evidence);
    page_cell(h, &adjustment_heads[4], e->adjustment.by);
    page_cell(h, &adjustment_heads[5], page_time(e->adjustment.at_s, time));
    html_close(h, "tr");
    html_newline(h);
    buf_fini(&amounts);
}

static void add_adjustments(struct html *h, const struct adjustment_list *list)
{
    if (list->count == 0)
        return;
    html_element(h, "h2", SLICE("Adjustments"));
    html_element(h, "p", SLICE("They stand beside the totals above, which do not hold them."));
    page_table_open(h, "adjustments", "Corrections of this month", adjustment_heads,
                    sizeof adjustment_heads / sizeof adjustment_heads[0]);
    for (size_t i = 0; i < list->count; i++)
        add_adjustment(h, &list->items[i]);
    page_table_close(h);
}

/* --- the page -------------------------------------------------------------------------------- */

/* What was billed stays; the totals show what has come since, too. */
static void add_closed(struct html *h, const struct bill_entry *e)
{
    if (e->month.ptr == NULL)
        return;
    html_open(h, "p");
    html_textf(h,
               "Closed at %.*s by %.*s. What was counted or corrected later is an adjustment of a "
               "later month. Hash of the file: ",
               SLICE_FMT(e->closed_at), SLICE_FMT(e->by));
    html_element(h, "code", e->hash);
    html_close(h, "p");
    html_newline(h);
}

static void add_state(struct exchange *x, struct html *h, const struct figures_billing *f)
{
    struct slice customer = http_query_get(&x->query, "customer");
    const struct report_grid *g = &f->grid;

    html_open(h, "p");
    html_attr(h, "class", SLICE("scope"));
    if (customer.len > 0)
        html_textf(h, "customer %.*s, ", SLICE_FMT(customer));
    html_textf(h, "%s to %s, times in %.*s, %s", f->range.from_text, f->range.to_text,
               SLICE_FMT(g->timezone), g->complete ? "complete" : "so far");
    html_close(h, "p");
    add_closed(h, &f->closed);
    render_html_notes(g, h);
}

static int write_page(struct exchange *x, const struct figures_billing *f, struct err *err)
{
    char title[64];
    struct html h;
    size_t top = ROWS_MAX;

    if (http_query_top(&x->query, ROWS_MAX, TOP_MOST, &top, err) != 0)
        return -1;
    (void)snprintf(title, sizeof title, "Billing, %s", f->month);
    page_begin(x, &h, title);
    add_state(x, &h, f);
    add_links(x, &h, f);
    if (f->grid.count > 0)
        add_table(&h, f, top);
    else
        html_element_class(&h, "p", "empty", SLICE("Nothing was counted in this month."));
    add_adjustments(&h, &f->adjustments);
    page_end(x, &h);
    return 0;
}

static int answer(struct exchange *x, struct slice month, enum page_report_form form,
                  struct err *err)
{
    static const char *const parameters[] = {"domain", "customer", "top", NULL};
    struct figures_billing f;
    int result;

    if (http_query_allow(&x->query, parameters, err) != 0)
        return -1;
    result = figures_billing(x, month, &f, err);
    if (result == 0 && form == PAGE_REPORT_HTML)
        result = write_page(x, &f, err);
    else if (result == 0)
        result = page_report_write(x, &f.grid, form, RENDER_SVG_BAR, err);
    figures_billing_fini(&f);
    return result;
}

int page_billing(struct exchange *x, struct err *err)
{
    return answer(x, SLICE_NONE, PAGE_REPORT_HTML, err);
}

int page_billing_month(struct exchange *x, struct err *err)
{
    enum page_report_form form;
    struct slice month = page_report_stem(x->request.segments[1], &form);

    return form == PAGE_REPORT_SVG || month.len == 0 ? scope_nothing(err)
                                                     : answer(x, month, form, err);
}
