#include <inttypes.h>
#include <jansson.h>
#include <sysexits.h>

#include "cli/limit_try.h"
#include "lib/core/format.h"
#include "lib/core/text.h"
#include "lib/sys/json.h"
#include "lib/sys/table.h"

#define TEXT_BYTES   ((size_t)256 << 20)
#define PEOPLE_SHOWN 20

enum try_column {
    COL_EXACT,
    COL_FROM,
    COL_TO,
    COL_USER,
    COL_MESSAGES,
    COL_RECIPIENTS,
    COL_BYTES,
    COL_MOST
};

static const struct table_column columns[] = {
    [COL_EXACT] = {.name = "exact"},
    [COL_FROM] = {.name = "from", .head = "from"},
    [COL_TO] = {.name = "to", .head = "to"},
    [COL_USER] = {.name = "user", .head = "user", .cut = 30},
    [COL_MESSAGES] = {.name = "messages", .head = "msgs", .right = true},
    [COL_RECIPIENTS] = {.name = "recipients", .head = "rcpts", .right = true},
    [COL_BYTES] = {.name = "bytes", .head = "bytes", .right = true},
    [COL_MOST] = {.name = "most", .head = "most", .right = true},
};

/* --- rows ------------------------------------------------------------------------------------ */

static void add_amount(struct table *l, size_t column, enum limit_metric metric, uint64_t n)
{
    struct buf b;

    buf_init(&b, 64);
    text_amount(&b, metric, n);
    table_number(l, column, n, buf_slice(&b));
    buf_fini(&b);
}

static void stops_add(const struct limit_try *w, struct table *l)
{
    for (size_t i = 0; i < w->exact.count; i++) {
        const struct try_stop *s = &w->exact.stops[i];

        table_row(l);
        table_bool(l, COL_EXACT, true, "yes");
        table_time(l, COL_FROM, s->from_ms);
        table_time(l, COL_TO, s->to_ms);
        if (s->user.len > 0)
            table_text(l, COL_USER, s->user);
        add_amount(l, COL_MESSAGES, METRIC_MESSAGES, s->messages);
        add_amount(l, COL_RECIPIENTS, METRIC_RECIPIENTS, s->recipients);
        add_amount(l, COL_BYTES, METRIC_BYTES, s->bytes);
        add_amount(l, COL_MOST, w->limit.metric, s->most);
    }
}

static size_t metric_column(enum limit_metric metric)
{
    return metric == METRIC_BYTES        ? COL_BYTES
           : metric == METRIC_RECIPIENTS ? COL_RECIPIENTS
                                         : COL_MESSAGES;
}

/* All that was sent in the hour: of that, at most, so much was over. */
static void hours_add(const struct limit_try *w, struct table *l)
{
    for (size_t i = 0; i < w->hours.count; i++) {
        const struct limit_replay_hour *h = &w->hours.hours[i];

        if (!h->may_stop)
            continue;
        table_row(l);
        table_bool(l, COL_EXACT, false, "no");
        table_time(l, COL_FROM, h->start_ms);
        table_time(l, COL_TO, h->start_ms + LIMIT_REPLAY_HOUR_MS);
        add_amount(l, metric_column(w->limit.metric), w->limit.metric, h->all);
    }
}

static void fill(struct limit_try *w, struct table *l, bool hours, bool stops)
{
    table_init(l, columns, sizeof columns / sizeof columns[0], &w->arena);
    if (hours)
        hours_add(w, l);
    if (stops)
        stops_add(w, l);
}

static const struct table_column people_columns[] = {
    {.name = "user", .head = "whose mail", .cut = 40},
    {.name = "messages", .head = "msgs", .right = true},
    {.name = "recipients", .head = "rcpts", .right = true},
    {.name = "bytes", .head = "bytes", .right = true},
};

static void people_fill(struct limit_try *w, size_t most, struct table *l)
{
    const struct try_exact *e = &w->exact;

    table_init(l, people_columns, sizeof people_columns / sizeof people_columns[0], &w->arena);
    for (size_t i = 0; i < e->people_count && i < most; i++) {
        const struct try_person *p = &e->people[i];

        table_row(l);
        if (p->user.len > 0)
            table_text(l, 0, p->user);
        else
            table_shown(l, 0, SLICE("(no user)"));
        add_amount(l, 1, METRIC_MESSAGES, p->messages);
        add_amount(l, 2, METRIC_RECIPIENTS, p->recipients);
        add_amount(l, 3, METRIC_BYTES, p->bytes);
    }
}

/* --- text ------------------------------------------------------------------------------------ */

static void add_times(struct buf *b, time_t from, time_t to)
{
    buf_add_str(b, "From ");
    text_time(b, (int64_t)from);
    buf_add_str(b, " to ");
    text_time(b, (int64_t)to);
}

static void add_people(struct limit_try *w, const struct render_style *style, struct buf *b)
{
    struct table l;

    if (w->exact.people_count == 0)
        return;
    people_fill(w, PEOPLE_SHOWN, &l);
    buf_add_char(b, '\n');
    table_table(&l, style, true, b);
    if (w->exact.people_count > PEOPLE_SHOWN)
        buf_addf(b, "and %zu more users\n", w->exact.people_count - PEOPLE_SHOWN);
}

