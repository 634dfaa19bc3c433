#include "web/report_form.h"

#include "web/page.h"
#include "web/page_log_list.h"
#include "web/report_link.h"

#define URL_BYTES 8192
#define DATE_LEN  10

/* --- fields ---------------------------------------------------------------------------------- */

static void open_label(struct html *h, const char *text)
{
    html_open(h, "label");
    html_text(h, slice_str(text));
}

static void add_option(struct html *h, struct slice value, struct slice text, bool selected)
{
    html_open(h, "option");
    html_attr(h, "value", value);
    html_attr_flag(h, "selected", selected);
    html_text(h, text);
    html_close(h, "option");
}

static void add_input(struct html *h, const char *label, const char *name, const char *type,
                      struct slice value)
{
    open_label(h, label);
    html_open(h, "input");
    html_attr(h, "type", slice_str(type));
    html_attr(h, "name", slice_str(name));
    html_attr(h, "value", value);
    html_close(h, "input");
    html_close(h, "label");
}

static void open_select(struct html *h, const char *label, const char *name)
{
    open_label(h, label);
    html_open(h, "select");
    html_attr(h, "name", slice_str(name));
}

static void close_select(struct html *h)
{
    html_close(h, "select");
    html_close(h, "label");
}

/* --- who ------------------------------------------------------------------------------------- */

static void add_own_domains(struct exchange *x, struct html *h, const struct figures *f)
{
    struct slice rest = x->who.domains, domain;

    open_select(h, "Domain", "domain");
    while (slice_cut(&rest, ',', &domain))
        add_option(h, domain, domain, slice_equal(domain, f->scope.account));
    close_select(h);
}

static void add_mode(struct html *h, const struct figures *f, enum figures_mode mode,
                     const char *text)
{
    html_open(h, "label");
    html_open(h, "input");
    html_attr(h, "type", SLICE("radio"));
    html_attr(h, "name", SLICE("mode"));
    html_attr(h, "value", slice_str(figures_mode_names[mode]));
    html_attr_flag(h, "checked", f->mode == mode);
    html_close(h, "input");
    html_text(h, SLICE(" "));
    html_text(h, slice_str(text));
    html_close(h, "label");
}

/* Customers are the administrator's, where there are any. */
static bool has_customers(const struct exchange *x, const struct figures *f)
{
    return f->scope.sees_nodes && x->settings->billing.customers.count > 0;
}

static void add_modes(const struct exchange *x, struct html *h, const struct figures *f)
{
    html_open(h, "fieldset");
    html_element(h, "legend", SLICE("Lines"));
    add_mode(h, f, FIGURES_TREND, "Trend");
    if (f->scope.sees_nodes)
        add_mode(h, f, FIGURES_DOMAINS, "Domains");
    if (has_customers(x, f))
        add_mode(h, f, FIGURES_CUSTOMERS, "Customers");
    if (report_is_of_users(f->kind))
        add_mode(h, f, FIGURES_USERS, "Users");
    html_close(h, "fieldset");
}

static void add_who(struct exchange *x, struct html *h, const struct figures *f)
{
    if (x->who.role == WEB_ROLE_USER)
        return;
    add_modes(x, h, f);
    if (x->who.role == WEB_ROLE_DOMAIN)
        add_own_domains(x, h, f);
    else
        add_input(h, "Domain", "domain", "text",
                  f->scope.level == SCOPE_CUSTOMER ? SLICE_NONE : f->scope.account);
    if (has_customers(x, f))
        add_input(h, "Customer", "customer", "text",
                  f->scope.level == SCOPE_CUSTOMER ? f->scope.account : SLICE_NONE);
    if (report_is_of_users(f->kind))
        add_input(h, "User", "user", "text", f->scope.user);
}

/* --- when ------------------------------------------------------------------------------------ */

static void add_steps(struct exchange *x, struct html *h, const struct figures *f)
{
    bool is_given = http_query_get(&x->query, "step").ptr != NULL;

    open_select(h, "Step", "step");
    add_option(h, SLICE(""), SLICE("by length"), !is_given);
    for (size_t i = 0; figures_step_names[i] != NULL; i++) {
        struct slice name = slice_str(figures_step_names[i]);

        add_option(h, name, name, is_given && i == (size_t)f->question.step);
    }
    close_select(h);
}

