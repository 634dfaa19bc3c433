#include "web/figures_data.h"

#include <string.h>
#include <sysexits.h>

#include "lib/core/period.h"
#include "lib/ledger/row_sums.h"
#include "lib/read/read_totals.h"
#include "web/exchange.h"
#include "web/scope.h"

const char *const figures_data_totals_parameters[] = {"month",    "from", "to", "domain",
                                                      "customer", "by",   NULL};
const char *const figures_data_totals_by[] = {"customer", NULL};
const char *const figures_data_accounts_parameters[] = {"after", "top", NULL};
const char *const figures_data_violations_parameters[] = {"after", "domain", "user", "top", NULL};
const char *const figures_data_usage_parameters[] = {"user", "top", NULL};

/* --- totals ---------------------------------------------------------------------------------- */

static bool is_month(struct slice text)
{
    enum period_kind kind;
    time_t start;

    return period_parse(text, &kind, &start) && kind == PERIOD_MONTH;
}

/* A bill is never for a time that somebody forgot to name. */
static int parse_time(const struct exchange *x, struct range *range, struct err *err)
{
    struct slice month = http_query_get(&x->query, "month");
    struct range_words words = {.from = http_query_get(&x->query, "from"),
                                .to = http_query_get(&x->query, "to"),
                                .from_name = "from",
                                .to_name = "to"};

    if (month.len > 0 && (words.from.len > 0 || words.to.len > 0))
        return err_set(err, EX_USAGE, "month: excludes from and to: leave one of them out");
    if (month.len == 0 && (words.from.len == 0 || words.to.len == 0))
        return err_set(err, EX_USAGE, "month: give month=2026-11, or both from and to");
    if (month.len > 0 && !is_month(month))
        return err_set(err, EX_USAGE, "month: expected a month such as 2026-11");
    if (month.len > 0)
        words.from = words.to = month;
    range->time = (struct report_time){
        .now = (time_t)(x->now_ms / 1000), .hours_kept_s = HOUR_KEPT_S, .days_kept_s = DAY_KEPT_S};
    return read_range_parse(range, &words, err);
}

int figures_data_whose(struct exchange *x, struct totals_question *q, struct err *err)
{
    struct slice domain = http_query_get(&x->query, "domain");
    struct scope_accounts accounts;
    struct scope customer;
    struct setup setup;

    q->customer = http_query_get(&x->query, "customer");
    if (q->customer.len == 0) {
        if (scope_accounts(x, domain, &accounts, err) != 0)
            return -1;
        q->accounts = accounts.list;
        return 0;
    }
    if (scope_customer(x, q->customer, &customer, err) != 0 || exchange_setup(x, &setup, err) != 0)
        return -1;
    q->customers = setup.hosted;
    return domain.len == 0 ? 0 : err_set(err, EX_USAGE, "customer: leave domain out");
}

/* A line for each customer is the administrator's. */
static int choose_lines(struct exchange *x, struct totals_question *q, struct err *err)
{
    struct slice by = http_query_get(&x->query, "by");
    struct setup setup;

    if (by.len == 0)
        return 0;
    if (!slice_equal(by, slice_str(figures_data_totals_by[0])))
        return err_set(err, EX_USAGE, "by: use customer, or leave it out");
    if (x->who.role != WEB_ROLE_ADMIN)
        return scope_nothing(err);
    if (exchange_setup(x, &setup, err) != 0)
        return -1;
    q->by_customer = true;
    q->customers = setup.hosted;
    return 0;
}

