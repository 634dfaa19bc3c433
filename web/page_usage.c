#include "web/page_usage.h"

#include "lib/core/forecast.h"
#include "lib/core/format.h"
#include "lib/core/period.h"
#include "lib/core/render_html.h"
#include "lib/core/text.h"
#include "web/page.h"

#define TEXT_BYTES 4096
#define WARN       80 /* percent, where the limit has no soft percentage */

/* What a narrow page shows without scrolling comes first. */
enum { U_LIMIT, U_USED, U_BAR, U_PERCENT, U_USER, U_REOPENS, U_FULL_ON, U_ACTION, U_COUNT };

static const struct page_head heads[U_COUNT] = {
    {"limit", false, false},   {"used", true, false},   {"use", false, true},
    {"full", true, false},     {"user", false, false},  {"room again", false, false},
    {"full on", false, false}, {"over it", false, true}};

static void add_text(struct html *h, size_t column, struct buf *b)
{
    page_cell(h, &heads[column], buf_slice(b));
    buf_reset(b);
}

static const char *class_of(const struct usage_row *row)
{
    uint64_t warn = row->limit->soft_percent > 0 ? row->limit->soft_percent : WARN;

    return row->percent >= 100 ? "bad" : row->percent >= warn ? "warn" : "good";
}

/* What the bar shows stands beside it in figures. */
static void add_bar(struct html *h, const struct usage_row *row)
{
    html_open(h, "td");
    html_attr(h, "class", SLICE("minor"));
    render_html_meter(h, class_of(row), row->percent < 100 ? (unsigned)row->percent * 10 : 1000);
    html_close(h, "td");
}

static void write_used(const struct usage_row *row, struct buf *b)
{
    text_amount(b, row->limit->metric, row->used);
    buf_add_str(b, " of ");
    text_amount(b, row->limit->metric, row->limit->max);
}

static void write_reopens(const struct usage_row *row, int64_t now_ms, struct buf *b)
{
    if (row->reopens_ms < 0) {
        buf_add_str(b, "never");
    } else if (row->reopens_ms > 0) {
        text_clock(b, (now_ms + row->reopens_ms) / 1000, now_ms / 1000);
        buf_add_str(b, " (in ");
        text_duration(b, (row->reopens_ms + 999) / 1000);
        buf_add_char(b, ')');
    }
}

static void write_full_on(const struct usage_row *row, struct buf *b)
{
    char day[PERIOD_TEXT];

    if (!row->has_forecast || row->over_s == FORECAST_NOT)
        return;
    period_name(PERIOD_DAY, (time_t)row->over_s, day);
    buf_add_str(b, row->over_s == FORECAST_UNKNOWN ? "unknown" : day);
}

static void add_row(struct html *h, const struct usage_row *row, int64_t now_ms)
{
    struct buf b;

    buf_init(&b, TEXT_BYTES);
    html_open(h, "tr");
    limit_name(row->limit, &b);
    page_cell_name(h, SLICE_NONE, buf_slice(&b));
    buf_reset(&b);
    write_used(row, &b);
    add_text(h, U_USED, &b);
    add_bar(h, row);
    format_count(&b, row->percent);
    buf_add_char(&b, '%');
    add_text(h, U_PERCENT, &b);
    page_cell(h, &heads[U_USER], row->user);
    write_reopens(row, now_ms, &b);
    add_text(h, U_REOPENS, &b);
    write_full_on(row, &b);
    add_text(h, U_FULL_ON, &b);
    page_cell(h, &heads[U_ACTION], slice_str(limit_action_name(row->limit->action)));
    html_close(h, "tr");
    html_newline(h);
    buf_fini(&b);
}

void page_usage(struct html *h, const struct figures_usage *f)
{
    if (f->is_unknown || f->is_exempt || f->rows.count > 0)
        html_element(h, "h2", SLICE("Use of limits"));
    if (f->is_unknown)
        html_element_class(h, "p", "alert",
                           SLICE("The limits are not known now: they could not be loaded."));
    if (f->is_exempt)
        html_element(h, "p", SLICE("Exempt: no limit applies."));
    if (f->rows.count == 0)
        return;
    if (f->is_observed)
        html_element(h, "p", SLICE("Limits are only observed: nothing is stopped."));
    page_table_open(h, "usage", "How much of each limit is used now", heads, U_COUNT);
    for (size_t i = 0; i < f->rows.count; i++)
        add_row(h, &f->rows.list[i], f->rows.now_ms);
    page_table_close(h);
}
