#include "web/page_overview.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "lib/core/render_html.h"
#include "web/figures.h"
#include "web/page.h"
#include "web/page_usage.h"
#include "web/report_link.h"

#define URL_BYTES       4096
#define VIOLATIONS_MOST 1000
#define TOP             "10"
#define CUSTOMERS_TOP   "100"

/* --- parts ----------------------------------------------------------------------------------- */

/* The query as the address of that report would have it, so that the links of the part are right.
 */
static void put_query(struct exchange *x, const struct scope *scope, const char *mode)
{
    struct http_query *q = &x->query;

    *q = (struct http_query){.count = 0};
    q->items[q->count++] = (struct http_parameter){SLICE("mode"), slice_str(mode)};
    if (scope->account.len > 0)
        q->items[q->count++] = (struct http_parameter){
            scope->level == SCOPE_CUSTOMER ? SLICE("customer") : SLICE("domain"), scope->account};
    if (scope->user.len > 0)
        q->items[q->count++] = (struct http_parameter){SLICE("user"), scope->user};
    if (!slice_equal(slice_str(mode), SLICE("trend")))
        q->items[q->count++] = (struct http_parameter){
            SLICE("top"),
            slice_equal(slice_str(mode), SLICE("customer")) ? SLICE(CUSTOMERS_TOP) : SLICE(TOP)};
}

static void add_more(struct exchange *x, struct html *h, const struct figures *f)
{
    struct report_link l;
    struct buf url;

    report_link_of(x, f, &l);
    l.top = SLICE_NONE;
    buf_init(&url, URL_BYTES);
    report_link_write(&l, "", &url);
    html_open(h, "p");
    page_link(h, buf_slice(&url), SLICE("The whole report"));
    html_close(h, "p");
    html_newline(h);
    buf_fini(&url);
}

static void show_month(struct exchange *x, struct html *h, struct figures *f)
{
    struct report_links links = {x, f};
    const struct render_link row = {report_link_row, &links};
    const struct render_html_style style = {.id = "month", .link = &row};

    html_element(h, "h2", SLICE("This month"));
    render_html_cards(&f->grid, h);
    render_html_figure(&f->grid, &style, h);
    render_html_notes(&f->grid, h);
    add_more(x, h, f);
}

static void show_names(struct exchange *x, struct html *h, struct figures *f)
{
    struct report_links links = {x, f};
    const struct render_link row = {report_link_row, &links};
    const struct render_html_style style = {.id = "names", .link = &row};

    if (f->grid.count == 0)
        return;
    html_element(h, "h2", f->mode == FIGURES_DOMAINS ? SLICE("Domains") : SLICE("Users"));
    render_html_table(&f->grid, &style, h);
    add_more(x, h, f);
}

/* A customer's page, or that of a domain without one. */
static void customer_row(void *context, struct slice step, struct slice by, struct buf *url)
{
    const struct report_links *links = context;
    bool is_customer = strmap_find(&links->f->question.customers->customer_names, by) != NULL;

    (void)step;
    if (!is_customer && by.ptr[0] == '_')
        return;
    buf_add_str(url, is_customer ? "/c" : "/d");
    html_url_segment(url, by);
}

static void show_customers(struct exchange *x, struct html *h, struct figures *f)
{
    struct report_links links = {x, f};
    const struct render_link row = {customer_row, &links};
    const struct render_html_style style = {.id = "customers", .link = &row};

    html_element(h, "h2", SLICE("This month"));
    render_html_cards(&f->grid, h);
    render_html_notes(&f->grid, h);
    if (f->grid.count > 0)
        render_html_table(&f->grid, &style, h);
    add_more(x, h, f);
}

typedef void show_figures(struct exchange *x, struct html *h, struct figures *f);

static int add_report(struct exchange *x, struct html *h, const struct scope *scope,
                      const char *mode, show_figures *show, struct err *err)
{
    struct figures f;
    int result;

    put_query(x, scope, mode);
    result = figures_report(x, report_find(SLICE("smtp")), 0, &f, err);
    if (result == 0)
        show(x, h, &f);
    figures_fini(&f);
    return result;
}

static void add_count(struct html *h, const char *path, const struct scope *scope, size_t count,
                      const char *one, const char *many)
{
    struct buf url;

    buf_init(&url, URL_BYTES);
    buf_add_str(&url, path);
    if (scope->account.len > 0)
        html_url_query(&url, "domain", scope->account);
    html_open(h, "li");
    html_open(h, "a");
    html_attr_url(h, "href", buf_slice(&url));
    html_open(h, "b");
    if (count > 0)
        html_attr(h, "class", SLICE("some"));
    html_textf(h, "%zu%s", count, count == VIOLATIONS_MOST ? "+" : "");
    html_close(h, "b");
    html_textf(h, " %s", count == 1 ? one : many);
    html_close(h, "a");
    html_close(h, "li");
    buf_fini(&url);
}

static void add_limits(struct html *h, const struct scope *scope)
{
    struct slice of = scope->level == SCOPE_USER     ? scope->user
                      : scope->level == SCOPE_DOMAIN ? scope->account
                                                     : SLICE("@server");
    struct buf url;

    buf_init(&url, URL_BYTES);
    buf_add_str(&url, "/limits");
    html_url_segment(&url, of);
    html_open(h, "li");
    page_link(h, buf_slice(&url), SLICE("Limits"));
    html_close(h, "li");
    buf_fini(&url);
}

