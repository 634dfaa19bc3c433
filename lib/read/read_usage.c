#include "lib/read/read_usage.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/read/read_forecast.h"
#include "lib/read/read_reply.h"
#include "lib/read/read_windows.h"

#define WINDOWS_AT_ONCE READ_BATCH

/* --- windows --------------------------------------------------------------------------------- */

struct usage_asking {
    const struct usage_question *q;
    struct window_question *questions;
    struct usage_row *rows;
    size_t count;
};

static void ask(struct usage_asking *a, bool users, struct slice user)
{
    const struct usage_question *q = a->q;

    for (size_t i = 0; i < q->count; i++) {
        const struct limit *limit = &q->limits[i];

        if ((limit->scope == LIMIT_USER) != users ||
            !limit_is_for(q->limits, q->count, limit, users ? user : q->subject))
            continue;
        a->questions[a->count++] = (struct window_question){q->holder, user, limit};
    }
}

static uint64_t percent_of(uint64_t used, uint64_t max)
{
    return max == 0 ? 100 : (uint64_t)((double)used * 100 / (double)max);
}

static void answer(struct usage_row *row, struct window_now *w)
{
    uint64_t max = row->limit->max;

    row->used = read_window_used(w);
    row->room = row->used < max ? max - row->used : 0;
    row->percent = percent_of(row->used, max);
    row->reopens_ms = read_window_retry_ms(w, max);
}

int read_usage_windows(struct reader *r, const struct window_question *questions, size_t count,
                       struct usage_row *rows, int64_t *now_ms, struct err *err)
{
    struct window_now windows[WINDOWS_AT_ONCE];

    for (size_t at = 0; at < count; at += WINDOWS_AT_ONCE) {
        size_t some = count - at < WINDOWS_AT_ONCE ? count - at : WINDOWS_AT_ONCE;

        if (read_windows(r, questions + at, some, windows, err) != 0)
            return -1;
        *now_ms = windows[0].now_ms;
        for (size_t i = 0; i < some; i++) {
            rows[at + i] = (struct usage_row){.user = questions[at + i].subject,
                                              .limit = questions[at + i].limit};
            answer(&rows[at + i], &windows[i]);
        }
    }
    return 0;
}

int read_usage(struct reader *r, const struct usage_question *q, const struct name_list *users,
               struct arena *arena, struct usage_rows *out, struct err *err)
{
    size_t most = q->count * (1 + users->count) + 1;
    struct usage_asking a = {.q = q};
    int64_t now_ms = 0;

    a.questions = arena_array(arena, most, sizeof *a.questions);
    a.rows = arena_array(arena, most, sizeof *a.rows);
    if (a.questions == NULL || a.rows == NULL)
        return read_no_memory(err);
    ask(&a, false, SLICE_NONE);
    for (size_t i = 0; i < users->count; i++)
        ask(&a, true, users->items[i]);
    if (read_usage_windows(r, a.questions, a.count, a.rows, &now_ms, err) != 0)
        return -1;
    *out = (struct usage_rows){a.rows, a.count, now_ms};
    return 0;
}

int read_usage_compare(const struct usage_row *a, const struct usage_row *b)
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
    const struct usage_question *q;
    struct arena *arena;
    struct busy *list;
    size_t count, room;
};

static uint64_t counted(const struct tally *t, enum limit_metric metric)
{
    struct counter_list counters;
    uint64_t sum = 0;

    read_forecast_counters(metric, &counters);
    for (size_t i = 0; i < counters.count; i++)
        sum += t->value[counters.ids[i]];
    return sum;
}

static int busy_row(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct busy_search *s = context;
    struct busy b = {.name = name};

    for (size_t i = 0; i < s->q->count; i++) {
        const struct limit *l = &s->q->limits[i];
        double part = (double)counted(sum, l->metric) / (l->max > 0 ? (double)l->max : 0.5);

        if (l->scope == LIMIT_USER && part > b.part &&
            limit_is_for(s->q->limits, s->q->count, l, name))
            b.part = part;
    }
    if (b.part == 0)
        return 0;
    s->list = arena_grow(s->arena, s->list, s->count, &s->room, sizeof *s->list);
    b.name = arena_copy(s->arena, name);
    if (s->list == NULL || b.name.ptr == NULL)
        return read_no_memory(err);
    s->list[s->count++] = b;
    return 0;
}

static int busy_compare(const void *a, const void *b)
{
    const struct busy *x = a, *y = b;

    return x->part > y->part ? -1 : x->part < y->part ? 1 : slice_compare(x->name, y->name);
}

