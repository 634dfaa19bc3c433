#include "web/figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/classify.h"
#include "lib/core/suggest.h"
#include "lib/sys/clock.h"
#include "web/exchange.h"

#define DAY_S      86400
#define NAME_BYTES 4096

const char *const figures_parameters[] = {"mode", "domain", "user", "customer", "from", "to",
                                          "step", "chart",  "sort", "desc",     "top",  NULL};
const char *const figures_mode_names[] = {"trend", "domain", "user", "customer", NULL};
const char *const figures_step_names[] = {"none", "hour", "day", "week", "month", "quarter", NULL};
const char *const figures_chart_names[] = {"bar", "line", "area", "none", NULL};

/* --- the query ------------------------------------------------------------------------------- */

static int no_choice(const char *name, struct slice typed, const char *const *choices,
                     struct err *err)
{
    (void)err_set(err, EX_USAGE, "%s: unknown value \"%.*s\": use", name,
                  SLICE_FMT(slice_to(typed, 40)));
    for (size_t i = 0; choices[i] != NULL; i++) {
        size_t len = strlen(err->text);

        (void)snprintf(err->text + len, sizeof err->text - len, "%s %s", i > 0 ? "," : "",
                       choices[i]);
    }
    return -1;
}

/* Its place among the choices; `standard` where it is not given; -1. */
static int choose(const struct exchange *x, const char *name, const char *const *choices,
                  int standard, int *out, struct err *err)
{
    struct slice typed = http_query_get(&x->query, name);

    *out = standard;
    if (typed.ptr == NULL)
        return 0;
    for (int i = 0; choices[i] != NULL; i++) {
        if (slice_equal(typed, slice_str(choices[i]))) {
            *out = i;
            return 0;
        }
    }
    return no_choice(name, typed, choices, err);
}

/* --- time ------------------------------------------------------------------------------------ */

static int parse_range(struct exchange *x, struct figures *f, bool hours, struct err *err)
{
    struct range_words words = {.from = http_query_get(&x->query, "from"),
                                .to = http_query_get(&x->query, "to"),
                                .from_name = "from",
                                .to_name = "to",
                                .hours = hours};

    f->range.time = read_report_time(x->settings, (time_t)(x->now_ms / 1000));
    return read_range_parse(&f->range, &words, err);
}

static bool has_hours(const struct figures *f)
{
    return f->scope.level != SCOPE_USER && f->mode != FIGURES_USERS;
}

/* Steps that fill a chart: hours of two days, days of a quarter, months of more. */
static enum period_kind usual_step(const struct figures *f)
{
    const struct report_time *t = &f->range.time;
    time_t length = t->to - t->from;

    if (f->mode != FIGURES_TREND)
        return PERIOD_TOTAL;
    if (length <= 2 * DAY_S + DAY_S / 2 && has_hours(f) &&
        t->now - t->from < t->hours_kept_s - DAY_S)
        return PERIOD_HOUR;
    return length <= 93 * DAY_S ? PERIOD_DAY : PERIOD_MONTH;
}

static int choose_time(struct exchange *x, struct figures *f, struct err *err)
{
    int step;

    if (parse_range(x, f, false, err) != 0 ||
        choose(x, "step", figures_step_names, (int)usual_step(f), &step, err) != 0)
        return -1;
    f->question.step = (enum period_kind)step;
    if (f->question.step != PERIOD_HOUR)
        return 0;
    if (!has_hours(f))
        return err_set(err, EX_USAGE,
                       "step: users are counted by day, not by hour: use step=day or longer");
    return parse_range(x, f, true, err);
}

/* --- the question ---------------------------------------------------------------------------- */

static bool of_users(const struct figures *f)
{
    return f->scope.level == SCOPE_USER || f->mode == FIGURES_USERS;
}

bool figures_exists(const struct report_kind *kind, const struct scope *scope)
{
    if (scope->level == SCOPE_USER)
        return report_is_of_users(kind);
    return !report_fillers(kind, scope->level == SCOPE_SERVER).nobody;
}