static void add_exact(struct limit_try *w, const struct render_style *style, struct buf *b)
{
    const struct try_exact *e = &w->exact;
    struct table l;

    add_times(b, e->from, e->to);
    buf_add_str(b, ", message by message, it would have stopped\n");
    format_count(b, e->stopped.messages);
    buf_add_str(b, " of ");
    format_count(b, e->stopped.messages + e->passed.messages);
    buf_add_str(b, " messages, with ");
    format_count(b, e->stopped.recipients);
    buf_add_str(b, " recipients and ");
    text_amount(b, METRIC_BYTES, e->stopped.bytes);
    buf_add_str(b, ".\n");
    if (e->count == 0)
        return;
    fill(w, &l, false, true);
    buf_add_char(b, '\n');
    table_table(&l, style, true, b);
    add_people(w, style, b);
}

static void add_hours(struct limit_try *w, const struct render_style *style, struct buf *b)
{
    const struct try_hours *h = &w->hours;
    struct table l;

    add_times(b, h->from, h->to);
    buf_add_str(b, " only the figures of hours are left: it would have\nstopped ");
    if (h->may == 0) {
        buf_add_str(b, "nothing.\n");
        return;
    }
    buf_add_str(b, "at least ");
    text_amount(b, w->limit.metric, h->at_least);
    buf_add_str(b, " and at most ");
    text_amount(b, w->limit.metric, h->at_most);
    if (w->limit.metric != METRIC_BYTES)
        buf_addf(b, " %s", limit_metric_name(w->limit.metric));
    buf_addf(b, ", in %s%zu hour%s, which sent:\n\n", h->may > 1 ? "at most " : "", h->may,
             h->may > 1 ? "s" : "");
    fill(w, &l, true, false);
    table_table(&l, style, true, b);
}

static void add_notes(const struct limit_try *w, struct buf *b)
{
    if (w->hours.from < w->hours.to && w->exact.from < w->exact.to)
        buf_add_str(b, "\nBoth parts begin with nothing used.\n");
    if (w->exact.others > 0)
        buf_addf(b,
                 "\n%" PRIu64 " released messages are left out: their records are not kept any "
                 "more.\n",
                 w->exact.others);
    if (w->exact.from == w->exact.to || w->nodes.count == 0)
        return;
    buf_add_str(b, "\nMessage by message only the mail of this node is known. Other nodes:");
    for (size_t i = 0; i < w->nodes.count; i++) {
        buf_add_str(b, i > 0 ? ", " : " ");
        format_text(b, w->nodes.items[i]);
    }
    buf_add_str(b, ".\n");
}

static void add_text(struct limit_try *w, struct buf *b)
{
    struct render_style style;

    cli_style(&style);
    format_text(b, holder_title(&w->holder));
    buf_add_str(b, w->users ? ", each user: " : ": ");
    text_limit(b, &w->limit);
    buf_add_str(b, "\n\n");
    if (w->hours.from < w->hours.to)
        add_hours(w, &style, b);
    if (w->hours.from < w->hours.to && w->exact.from < w->exact.to)
        buf_add_char(b, '\n');
    if (w->exact.from < w->exact.to)
        add_exact(w, &style, b);
    add_notes(w, b);
}

/* --- JSON ------------------------------------------------------------------------------------ */

static json_t *sums_json(const struct message_row *sum)
{
    return json_pack("{s:I,s:I,s:I}", "messages", (json_int_t)sum->messages, "recipients",
                     (json_int_t)sum->recipients, "bytes", (json_int_t)sum->bytes);
}

static json_t *exact_json(struct limit_try *w)
{
    struct table l, people;

    if (w->exact.from == w->exact.to)
        return json_null();
    fill(w, &l, false, true);
    people_fill(w, SIZE_MAX, &people);
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "from", cli_json_time(w->exact.from), "to",
                     cli_json_time(w->exact.to), "stopped", sums_json(&w->exact.stopped), "passed",
                     sums_json(&w->exact.passed), "stops", table_json(&l), "users",
                     table_json(&people));
}

static json_t *hours_json(struct limit_try *w)
{
    struct table l;

    if (w->hours.from == w->hours.to)
        return json_null();
    fill(w, &l, true, false);
    return json_pack("{s:o,s:o,s:I,s:I,s:o}", "from", cli_json_time(w->hours.from), "to",
                     cli_json_time(w->hours.to), "at_least", (json_int_t)w->hours.at_least,
                     "at_most", (json_int_t)w->hours.at_most, "hours", table_json(&l));
}

static json_t *to_json(struct limit_try *w)
{
    json_t *o = json_object(), *nodes = json_array();
    struct buf name;

    buf_init(&name, 1024);
    limit_name(&w->limit, &name);
    for (size_t i = 0; i < w->nodes.count; i++)
        (void)json_array_append_new(nodes, json_text(w->nodes.items[i]));
    (void)json_object_set_new(o, "account", json_text(holder_title(&w->holder)));
    (void)json_object_set_new(o, "limit", json_text(buf_slice(&name)));
    (void)json_object_set_new(o, "max", json_integer((json_int_t)w->limit.max));
    (void)json_object_set_new(o, "node", json_string(w->cli->settings->node));
    (void)json_object_set_new(o, "other_nodes", nodes);
    (void)json_object_set_new(o, "by_hours", hours_json(w));
    (void)json_object_set_new(o, "by_messages", exact_json(w));
    buf_fini(&name);
    return o;
}

/* --------------------------------------------------------------------------------------------- */

int limit_try_show(struct limit_try *w)
{
    struct table all;
    struct buf b;
    int code;

    buf_init(&b, TEXT_BYTES);
    if (w->format == FORMAT_JSON) {
        cli_add_json(&b, to_json(w));
    } else if (w->format == FORMAT_CSV) {
        fill(w, &all, true, true);
        table_csv(&all, true, &b);
    } else {
        add_text(w, &b);
    }
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}