int figures_data_totals(struct exchange *x, struct report_grid *g, struct err *err)
{
    struct range *range = arena_alloc(&x->arena, sizeof *range); /* the grid borrows its texts */
    struct totals_question q = {.range = range, .timezone = x->settings->timezone};

    memset(g, 0, sizeof *g);
    if (range == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    if (http_query_allow(&x->query, figures_data_totals_parameters, err) != 0 ||
        parse_time(x, range, err) != 0 || figures_data_whose(x, &q, err) != 0 ||
        choose_lines(x, &q, err) != 0 || exchange_store(x, err) != 0)
        return -1;
    return read_totals(&x->reader, &q, &x->arena, g, err);
}

/* --- accounts -------------------------------------------------------------------------------- */

/* The first whose name is behind `after`: the list is in order. */
static size_t first_after(const struct name_list *list, struct slice after)
{
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (slice_compare(list->items[middle], after) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return after.len > 0 ? low : 0;
}

int figures_data_accounts(struct exchange *x, struct figures_data_accounts *out, struct err *err)
{
    struct scope_accounts accounts;
    size_t first, top;

    if (http_query_allow(&x->query, figures_data_accounts_parameters, err) != 0 ||
        http_query_top(&x->query, FIGURES_DATA_TOP, HTTP_QUERY_TOP, &top, err) != 0 ||
        scope_accounts(x, SLICE_NONE, &accounts, err) != 0 || exchange_store(x, err) != 0)
        return -1;
    if (accounts.is_all && read_accounts(&x->reader, &x->arena, &accounts.list, err) != 0)
        return -1;
    read_names_settle(&accounts.list);
    first = first_after(&accounts.list, http_query_get(&x->query, "after"));
    out->list.items = accounts.list.items + first;
    out->list.count = accounts.list.count - first;
    out->has_more = out->list.count > top;
    if (out->has_more)
        out->list.count = top;
    return 0;
}

/* --- violations ------------------------------------------------------------------------------ */

struct violations_search {
    struct exchange *x;
    const struct scope *scope;
    struct figures_data_violations *out;
    size_t most, room;
};

static bool is_wanted(const struct violations_search *f, const struct violation *v)
{
    return !v->peak && (f->scope->level != SCOPE_USER || slice_equal(v->user, f->scope->user));
}

static int take(void *context, const struct violation_entry *entry, struct err *err)
{
    struct violations_search *f = context;
    struct violation_list *list = &f->out->list;

    f->out->last = entry->id;
    if (!is_wanted(f, &entry->v))
        return 0;
    list->items = arena_grow(&f->x->arena, list->items, list->count, &f->room, sizeof *list->items);
    if (list->items == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    list->items[list->count].id = entry->id;
    if (violation_copy(&entry->v, &f->x->arena, &list->items[list->count].v, err) != 0)
        return -1;
    return ++list->count == f->most ? 1 : 0;
}

static struct stream_id later(struct stream_id a, struct stream_id b)
{
    return a.ms > b.ms || (a.ms == b.ms && a.sequence > b.sequence) ? a : b;
}

static void turn_round(struct violation_list *list)
{
    for (size_t i = 0; i < list->count / 2; i++) {
        struct violation_entry other = list->items[i];

        list->items[i] = list->items[list->count - 1 - i];
        list->items[list->count - 1 - i] = other;
    }
}

static bool parse_id(struct slice text, struct stream_id *id)
{
    struct slice ms;

    return slice_cut(&text, '-', &ms) && slice_number(ms, &id->ms) &&
           slice_number(text, &id->sequence);
}

static int read_them(struct violations_search *f, struct slice after, struct err *err)
{
    struct reader *r = &f->x->reader;
    struct stream_id id = {0, 0};

    if (after.len > 0 && !parse_id(after, &id))
        return err_set(err, EX_USAGE,
                       "after: expected the id of a violation, such as 1793620800000-0");
    f->out->last = id;
    if (after.len > 0)
        return read_violations_forward(r, f->scope->account, read_stream_id_after(id), INT64_MAX,
                                       take, f, err);
    if (read_violations_newest(r, f->scope->account, &id, err) != 0 ||
        read_violations_backward(r, f->scope->account, SIZE_MAX, take, f, err) < 0)
        return -1;
    f->out->last = f->out->list.count > 0 ? later(id, f->out->list.items[0].id) : id;
    turn_round(&f->out->list);
    return 0;
}

int figures_data_violations(struct exchange *x, struct figures_data_violations *out,
                            struct err *err)
{
    struct scope scope;
    struct violations_search f = {.x = x, .scope = &scope, .out = out};

    if (http_query_allow(&x->query, figures_data_violations_parameters, err) != 0 ||
        http_query_top(&x->query, FIGURES_DATA_TOP, HTTP_QUERY_TOP, &f.most, err) != 0 ||
        scope_choose(x, http_query_get(&x->query, "domain"), http_query_get(&x->query, "user"),
                     &scope, err) != 0)
        return -1;
    *out = (struct figures_data_violations){.list.count = 0};
    if (exchange_store(x, err) != 0)
        return -1;
    return read_them(&f, http_query_get(&x->query, "after"), err) < 0 ? -1 : 0;
}

/* --- usage ----------------------------------------------------------------------------------- */

int figures_data_usage(struct exchange *x, struct slice domain, struct figures_data_usage *out,
                       struct err *err)
{
    size_t top;

    if (http_query_allow(&x->query, figures_data_usage_parameters, err) != 0 ||
        http_query_top(&x->query, FIGURES_DATA_TOP, HTTP_QUERY_TOP, &top, err) != 0)
        return -1;
    if (scope_choose(x, domain, http_query_get(&x->query, "user"), &out->scope, err) != 0)
        return err->code == EX_USAGE && http_query_get(&x->query, "user").len == 0
                   ? scope_nothing(err) /* what is no domain is no path either */
                   : -1;
    if (exchange_store(x, err) != 0 || figures_usage_of(x, &out->scope, top, &out->usage, err) != 0)
        return -1;
    return out->usage.is_unknown
               ? err_set(err, EX_CONFIG, "the limits could not be loaded; the log says why")
               : 0;
}