static int check_mode(const struct figures *f, struct err *err)
{
    if (!f->scope.sees_nodes && report_fillers(f->kind, false).nobody)
        return scope_nothing(err);
    if ((f->mode == FIGURES_DOMAINS || f->mode == FIGURES_CUSTOMERS) && !f->scope.sees_nodes)
        return err_set(err, EX_USAGE,
                       "mode: the list of %ss is the server's administrator's: use mode=trend "
                       "or mode=user",
                       figures_mode_names[f->mode]);
    if ((f->mode == FIGURES_DOMAINS && f->scope.level != SCOPE_SERVER &&
         f->scope.level != SCOPE_CUSTOMER) ||
        (f->mode == FIGURES_CUSTOMERS && f->scope.level != SCOPE_SERVER))
        return err_set(err, EX_USAGE,
                       "mode: with mode=%s each %s is a line: leave domain, user and customer out, "
                       "or use mode=trend",
                       figures_mode_names[f->mode], figures_mode_names[f->mode]);
    if (f->mode == FIGURES_USERS && f->scope.level == SCOPE_USER)
        return err_set(err, EX_USAGE,
                       "mode: with mode=user each user is a line: leave user out, or use "
                       "mode=trend");
    if (of_users(f) && !report_is_of_users(f->kind))
        return err_set(err, EX_USAGE,
                       "mode: the report %s exists for the server and for domains, not for users: "
                       "use mode=trend",
                       f->kind->name);
    if (report_fillers(f->kind, f->scope.level == SCOPE_SERVER && f->mode == FIGURES_TREND).nobody)
        return err_set(err, EX_USAGE,
                       "the report %s exists for the server only: leave domain and user out, and "
                       "use mode=trend",
                       f->kind->name);
    return 0;
}

static bool is_label(const struct figures *f, struct slice name)
{
    return slice_equal(name, slice_str(figures_step_names[f->question.step])) ||
           (f->mode != FIGURES_TREND && slice_equal(name, slice_str(figures_mode_names[f->mode])));
}

/* Values begin with the largest, labels with the first: the other way round is `reverse`. */
static int choose_order(struct exchange *x, struct figures *f, struct err *err)
{
    static const char *const flags[] = {"0", "1", NULL};
    struct report_question *q = &f->question;
    int descending;
    bool natural;

    q->sort = http_query_get(&x->query, "sort");
    natural = q->sort.ptr != NULL ? !is_label(f, q->sort)
                                  : f->mode != FIGURES_TREND && q->step == PERIOD_TOTAL;
    if (choose(x, "desc", flags, natural, &descending, err) != 0)
        return -1;
    f->is_sorted = q->sort.ptr != NULL;
    f->is_descending = descending != 0;
    q->reverse = f->is_descending != natural;
    return 0;
}

static int choose_scope(struct exchange *x, struct figures *f, struct err *err)
{
    struct slice domain = http_query_get(&x->query, "domain");
    struct slice user = http_query_get(&x->query, "user");
    struct slice customer = http_query_get(&x->query, "customer");

    if (customer.len == 0)
        return scope_choose(x, domain, user, &f->scope, err);
    if (scope_customer(x, customer, &f->scope, err) != 0)
        return -1;
    return domain.len == 0 && user.len == 0
               ? 0
               : err_set(err, EX_USAGE, "customer: leave domain and user out");
}

/* Whose the domains are, for as long as the exchange lives. */
static int find_customers(struct exchange *x, struct figures *f, struct err *err)
{
    struct setup setup;

    if (f->scope.level != SCOPE_CUSTOMER && f->mode != FIGURES_CUSTOMERS)
        return 0;
    if (x->settings->billing.customers.count == 0)
        return err_set(err, EX_USAGE,
                       "mode: there are no customers: name their list in billing.customers");
    if (exchange_setup(x, &setup, err) != 0)
        return -1;
    f->question.customers = setup.hosted;
    return 0;
}

