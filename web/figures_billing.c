#include "web/figures_billing.h"

#include <string.h>
#include <sysexits.h>

#include "lib/billing/bill_mirror.h"
#include "lib/read/read_report.h"
#include "web/exchange.h"
#include "web/figures_data.h"

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
    f->range.time = read_report_time(x->settings, now);
    return read_range_parse(&f->range, &words, err);
}

/* --- whose ----------------------------------------------------------------------------------- */

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
    struct totals_question q = {.range = &f->range, .timezone = x->settings->timezone};

    memset(f, 0, sizeof *f);
    if (figures_data_whose(x, &q, err) != 0 || parse_month(x, month, f, err) != 0 ||
        exchange_store(x, err) != 0)
        return -1;
    if (read_totals(&x->reader, &q, &x->arena, &f->grid, err) != 0 ||
        take_accounts(x, f, err) != 0 ||
        bill_mirror_entry(&x->reader, slice_str(f->month), &x->arena, &f->closed, err) != 0)
        return -1;
    return read_adjustments(&x->reader, &f->accounts, slice_str(f->month), &x->arena,
                            &f->adjustments, err);
}

void figures_billing_fini(struct figures_billing *f)
{
    report_grid_fini(&f->grid);
}
