#include "cli/top_screen.h"

#include <string.h>

#include "lib/core/format.h"
#include "lib/core/text.h"
#include "lib/read/read_violations_table.h"

#define ROWS_EACH  10
#define ROWS_FIXED 11 /* of heads, rules and blank lines */
#define ROWS_LEAST 2
#define NAME_BYTES 1024

/* --- figures --------------------------------------------------------------------------------- */

/* 0.5, 12.0, 345, 12,345 */
static void add_rate(struct buf *b, double rate)
{
    if (rate < 99.95)
        buf_addf(b, "%.1f", rate);
    else
        format_count(b, (uint64_t)(rate + 0.5));
}

static void rate_cell(struct table *list, size_t column, double rate, bool bytes)
{
    struct buf b;

    buf_init(&b, NAME_BYTES);
    if (bytes)
        format_bytes(&b, (uint64_t)(rate + 0.5));
    else
        add_rate(&b, rate);
    table_shown(list, column, buf_slice(&b));
    buf_fini(&b);
}

/* --- head ------------------------------------------------------------------------------------ */

static void add_head(const struct top_data *d, const struct render_style *style, bool watch,
                     int64_t now_s, struct buf *b)
{
    bool observe = d->setup.rules->observe;

    buf_add_str(b, style->colour ? "\033[1m" : "");
    buf_add_str(b, "Tollgate ");
    text_time(b, now_s);
    buf_addf(b, "  %s  %zu node%s, ", observe ? "observe" : "enforce", d->node_count,
             d->node_count == 1 ? "" : "s");
    format_count(b, d->account_count);
    buf_addf(b, " account%s", d->account_count == 1 ? "" : "s");
    buf_add_str(b, style->colour ? "\033[0m" : "");
    if (watch)
        buf_add_str(b, "  (q quits)");
    if (d->readings < 2) {
        buf_add_str(b, "\nmessages/s: measuring\n\n");
        return;
    }
    buf_add_str(b, "\nmessages/s: in ");
    add_rate(b, d->server[TOP_IN]);
    buf_add_str(b, ", out ");
    add_rate(b, d->server[TOP_MESSAGES]);
    buf_addf(b, ", %s ", observe ? "would be stopped" : "stopped");
    add_rate(b, d->server[TOP_STOPPED]);
    buf_add_str(b, "; out ");
    format_bytes(b, (uint64_t)d->server[TOP_BYTES]);
    buf_add_str(b, "/s\n\n");
}

/* --- tables ---------------------------------------------------------------------------------- */

static void add_senders(const struct top_data *d, const struct render_style *style, size_t most,
                        struct arena *arena, struct buf *b)
{
    const struct table_column columns[] = {
        {.head = "sending now", .cut = 20, .least = 34},
        {.head = "msgs/s", .right = true, .least = 7},
        {.head = "rcpts/s", .right = true, .least = 8},
        {.head = "bytes/s", .right = true, .least = 8},
        {.head = "in/s", .right = true, .least = 6, .minor = true},
        {.head = d->setup.rules->observe ? "would stop" : "stopped/s", .right = true, .least = 10},
    };
    static const enum top_value values[] = {TOP_MESSAGES, TOP_RECIPIENTS, TOP_BYTES, TOP_IN,
                                            TOP_STOPPED};
    struct table list;

    table_init(&list, columns, sizeof columns / sizeof columns[0], arena);
    for (size_t i = 0; i < d->sender_count && i < most; i++) {
        const struct top_account *a = d->senders[i];

        table_row(&list);
        table_shown(&list, 0, a->name);
        for (size_t v = 0; v < TOP_VALUES; v++)
            rate_cell(&list, 1 + v, a->rate[values[v]], values[v] == TOP_BYTES);
    }
    table_table(&list, style, true, b);
    if (d->sender_count == 0)
        buf_add_str(b, d->readings < 2 ? "(measuring)\n" : "(nobody)\n");
    buf_add_char(b, '\n');
}

static void add_limits(const struct top_data *d, const struct render_style *style, size_t most,
                       struct arena *arena, struct buf *b)
{
    struct table_column *columns = arena_array(arena, read_usage_column_count, sizeof *columns);
    struct table list;

    if (columns == NULL || d->limit_count == 0) {
        buf_add_str(b, "No limit is in use by the ");
        format_count(b, d->holders_looked_at);
        buf_add_str(b, " accounts checked.\n\n");
        return;
    }
    memcpy(columns, read_usage_columns, read_usage_column_count * sizeof *columns);
    columns[READ_USAGE_USER].head = "nearest to its limit";
    columns[READ_USAGE_USER].least = 20;
    table_init(&list, columns, read_usage_column_count, arena);
    for (size_t i = 0; i < d->limit_count && i < most; i++) {
        struct usage_row row = d->limits[i].row;

        if (row.user.len == 0)
            row.user = d->limits[i].holder;
        read_usage_add_row(&list, &row, d->store_ms, style->utf8);
    }
    table_table(&list, style, true, b);
    buf_add_char(b, '\n');
}

static void add_violations(const struct top_data *d, const struct render_style *style, size_t most,
                           struct arena *arena, struct buf *b)
{
    struct table list;
    size_t count = d->violations.count;

    table_init(&list, read_violations_columns, read_violations_column_count, arena);
    for (size_t i = count > most ? count - most : 0; i < count; i++)
        read_violations_add_row(&list, &d->violations.items[i].v);
    table_table(&list, style, true, b);
    if (count == 0)
        buf_add_str(b, "(no violations)\n");
}

void top_screen(const struct top_data *d, const struct render_style *style, unsigned rows,
                int64_t now_s, struct arena *arena, struct buf *b)
{
    size_t each = ROWS_EACH, rest = 0;

    if (rows > 0) {
        size_t room = rows > ROWS_FIXED ? rows - ROWS_FIXED : 0;

        each = room / 3 > ROWS_LEAST ? room / 3 : ROWS_LEAST;
        rest = room / 3 > ROWS_LEAST ? room % 3 : 0;
    }
    add_head(d, style, rows > 0, now_s, b);
    add_senders(d, style, each + rest, arena, b);
    add_limits(d, style, each, arena, b);
    add_violations(d, style, each, arena, b);
}