static int ask(struct exchange *x, size_t top, struct figures *f, struct err *err)
{
    static const enum report_by by[] = {BY_NOTHING, BY_DOMAIN, BY_USER, BY_CUSTOMER};
    struct report_question *q = &f->question;
    int mode, chart;

    if (choose(x, "mode", figures_mode_names, FIGURES_TREND, &mode, err) != 0 ||
        choose(x, "chart", figures_chart_names, FIGURES_BAR, &chart, err) != 0)
        return -1;
    f->mode = (enum figures_mode)mode;
    f->chart = (enum figures_chart)chart;
    if (choose_scope(x, f, err) != 0 || check_mode(f, err) != 0 || find_customers(x, f, err) != 0 ||
        choose_time(x, f, err) != 0 || choose_order(x, f, err) != 0 ||
        http_query_top(&x->query, f->mode == FIGURES_TREND ? 0 : top, HTTP_QUERY_TOP, &q->top,
                       err) != 0)
        return -1;
    q->kind = f->kind;
    q->scope = f->scope.level;
    q->account = f->scope.account;
    q->user = f->scope.user;
    q->by = by[f->mode];
    q->time = f->range.time;
    q->from_text = slice_str(f->range.from_text);
    q->to_text = slice_str(f->range.to_text);
    q->timezone = q->time.hours ? SLICE("UTC") : slice_str(x->settings->timezone);
    return 0;
}

/* --- reading --------------------------------------------------------------------------------- */

/* The whole question: what is not in it does not change the answer, but for the time, of which the
 * cache keeps none for long. */
static void write_name(const struct figures *f, struct buf *name)
{
    const struct report_question *q = &f->question;

    buf_addf(name, "%s %d %d %d %d %d %zu %d %" PRId64 " %" PRId64, f->kind->name, f->scope.level,
             f->scope.sees_nodes, q->by, q->step, q->reverse, q->top, q->time.hours,
             (int64_t)q->time.from, (int64_t)q->time.to);
    /* Controls, which no name has, keep the parts apart. */
    buf_addf(name, "\n%.*s\n%.*s\n%.*s", SLICE_FMT(q->account), SLICE_FMT(q->user),
             SLICE_FMT(q->sort));
}

struct figures_reading {
    struct exchange *x;
    const struct report_question *question;
};

/* The grid borrows the question's texts, which have to live as long as it does. */
static int read_grid(void *context, struct figures_entry *e, struct err *err)
{
    struct figures_reading *d = context;
    struct report_question q = *d->question;
    struct slice *texts[] = {&q.account, &q.user, &q.from_text, &q.to_text, &q.timezone};
    size_t before = d->x->reader.cost;
    int result;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = arena_copy(&e->arena, *texts[i]);
        if (texts[i]->ptr == NULL)
            return err_set(err, EX_OSERR, "out of memory");
    }
    result = read_report(&d->x->reader, &q, &e->arena, &e->grid, err);
    e->cost = d->x->reader.cost - before;
    return result;
}

static int read_shared(struct exchange *x, struct figures *f, struct err *err)
{
    struct figures_reading reading = {x, &f->question};
    struct buf name;

    buf_init(&name, NAME_BYTES);
    write_name(f, &name);
    if (name.failed)
        (void)err_set(err, EX_USAGE, "the question is too long");
    else
        f->entry = figures_cache_take(site_figures(x->site), buf_slice(&name), EXCHANGE_BYTES,
                                      clock_monotonic_ms(), read_grid, &reading, err);
    buf_fini(&name);
    if (f->entry == NULL)
        return -1;
    f->cache = site_figures(x->site);
    f->grid = f->entry->grid;
    return 0;
}

int figures_report(struct exchange *x, const struct report_kind *kind, size_t top,
                   struct figures *f, struct err *err)
{
    int result;

    memset(f, 0, sizeof *f);
    f->kind = kind;
    if (http_query_allow(&x->query, figures_parameters, err) != 0 || ask(x, top, f, err) != 0 ||
        exchange_store(x, err) != 0)
        return -1;
    result = read_shared(x, f, err);
    if (result != 0 && err->code == EX_USAGE && f->is_sorted)
        (void)err_prefix(err, "sort");
    if (result == 0)
        exchange_note_age(x, f->entry->at_ms);
    return result;
}

void figures_fini(struct figures *f)
{
    if (f->entry != NULL)
        figures_cache_give(f->cache, f->entry);
    f->entry = NULL;
}

/* --- lists ----------------------------------------------------------------------------------- */

struct figures_search {
    const struct scope *scope;
    struct exchange *x;
    struct violation_list *out;
    size_t most;
};

static int take_violation(void *context, const struct violation_entry *entry, struct err *err)
{
    struct figures_search *f = context;
    struct violation_entry *into = &f->out->items[f->out->count];

    if (f->scope->level == SCOPE_USER && !slice_equal(entry->v.user, f->scope->user))
        return 0;
    into->id = entry->id;
    if (violation_copy(&entry->v, &f->x->arena, &into->v, err) != 0)
        return -1;
    return ++f->out->count == f->most ? 1 : 0;
}

