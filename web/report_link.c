#include "web/report_link.h"

#include "lib/core/html.h"
#include "web/exchange.h"

void report_link_of(const struct exchange *x, const struct figures *f, struct report_link *out)
{
    const struct http_query *q = &x->query;

    *out = (struct report_link){
        .report = f->kind->name,
        .mode = http_query_get(q, "mode"),
        .domain = http_query_get(q, "domain"),
        .user = http_query_get(q, "user"),
        .customer = http_query_get(q, "customer"),
        .from = http_query_get(q, "from"),
        .to = http_query_get(q, "to"),
        .step = http_query_get(q, "step"),
        .chart = http_query_get(q, "chart"),
        .sort = http_query_get(q, "sort"),
        .desc = http_query_get(q, "desc"),
        .top = http_query_get(q, "top"),
    };
}

static void add(struct buf *url, const char *name, struct slice value)
{
    if (value.len > 0)
        html_url_query(url, name, value);
}

void report_link_write(const struct report_link *l, const char *ending, struct buf *url)
{
    buf_addf(url, "/r/%s%s", l->report, ending);
    add(url, "mode", l->mode);
    add(url, "domain", l->domain);
    add(url, "user", l->user);
    add(url, "customer", l->customer);
    add(url, "from", l->from);
    add(url, "to", l->to);
    add(url, "step", l->step);
    add(url, "chart", l->chart);
    add(url, "sort", l->sort);
    add(url, "desc", l->desc);
    add(url, "top", l->top);
}

/* --- rows ------------------------------------------------------------------------------------ */

/* False: a name that stands for many has no page of its own without its domain. */
static bool narrow_to_name(const struct figures *f, struct slice by, struct report_link *l)
{
    l->mode = l->customer = SLICE_NONE;
    if (f->mode == FIGURES_CUSTOMERS &&
        strmap_find(&f->question.customers->customer_names, by) != NULL) {
        l->customer = by;
        return true;
    }
    if (f->mode == FIGURES_DOMAINS || f->mode == FIGURES_CUSTOMERS) {
        l->domain = by;
        return true;
    }
    l->user = by;
    if (f->scope.account.len > 0 && f->scope.level != SCOPE_CUSTOMER)
        l->domain = f->scope.account;
    return l->domain.len > 0 || by.ptr[0] != '_';
}

/* False: there are no shorter steps. */
static bool narrow_to_step(const struct figures *f, struct slice step, struct report_link *l)
{
    static const char *const shorter[] = {NULL, NULL, "hour", "day", "day", "month"};
    const char *next = shorter[f->question.step];

    if (next == NULL || (f->question.step == PERIOD_DAY && l->user.len > 0))
        return false;
    l->from = l->to = step;
    l->step = f->mode == FIGURES_TREND || l->mode.len == 0 ? slice_str(next) : SLICE_NONE;
    return true;
}

void report_link_row(void *context, struct slice step, struct slice by, struct buf *url)
{
    const struct report_links *links = context;
    const struct figures *f = links->f;
    struct report_link l;

    report_link_of(links->x, f, &l);
    l.sort = l.desc = l.top = SLICE_NONE;
    if (by.len > 0 && !narrow_to_name(f, by, &l))
        return;
    if (by.len > 0 &&
        !figures_exists(f->kind,
                        &(struct scope){.level = l.user.len > 0 ? SCOPE_USER : SCOPE_DOMAIN}))
        return;
    if (step.len > 0 && !narrow_to_step(f, step, &l) && by.len == 0)
        return;
    report_link_write(&l, "", url);
}

/* --- heads ----------------------------------------------------------------------------------- */

static struct slice sorted_by(const struct report_grid *g)
{
    if (g->order >= 0)
        return slice_str(g->kind->columns[g->order].name);
    return slice_str(g->label_names[-1 - g->order]);
}

void report_link_sort(void *context, struct slice column, struct buf *url)
{
    const struct report_links *links = context;
    const struct figures *f = links->f;
    struct report_link l;

    report_link_of(links->x, f, &l);
    l.sort = column;
    l.desc = SLICE_NONE;
    if (slice_equal(sorted_by(&f->grid), column))
        l.desc = f->is_descending ? SLICE("0") : SLICE("1");
    report_link_write(&l, "", url);
}
