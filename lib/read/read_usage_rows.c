#include "lib/read/read_usage_rows.h"

#include "lib/core/forecast.h"
#include "lib/core/format.h"
#include "lib/core/period.h"
#include "lib/core/text.h"

#define BAR_WIDTH 10
#define DAY_S     86400

enum usage_column {
    COL_USER = READ_USAGE_USER,
    COL_LIMIT,
    COL_ACTION,
    COL_USED,
    COL_MAX,
    COL_ROOM,
    COL_PERCENT,
    COL_BAR,
    COL_REOPENS,
    COL_REOPENS_AT,
    COL_FORECAST,
    COL_OVER_AT = READ_USAGE_OVER_AT
};

const struct table_column read_usage_columns[] = {
    [COL_USER] = {.name = "user", .head = "user", .cut = 14},
    [COL_LIMIT] = {.name = "limit", .head = "limit", .cut = 12},
    [COL_ACTION] = {.name = "action"},
    [COL_USED] = {.name = "used", .head = "used", .right = true},
    [COL_MAX] = {.name = "max", .head = "of", .right = true, .expendable = true},
    [COL_ROOM] = {.name = "room", .head = "room", .right = true, .minor = true},
    [COL_PERCENT] = {.name = "percent", .head = "full", .right = true},
    [COL_BAR] = {.head = "", .minor = true},
    [COL_REOPENS] = {.name = "reopens_s", .head = "room again", .expendable = true},
    [COL_REOPENS_AT] = {.name = "reopens_at"},
    [COL_FORECAST] = {.name = "forecast"},
    [COL_OVER_AT] = {.name = "over_at"},
};
const size_t read_usage_column_count = sizeof read_usage_columns / sizeof read_usage_columns[0];

static void add_amount(struct table *list, size_t column, enum limit_metric metric, uint64_t n,
                       struct buf *b)
{
    buf_reset(b);
    if (metric == METRIC_BYTES)
        format_bytes(b, n);
    else
        format_count(b, n);
    table_number(list, column, n, buf_slice(b));
}

static void add_reopens(struct table *list, size_t first, const struct usage_row *row,
                        int64_t now_ms, struct buf *b)
{
    int64_t seconds = (row->reopens_ms + 999) / 1000, at_s = (now_ms + row->reopens_ms) / 1000;

    if (row->reopens_ms < 0) {
        table_shown(list, first + COL_REOPENS, SLICE("never"));
        return;
    }
    if (row->reopens_ms == 0) {
        table_number(list, first + COL_REOPENS, 0, SLICE(" "));
        return;
    }
    buf_reset(b);
    text_clock(b, at_s, now_ms / 1000);
    if (seconds < DAY_S) {
        buf_add_str(b, " (");
        text_duration(b, seconds);
        buf_add_char(b, ')');
    }
    table_number(list, first + COL_REOPENS, (uint64_t)seconds, buf_slice(b));
    table_number(list, first + COL_REOPENS_AT, (uint64_t)at_s, SLICE_NONE);
}

const char *read_usage_forecast(const struct usage_row *row)
{
    if (!row->has_forecast)
        return "";
    return row->over_s == FORECAST_UNKNOWN ? "unknown"
           : row->over_s == FORECAST_NOT   ? "no"
                                           : "full";
}

void read_usage_add_forecast(const struct usage_row *row, struct buf *b)
{
    char day[PERIOD_TEXT];

    if (!row->has_forecast || row->over_s == FORECAST_NOT ||
        (row->over_s == FORECAST_UNKNOWN && row->user.len > 0))
        return;
    limit_name(row->limit, b);
    if (row->user.len > 0)
        buf_addf(b, " of %.*s", SLICE_FMT(row->user));
    if (row->over_s == FORECAST_UNKNOWN) {
        buf_addf(b, ": no forecast; fewer than %d days have been counted.", FORECAST_LEAST);
        return;
    }
    period_name(PERIOD_DAY, (time_t)row->over_s, day);
    buf_addf(b, " will be full on %s if mail goes on as in the last weeks.", day);
}

static void add_forecast(struct table *list, size_t first, const struct usage_row *row)
{
    char day[PERIOD_TEXT];

    if (!row->has_forecast)
        return;
    table_text(list, first + COL_FORECAST, slice_str(read_usage_forecast(row)));
    if (row->over_s == FORECAST_UNKNOWN)
        table_shown(list, first + COL_OVER_AT, SLICE("unknown"));
    if (row->over_s <= 0)
        return;
    period_name(PERIOD_DAY, (time_t)row->over_s, day);
    table_number(list, first + COL_OVER_AT, (uint64_t)row->over_s, slice_str(day));
}

void read_usage_add_row(struct table *list, const struct usage_row *row, int64_t now_ms, bool utf8)
{
    read_usage_add_row_at(list, 0, row, now_ms, utf8);
}

void read_usage_add_row_at(struct table *list, size_t first, const struct usage_row *row,
                           int64_t now_ms, bool utf8)
{
    const struct limit *l = row->limit;
    struct buf b;

    buf_init(&b, 1024);
    table_row(list);
    if (row->user.len > 0)
        table_text(list, first + COL_USER, row->user);
    limit_name(l, &b);
    table_text(list, first + COL_LIMIT, buf_slice(&b));
    table_text(list, first + COL_ACTION, slice_str(limit_action_name(l->action)));
    add_amount(list, first + COL_USED, l->metric, row->used, &b);
    add_amount(list, first + COL_MAX, l->metric, l->max, &b);
    add_amount(list, first + COL_ROOM, l->metric, row->room, &b);
    buf_reset(&b);
    format_count(&b, row->percent);
    buf_add_char(&b, '%');
    table_number(list, first + COL_PERCENT, row->percent, buf_slice(&b));
    buf_reset(&b);
    text_bar(&b, row->percent, BAR_WIDTH, utf8);
    table_shown(list, first + COL_BAR, buf_slice(&b));
    add_reopens(list, first, row, now_ms, &b);
    add_forecast(list, first, row);
    buf_fini(&b);
}