int figures_violations(struct exchange *x, const struct scope *scope, size_t most,
                       struct violation_list *out, struct err *err)
{
    struct figures_search f = {.scope = scope, .x = x, .out = out, .most = most};

    *out = (struct violation_list){.items = arena_array(&x->arena, most, sizeof *out->items)};
    if (out->items == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    if (exchange_store(x, err) != 0)
        return -1;
    return read_violations_backward(&x->reader, scope->account, SIZE_MAX, take_violation, &f, err) <
                   0
               ? -1
               : 0;
}

/* All accounts, and _unattributed, under which mail waits that is nobody's. */
static int find_accounts(struct exchange *x, const struct scope *scope, struct arena *arena,
                         struct name_list *out, struct err *err)
{
    *out = (struct name_list){.count = 0};
    if (scope->level == SCOPE_SERVER && read_accounts(&x->reader, arena, out, err) != 0)
        return -1;
    for (size_t i = 0; i < out->count; i++) {
        if (slice_equal(out->items[i], SLICE(ACCOUNT_UNATTRIBUTED)))
            return 0;
    }
    out->items = arena_grow(arena, out->items, out->count, &out->room, sizeof *out->items);
    if (out->items == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    out->items[out->count++] = scope->level == SCOPE_SERVER ? SLICE(ACCOUNT_UNATTRIBUTED)
                                                            : arena_copy(arena, scope->account);
    return 0;
}

struct held_reading {
    struct exchange *x;
    const struct scope *scope;
};

static int read_held_of(void *context, struct figures_entry *e, struct err *err)
{
    struct held_reading *d = context;
    struct name_list accounts;

    if (find_accounts(d->x, d->scope, &e->arena, &accounts, err) != 0)
        return -1;
    e->cost = accounts.count;
    return read_held_entries(&d->x->reader, &accounts, &e->arena, &e->held, err);
}

static int copy_held(const struct held_entries *from, struct arena *arena, struct held_entries *out,
                     struct err *err)
{
    out->items = arena_array(arena, from->count + 1, sizeof *out->items);
    for (size_t i = 0; out->items != NULL && i < from->count; i++) {
        const struct held_entry *e = &from->items[i];

        out->items[out->count++] =
            (struct held_entry){arena_copy(arena, e->account), arena_copy(arena, e->node),
                                arena_copy(arena, e->queue_id), e->time_s};
        if (out->items[i].queue_id.ptr == NULL)
            out->items = NULL;
    }
    return out->items != NULL ? 0 : err_set(err, EX_OSERR, "out of memory");
}

static int share_held(struct exchange *x, const struct scope *scope, struct held_entries *out,
                      struct err *err)
{
    struct figures_cache *cache = site_figures(x->site);
    struct held_reading reading = {x, scope};
    const struct figures_entry *e;
    struct buf name;
    int result;

    buf_init(&name, NAME_BYTES);
    buf_addf(&name, "held\n%.*s", SLICE_FMT(scope->account));
    e = figures_cache_take(cache, buf_slice(&name), EXCHANGE_BYTES, clock_monotonic_ms(),
                           read_held_of, &reading, err);
    buf_fini(&name);
    if (e == NULL)
        return -1;
    result = copy_held(&e->held, &x->arena, out, err);
    exchange_note_age(x, e->at_ms);
    figures_cache_give(cache, e);
    return result;
}

int figures_held(struct exchange *x, const struct scope *scope, struct held_entries *out,
                 struct err *err)
{
    *out = (struct held_entries){.count = 0};
    if (scope->level == SCOPE_USER)
        return scope_nothing(err); /* what is held does not say whose it is */
    return exchange_store(x, err) == 0 ? share_held(x, scope, out, err) : -1;
}

int figures_nodes(struct exchange *x, const struct scope *scope, struct coverage_nodes *out,
                  struct err *err)
{
    if (!scope->sees_nodes)
        return scope_nothing(err);
    if (exchange_store(x, err) != 0)
        return -1;
    return read_coverage_nodes(&x->reader, true, &x->arena, out, err);
}
