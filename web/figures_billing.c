#include "web/figures_billing.h"

#include <string.h>
#include <sysexits.h>

#include "lib/ledger/row_sums.h"
#include "web/exchange.h"

/* --- which month ----------------------------------------------------------------------------- */

static int parse_month(struct exchange *x, struct slice typed, struct figures_billing *f,
                       struct err *err)
{
    time_t now = (time_t)(x->now_ms / 1000), start = period_start(PERIOD_MONTH, now);
    struct range_words words = {.from_name = "month", .to_name = "month"};
    enum period_kind kind = PERIOD_MONTH;

    if (typed.len > 0 && (!period_parse(typed, &kind, &start) || kind != PERIOD_MONTH))
        return scope_nothing(err);
    if (start > now)
        return scope_nothing(err);
    period_name(PERIOD_MONTH, start, f->month);
    words.from = words.to = slice_str(f->month);
    f->range.time =
        (struct report_time){.now = now, .hours_kept_s = HOUR_KEPT_S, .days_kept_s = DAY_KEPT_S};
    return read_range_parse(&f->range, &words, err);
}

/* --- whose ----------------------------------------------------------------------------------- */

static int add_account(struct exchange *x, struct slice domain, struct figures_billing *f,
                       struct err *err)
{
    struct name_list *names = &f->accounts;
    struct scope scope;

    if (scope_choose(x, domain, SLICE_NONE, &scope, err) != 0)
        return -1;
    if (scope.level == SCOPE_USER)
        return scope_nothing(err);
    f->is_server = scope.level == SCOPE_SERVER;
    if (f->is_server)
        return 0;
    names->items =
        arena_grow(&x->arena, names->items, names->count, &names->room, sizeof *names->items);
    if (names->items == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    names->items[names->count++] = scope.account;
    return 0;
}

static int find_accounts(struct exchange *x, struct figures_billing *f, struct err *err)
{
    struct slice domain = http_query_get(&x->query, "domain"), rest = x->who.domains;

    if (domain.len > 0 || x->who.role != WEB_ROLE_DOMAIN)
        return add_account(x, domain, f, err);
    while (slice_cut(&rest, ',', &domain)) {
        if (add_account(x, domain, f, err) != 0)
            return -1;
    }
    return f->accounts.count > 0 ? 0 : scope_nothing(err);
}

/* Those that have a row. */
static int take_accounts(struct exchange *x, struct figures_billing *f, struct err *err)
{
    struct name_list *names = &f->accounts;

    names->items = arena_array(&x->arena, f->grid.count + 1, sizeof *names->items);
    if (names->items == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (names->count = 0; names->count < f->grid.count; names->count++)
        names->items[names->count] = f->grid.rows[names->count].label[GRID_BY];
    return 0;
}

/* --------------------------------------------------------------------------------------------- */

int figures_billing(struct exchange *x, struct slice month, struct figures_billing *f,
                    struct err *err)
{
    struct totals_question q;

    memset(f, 0, sizeof *f);
    if (find_accounts(x, f, err) != 0 || parse_month(x, month, f, err) != 0 ||
        exchange_store(x, err) != 0)
        return -1;
    q = (struct totals_question){
        .accounts = f->accounts, .range = &f->range, .timezone = x->settings->timezone};
    if (read_totals(&x->reader, &q, &x->arena, &f->grid, err) != 0 || take_accounts(x, f, err) != 0)
        return -1;
    return read_adjustments(&x->reader, &f->accounts, slice_str(f->month), &x->arena,
                            &f->adjustments, err);
}

void figures_billing_fini(struct figures_billing *f)
{
    report_grid_fini(&f->grid);
}
