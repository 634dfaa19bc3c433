#include "web/figures_card.h"

#include <sysexits.h>

#include "lib/core/text.h"
#include "lib/ledger/row_sums.h"
#include "lib/read/read_range.h"
#include "web/exchange.h"
#include "web/figures_usage.h"

#define TEXT_BYTES 1024

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory");
}

/* --- the month ------------------------------------------------------------------------------- */

static size_t column_of(const struct report_kind *kind, const char *name)
{
    size_t i = 0;

    while (!slice_equal(slice_str(kind->columns[i].name), slice_str(name)))
        i++;
    return i;
}

static int take_days(struct exchange *x, const struct report_grid *g, struct render_card *out,
                     struct err *err)
{
    size_t total = column_of(g->kind, "total_bytes");
    uint64_t *days = arena_array(&x->arena, g->count + 1, sizeof *days);

    if (days == NULL)
        return no_memory(err);
    for (size_t i = 0; i < g->count; i++)
        days[i] = g->rows[i].values[total];
    out->days = days;
    out->day_count = g->count;
    out->in_bytes = g->total[column_of(g->kind, "in_bytes")];
    out->out_bytes = g->total[column_of(g->kind, "out_bytes")];
    out->forward_bytes = g->total[column_of(g->kind, "forward_bytes")];
    out->complete = g->complete;
    return 0;
}

static int read_month(struct exchange *x, const struct scope *scope, struct render_card *out,
                      struct err *err)
{
    struct range_words words = {.from_name = "from", .to_name = "to"};
    struct range range = {.time = {.now = (time_t)(x->now_ms / 1000),
                                   .hours_kept_s = HOUR_KEPT_S,
                                   .days_kept_s = DAY_KEPT_S}};
    struct report_question q = {.kind = report_find(SLICE("smtp")),
                                .scope = scope->level,
                                .account = scope->account,
                                .step = PERIOD_DAY};
    struct report_grid grid = {.count = 0};
    int result;

    if (read_range_parse(&range, &words, err) != 0)
        return -1;
    q.time = range.time;
    result = read_report(&x->reader, &q, &x->arena, &grid, err);
    if (result == 0)
        result = take_days(x, &grid, out, err);
    report_grid_fini(&grid);
    return result;
}

/* --- the fullest limit ----------------------------------------------------------------------- */

/* "85% of 600 recipients per hour" */
static int write_limit(struct exchange *x, const struct usage_row *row, struct render_card *out,
                       struct err *err)
{
    struct buf b;

    buf_init(&b, TEXT_BYTES);
    buf_addf(&b, "%llu%% of ", (unsigned long long)row->percent);
    text_limit(&b, row->limit);
    out->limit = arena_copy(&x->arena, buf_slice(&b));
    out->percent = row->percent;
    buf_fini(&b);
    return out->limit.ptr != NULL ? 0 : no_memory(err);
}

/* Of the domain itself: a picture that others see names no user. */
static int read_limit(struct exchange *x, const struct scope *scope, struct render_card *out,
                      struct err *err)
{
    const struct usage_row *fullest = NULL;
    struct figures_usage usage;

    if (figures_usage(x, scope, &usage, err) != 0)
        return -1;
    out->limits_unknown = usage.is_unknown;
    for (size_t i = 0; i < usage.rows.count; i++) {
        const struct usage_row *row = &usage.rows.list[i];

        if (row->user.len == 0 && (fullest == NULL || read_usage_compare(row, fullest) < 0))
            fullest = row;
    }
    return fullest != NULL ? write_limit(x, fullest, out, err) : 0;
}

int figures_card(struct exchange *x, const struct scope *scope, struct render_card *out,
                 struct err *err)
{
    char *month = arena_alloc(&x->arena, PERIOD_TEXT);

    *out = (struct render_card){.domain = scope->account};
    if (month == NULL)
        return no_memory(err);
    period_name(PERIOD_MONTH, (time_t)(x->now_ms / 1000), month);
    out->month = slice_str(month);
    return exchange_store(x, err) != 0 || read_month(x, scope, out, err) != 0 ||
                   read_limit(x, scope, out, err) != 0
               ? -1
               : 0;
}
