#include "cli/usage_rows.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/text.h"
#include "lib/core/format.h"
#include "lib/read/read_windows.h"

#define BAR_WIDTH 10
#define DAY_S     86400

/* --- reading --------------------------------------------------------------------------------- */

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory");
}

struct usage_asking {
    const struct holder *h;
    const struct holder_limits *l;
    struct window_question *questions;
    struct usage_row *rows;
    size_t count;
};

static void ask(struct usage_asking *a, bool users, struct slice user)
{
    for (size_t i = 0; i < a->l->count; i++) {
        const struct limit *limit = &a->l->limits[i];

        if ((limit->scope == LIMIT_USER) != users ||
            !limit_is_for(a->l->limits, a->l->count, limit, users ? user : a->h->subject))
            continue;
        a->questions[a->count] = (struct window_question){a->h->name, user, limit};
        a->rows[a->count++] = (struct usage_row){.user = user, .limit = limit};
    }
}

static void answer(struct usage_row *row, struct window_now *w)
{
    uint64_t max = row->limit->max;

    row->used = read_window_used(w);
    row->room = row->used < max ? max - row->used : 0;
    row->percent = max == 0 ? 100 : (uint64_t)((double)row->used * 100 / (double)max);
    row->reopens_ms = read_window_retry_ms(w, max);
}

int usage_read(struct reader *r, const struct holder *h, const struct holder_limits *l,
               const struct name_list *users, struct arena *arena, struct usage_rows *out,
               struct err *err)
{
    size_t most = l->count * (1 + users->count) + 1;
    struct usage_asking a = {.h = h, .l = l};
    struct window_now *windows = arena_array(arena, most, sizeof *windows);

    a.questions = arena_array(arena, most, sizeof *a.questions);
    a.rows = arena_array(arena, most, sizeof *a.rows);
    if (windows == NULL || a.questions == NULL || a.rows == NULL)
        return no_memory(err);
    ask(&a, false, SLICE_NONE);
    for (size_t i = 0; i < users->count; i++)
        ask(&a, true, users->items[i]);
    if (read_windows(r, a.questions, a.count, windows, err) != 0)
        return -1;
    for (size_t i = 0; i < a.count; i++)
        answer(&a.rows[i], &windows[i]);
    *out = (struct usage_rows){a.rows, a.count, a.count > 0 ? windows[0].now_ms : 0};
    return 0;
}

int usage_compare(const struct usage_row *a, const struct usage_row *b)
{
    if (a->percent != b->percent)
        return a->percent > b->percent ? -1 : 1;
    return a->used != b->used ? (a->used > b->used ? -1 : 1) : slice_compare(a->user, b->user);
}

/* --- the busiest users ----------------------------------------------------------------------- */

struct busy {
    struct slice name;
    double part; /* of the limit that it is nearest to */
};

struct busy_search {
    const struct holder_limits *l;
    struct arena *arena;
    struct busy *list;
    size_t count, room;
};

static uint64_t counted(const struct tally *t, enum limit_metric metric)
{
    switch (metric) {
    case METRIC_RECIPIENTS:
        return t->value[COUNTER_OUT_RECIPIENTS] + t->value[COUNTER_FORWARD_RECIPIENTS];
    case METRIC_MESSAGES:
        return t->value[COUNTER_OUT_MESSAGES] + t->value[COUNTER_FORWARD_MESSAGES];
    case METRIC_BYTES:
        return t->value[COUNTER_OUT_BYTES] + t->value[COUNTER_FORWARD_BYTES];
    case METRIC_BOUNCES:
    case METRIC_COUNT:
        break;
    }
    return t->value[COUNTER_BOUNCES_RECEIVED];
}

static int busy_row(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct busy_search *s = context;
    struct busy b = {.name = name};

    for (size_t i = 0; i < s->l->count; i++) {
        const struct limit *l = &s->l->limits[i];
        double part = (double)counted(sum, l->metric) / (l->max > 0 ? (double)l->max : 0.5);

        if (l->scope == LIMIT_USER && part > b.part &&
            limit_is_for(s->l->limits, s->l->count, l, name))
            b.part = part;
    }
    if (b.part == 0)
        return 0;
    s->list = arena_grow(s->arena, s->list, s->count, &s->room, sizeof *s->list);
    b.name = arena_copy(s->arena, name);
    if (s->list == NULL || b.name.ptr == NULL)
        return no_memory(err);
    s->list[s->count++] = b;
    return 0;
}

static int busy_compare(const void *a, const void *b)
{
    const struct busy *x = a, *y = b;

    return x->part > y->part ? -1 : x->part < y->part ? 1 : slice_compare(x->name, y->name);
}