/* Whole days that hold the longest window of users. False: users have no limits. */
static bool longest(const struct usage_question *q, int64_t now_s, time_t *from)
{
    int64_t start = now_s + 1;

    for (size_t i = 0; i < q->count; i++) {
        int64_t window_s = q->limits[i].window_ms / 1000;
        int64_t begin = q->limits[i].window_ms == LIMIT_WINDOW_MONTH
                            ? (int64_t)period_start(PERIOD_MONTH, (time_t)now_s)
                            : now_s - window_s;

        if (q->limits[i].scope == LIMIT_USER && begin < start)
            start = begin;
    }
    *from = period_start(PERIOD_DAY, (time_t)start);
    return start <= now_s;
}

/* The days up to now, and what counts for limits. */
static int since(time_t from, int64_t now_s, struct arena *arena, struct stored_periods *periods,
                 struct counter_list *counters, struct err *err)
{
    counters->count = 0;
    for (size_t id = 0; id < COUNTER_COUNT; id++) {
        if (counter_table[id].group == GROUP_TRAFFIC)
            counters->ids[counters->count++] = (enum counter)id;
    }
    return period_range_stored(from, period_end(PERIOD_DAY, (time_t)now_s), (time_t)now_s, false,
                               arena, periods, err);
}

static int read_busy(struct reader *r, struct busy_search *s, time_t from, int64_t now_s,
                     struct err *err)
{
    struct slice name = s->q->holder;
    struct name_list accounts = {.items = &name, .count = 1};
    struct counter_list counters;
    struct stored_periods periods;

    if (since(from, now_s, s->arena, &periods, &counters, err) != 0)
        return -1;
    return read_users(r, &accounts, &periods, &counters, busy_row, s, err);
}

int read_usage_busiest(struct reader *r, const struct usage_question *q, int64_t now_s, size_t most,
                       struct arena *arena, struct name_list *out, struct err *err)
{
    struct busy_search s = {.q = q, .arena = arena};
    time_t from;

    *out = (struct name_list){0};
    if (!longest(q, now_s, &from))
        return 0;
    if (read_busy(r, &s, from, now_s, err) != 0)
        return -1;
    if (s.count > 0)
        qsort(s.list, s.count, sizeof *s.list, busy_compare);
    out->count = s.count < most ? s.count : most;
    out->items = arena_array(arena, out->count + 1, sizeof *out->items);
    if (out->items == NULL)
        return read_no_memory(err);
    for (size_t i = 0; i < out->count; i++)
        out->items[i] = s.list[i].name;
    return 0;
}

/* --- domains of whose users none can be so full ---------------------------------------------- */

struct bound_search {
    const struct usage_question *questions;
    size_t *asked, at; /* which of them */
    uint64_t percent;
    bool *may;
};

static int bound_row(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct bound_search *s = context;
    size_t place = s->asked[s->at++];
    const struct usage_question *q = &s->questions[place];

    (void)name;
    (void)err;
    for (size_t i = 0; i < q->count; i++) {
        uint64_t most = counted(sum, q->limits[i].metric);

        if (q->limits[i].scope == LIMIT_USER && most > 0 &&
            percent_of(most, q->limits[i].max) >= s->percent)
            s->may[place] = true;
    }
    return 0;
}

/* Those among them whose longest window begins at `from`. */
static int bound_read(struct reader *r, struct bound_search *s, const time_t *from, size_t count,
                      size_t first, int64_t now_s, struct arena *arena, struct err *err)
{
    struct name_list accounts = {.items = arena_array(arena, count + 1, sizeof *accounts.items)};
    struct counter_list counters;
    struct stored_periods periods;

    if (accounts.items == NULL)
        return read_no_memory(err);
    s->at = 0;
    for (size_t i = first; i < count; i++) {
        if (from[i] != from[first])
            continue;
        s->asked[accounts.count] = i;
        accounts.items[accounts.count++] = s->questions[i].holder;
    }
    if (since(from[first], now_s, arena, &periods, &counters, err) != 0)
        return -1;
    return read_counters(r, &accounts, &periods, &counters, bound_row, s, err);
}

static bool is_first(const time_t *from, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (from[k] == from[i])
            return false;
    }
    return from[i] >= 0;
}

int read_usage_may_be_over(struct reader *r, const struct usage_question *questions, size_t count,
                           uint64_t percent, int64_t now_s, struct arena *arena, bool *may,
                           struct err *err)
{
    struct bound_search s = {.questions = questions,
                             .asked = arena_array(arena, count + 1, sizeof *s.asked),
                             .percent = percent,
                             .may = may};
    time_t *from = arena_array(arena, count + 1, sizeof *from);

    if (s.asked == NULL || from == NULL)
        return read_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        may[i] = false;
        if (!longest(&questions[i], now_s, &from[i]))
            from[i] = -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_first(from, i) && bound_read(r, &s, from, count, i, now_s, arena, err) != 0)
            return -1;
    }
    return 0;
}