/* What else there is of a customer. */
static void add_customer_links(struct html *h, const struct scope *scope)
{
    struct buf url;

    buf_init(&url, URL_BYTES);
    buf_add_str(&url, "/limits/" HOLDER_CUSTOMER);
    buf_add(&url, scope->account);
    html_open(h, "ul");
    html_attr(h, "class", SLICE("links"));
    html_open(h, "li");
    page_link(h, buf_slice(&url), SLICE("Limits"));
    html_close(h, "li");
    buf_reset(&url);
    buf_add_str(&url, "/billing");
    html_url_query(&url, "customer", scope->account);
    html_open(h, "li");
    page_link(h, buf_slice(&url), SLICE("Billing"));
    html_close(h, "li");
    html_close(h, "ul");
    html_newline(h);
    buf_fini(&url);
}

/* How many limits were crossed lately, how much mail is held. */
static int add_counts(struct exchange *x, struct html *h, const struct scope *scope,
                      struct err *err)
{
    struct violation_list violations;
    struct held_entries held = {.count = 0};

    if (figures_violations(x, scope, VIOLATIONS_MOST, &violations, err) != 0 ||
        (scope->level != SCOPE_USER && figures_held(x, scope, &held, err) != 0))
        return -1;
    html_open(h, "ul");
    html_attr(h, "class", SLICE("tiles"));
    add_count(h, "/violations", scope, violations.count, "violation", "violations");
    if (scope->level != SCOPE_USER)
        add_count(h, "/held", scope, held.count, "message held", "messages held");
    add_limits(h, scope);
    html_close(h, "ul");
    html_newline(h);
    return 0;
}

static int add_usage(struct exchange *x, struct html *h, const struct scope *scope, struct err *err)
{
    struct figures_usage usage;

    if (figures_usage(x, scope, &usage, err) != 0)
        return -1;
    page_usage(h, &usage);
    return 0;
}

/* --- pages ----------------------------------------------------------------------------------- */

static void add_own_domains(struct exchange *x, struct html *h)
{
    struct slice rest = x->who.domains, domain;
    struct buf url;

    if (x->who.role != WEB_ROLE_DOMAIN || slice_find(rest, ',') < 0)
        return;
    buf_init(&url, URL_BYTES);
    html_open(h, "ul");
    html_attr(h, "class", SLICE("links"));
    while (slice_cut(&rest, ',', &domain)) {
        buf_reset(&url);
        buf_add_str(&url, "/d");
        html_url_segment(&url, domain);
        html_open(h, "li");
        page_link(h, buf_slice(&url), domain);
        html_close(h, "li");
    }
    html_close(h, "ul");
    html_newline(h);
    buf_fini(&url);
}

static int show(struct exchange *x, const struct scope *scope, struct err *err)
{
    char title[512];
    struct html h;

    (void)snprintf(title, sizeof title, "%.*s",
                   SLICE_FMT(scope->level == SCOPE_USER     ? scope->user
                             : scope->level == SCOPE_SERVER ? SLICE("Overview")
                                                            : scope->account));
    page_begin(x, &h, title);
    add_own_domains(x, &h);
    if (scope->level == SCOPE_CUSTOMER)
        add_customer_links(&h, scope);
    else if (add_counts(x, &h, scope, err) != 0)
        return -1;
    if (add_usage(x, &h, scope, err) != 0 ||
        add_report(x, &h, scope, "trend", show_month, err) != 0 ||
        (scope->level != SCOPE_USER &&
         add_report(x, &h, scope, scope->level == SCOPE_DOMAIN ? "user" : "domain", show_names,
                    err) != 0))
        return -1;
    page_end(x, &h);
    return 0;
}

static const char *const no_parameters[] = {NULL};

int page_overview(struct exchange *x, struct err *err)
{
    struct scope scope;

    if (http_query_allow(&x->query, no_parameters, err) != 0 ||
        scope_choose(x, SLICE_NONE, SLICE_NONE, &scope, err) != 0)
        return -1;
    return show(x, &scope, err);
}

int page_overview_domain(struct exchange *x, struct err *err)
{
    struct scope scope;

    if (http_query_allow(&x->query, no_parameters, err) != 0)
        return -1;
    /* What is no domain is no page either. */
    if (scope_choose(x, x->request.segments[1], SLICE_NONE, &scope, err) != 0)
        return err->code == EX_USAGE ? scope_nothing(err) : -1;
    return show(x, &scope, err);
}

int page_overview_customer(struct exchange *x, struct err *err)
{
    struct scope scope;

    return http_query_allow(&x->query, no_parameters, err) == 0 &&
                   scope_customer(x, x->request.segments[1], &scope, err) == 0
               ? show(x, &scope, err)
               : -1;
}

/* The list of them is the administrator's. */
int page_overview_customers(struct exchange *x, struct err *err)
{
    struct scope scope;
    struct html h;

    if (http_query_allow(&x->query, no_parameters, err) != 0 ||
        scope_choose(x, SLICE_NONE, SLICE_NONE, &scope, err) != 0)
        return -1;
    if (!scope.sees_nodes || x->settings->billing.customers.count == 0)
        return scope_nothing(err);
    page_begin(x, &h, "Customers");
    if (add_report(x, &h, &scope, "customer", show_customers, err) != 0)
        return -1;
    page_end(x, &h);
    return 0;
}