/* Whole days that hold the longest window of users. False: users have no limits. */
static bool longest(const struct holder_limits *l, int64_t now_s, time_t *from)
{
    int64_t start = now_s + 1;

    for (size_t i = 0; i < l->count; i++) {
        int64_t window_s = l->limits[i].window_ms / 1000;
        int64_t begin = l->limits[i].window_ms == LIMIT_WINDOW_MONTH
                            ? (int64_t)period_start(PERIOD_MONTH, (time_t)now_s)
                            : now_s - window_s;

        if (l->limits[i].scope == LIMIT_USER && begin < start)
            start = begin;
    }
    *from = period_start(PERIOD_DAY, (time_t)start);
    return start <= now_s;
}

static int read_busy(struct reader *r, const struct holder *h, struct busy_search *s, time_t from,
                     int64_t now_s, struct err *err)
{
    struct slice name = h->name;
    struct name_list accounts = {.items = &name, .count = 1};
    struct counter_list counters = {.count = 0};
    struct stored_periods periods;

    for (size_t id = 0; id < COUNTER_COUNT; id++) {
        if (counter_table[id].group == GROUP_TRAFFIC)
            counters.ids[counters.count++] = (enum counter)id;
    }
    if (period_range_stored(from, period_end(PERIOD_DAY, (time_t)now_s), (time_t)now_s, false,
                            s->arena, &periods, err) != 0)
        return -1;
    return read_users(r, &accounts, &periods, &counters, busy_row, s, err);
}

int usage_busiest(struct reader *r, const struct holder *h, const struct holder_limits *l,
                  int64_t now_s, size_t most, struct arena *arena, struct name_list *out,
                  struct err *err)
{
    struct busy_search s = {.l = l, .arena = arena};
    time_t from;

    *out = (struct name_list){0};
    if (h->kind != HOLDER_IS_DOMAIN || !longest(l, now_s, &from))
        return 0;
    if (read_busy(r, h, &s, from, now_s, err) != 0)
        return -1;
    if (s.count > 0)
        qsort(s.list, s.count, sizeof *s.list, busy_compare);
    out->count = s.count < most ? s.count : most;
    out->items = arena_array(arena, out->count + 1, sizeof *out->items);
    if (out->items == NULL)
        return no_memory(err);
    for (size_t i = 0; i < out->count; i++)
        out->items[i] = s.list[i].name;
    return 0;
}

/* --- showing --------------------------------------------------------------------------------- */

enum usage_column {
    COL_USER = USAGE_USER,
    COL_LIMIT,
    COL_ACTION,
    COL_USED,
    COL_MAX,
    COL_ROOM,
    COL_PERCENT,
    COL_BAR,
    COL_REOPENS,
    COL_REOPENS_AT
};

const struct table_column usage_columns[] = {
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
};
const size_t usage_column_count = sizeof usage_columns / sizeof usage_columns[0];

static void add_amount(struct table *list, enum usage_column column, enum limit_metric metric,
                       uint64_t n, struct buf *b)
{
    buf_reset(b);
    if (metric == METRIC_BYTES)
        format_bytes(b, n);
    else
        format_count(b, n);
    table_number(list, column, n, buf_slice(b));
}

static void add_reopens(struct table *list, const struct usage_row *row, int64_t now_ms,
                        struct buf *b)
{
    int64_t seconds = (row->reopens_ms + 999) / 1000, at_s = (now_ms + row->reopens_ms) / 1000;

    if (row->reopens_ms < 0) {
        table_shown(list, COL_REOPENS, SLICE("never"));
        return;
    }
    if (row->reopens_ms == 0) {
        table_number(list, COL_REOPENS, 0, SLICE(" "));
        return;
    }
    buf_reset(b);
    text_clock(b, at_s, now_ms / 1000);
    if (seconds < DAY_S) {
        buf_add_str(b, " (");
        text_duration(b, seconds);
        buf_add_char(b, ')');
    }
    table_number(list, COL_REOPENS, (uint64_t)seconds, buf_slice(b));
    table_number(list, COL_REOPENS_AT, (uint64_t)at_s, SLICE_NONE);
}

void usage_add_row(struct table *list, const struct usage_row *row, int64_t now_ms, bool utf8)
{
    const struct limit *l = row->limit;
    struct buf b;

    buf_init(&b, 1024);
    table_row(list);
    if (row->user.len > 0)
        table_text(list, COL_USER, row->user);
    limit_name(l, &b);
    table_text(list, COL_LIMIT, buf_slice(&b));
    table_text(list, COL_ACTION, slice_str(limit_action_name(l->action)));
    add_amount(list, COL_USED, l->metric, row->used, &b);
    add_amount(list, COL_MAX, l->metric, l->max, &b);
    add_amount(list, COL_ROOM, l->metric, row->room, &b);
    buf_reset(&b);
    format_count(&b, row->percent);
    buf_add_char(&b, '%');
    table_number(list, COL_PERCENT, row->percent, buf_slice(&b));
    buf_reset(&b);
    text_bar(&b, row->percent, BAR_WIDTH, utf8);
    table_shown(list, COL_BAR, buf_slice(&b));
    add_reopens(list, row, now_ms, &b);
    buf_fini(&b);
}