static void add_charts(struct html *h, const struct figures *f)
{
    open_select(h, "Chart", "chart");
    for (size_t i = 0; figures_chart_names[i] != NULL; i++) {
        struct slice name = slice_str(figures_chart_names[i]);

        add_option(h, name, name, i == (size_t)f->chart);
    }
    close_select(h);
}

/* Is it the range that is shown, as the address says? */
static bool is_shown(const struct exchange *x, const char *from, const char *to)
{
    return slice_equal(http_query_get(&x->query, "from"), slice_str(from)) &&
           slice_equal(http_query_get(&x->query, "to"), slice_str(to));
}

void report_form_ranges(struct exchange *x, struct html *h, const struct figures *f)
{
    static const struct {
        const char *text, *from, *to;
    } ranges[] = {{"Today", "today", "today"},
                  {"7 days", "-6days", "today"},
                  {"30 days", "-29days", "today"},
                  {"This month", "", ""},
                  {"Last month", "-1months", "-1months"},
                  {"3 months", "-2months", "today"}};
    struct report_link l;
    struct buf url;

    report_link_of(x, f, &l);
    l.step = SLICE_NONE;
    buf_init(&url, URL_BYTES);
    html_open(h, "ul");
    html_attr(h, "class", SLICE("ranges"));
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        l.from = slice_str(ranges[i].from);
        l.to = slice_str(ranges[i].to);
        buf_reset(&url);
        report_link_write(&l, "", &url);
        html_open(h, "li");
        html_open(h, "a");
        html_attr_url(h, "href", buf_slice(&url));
        if (is_shown(x, ranges[i].from, ranges[i].to))
            html_attr(h, "aria-current", SLICE("true"));
        html_text(h, slice_str(ranges[i].text));
        html_close(h, "a");
        html_close(h, "li");
    }
    html_close(h, "ul");
    html_newline(h);
    buf_fini(&url);
}

void report_form(struct exchange *x, struct html *h, const struct figures *f)
{
    struct report_link bare = {.report = f->kind->name};
    struct buf url;

    buf_init(&url, URL_BYTES);
    report_link_write(&bare, "", &url);
    page_fold_open(h, "Filter");
    html_open(h, "form");
    html_attr(h, "class", SLICE("filter"));
    html_attr(h, "method", SLICE("get"));
    html_attr_url(h, "action", buf_slice(&url));
    add_who(x, h, f);
    add_input(h, "From", "from", "date", slice_to(slice_str(f->range.from_text), DATE_LEN));
    add_input(h, "To", "to", "date", slice_to(slice_str(f->range.to_text), DATE_LEN));
    add_steps(x, h, f);
    add_charts(h, f);
    page_button(h, "show", "Show");
    html_close(h, "form");
    html_close(h, "details");
    html_newline(h);
    buf_fini(&url);
}

/* --- the other reports ----------------------------------------------------------------------- */

void report_form_others(struct exchange *x, struct html *h, const struct figures *f)
{
    const struct report_kind *kind;
    struct report_link l;
    struct buf url;

    report_link_of(x, f, &l);
    l.sort = l.desc = SLICE_NONE;
    l.mode = SLICE_NONE;
    buf_init(&url, URL_BYTES);
    html_element(h, "h2", SLICE("Other reports"));
    html_open(h, "ul");
    html_attr(h, "class", SLICE("links"));
    for (size_t i = 0; (kind = report_at(i)) != NULL; i++) {
        if (kind == f->kind || !figures_exists(kind, &f->scope))
            continue;
        l.report = kind->name;
        buf_reset(&url);
        report_link_write(&l, "", &url);
        html_open(h, "li");
        page_link(h, buf_slice(&url), slice_str(kind->title));
        html_close(h, "li");
    }
    page_log_list_links(x, h);
    html_close(h, "ul");
    html_newline(h);
    buf_fini(&url);
}
