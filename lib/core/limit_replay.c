#include "lib/core/limit_replay.h"

#include <sysexits.h>

#include "lib/core/period.h"

struct replay_window {
    struct window rolling;
    uint64_t month_used;
    int64_t month_end_ms;
    bool over; /* since the last message that fitted */
};

void limit_replay_init(struct limit_replay *r, const struct limit *limit, struct arena *arena)
{
    *r = (struct limit_replay){.limit = limit, .arena = arena};
    strmap_init(&r->windows);
}

void limit_replay_fini(struct limit_replay *r)
{
    strmap_fini(&r->windows);
}

/* --- one window ------------------------------------------------------------------------------ */

static bool is_month(const struct limit_replay *r)
{
    return r->limit->window_ms == LIMIT_WINDOW_MONTH;
}

static int64_t month_end_ms(int64_t time_ms)
{
    return (int64_t)period_end(PERIOD_MONTH, (time_t)(time_ms / 1000)) * 1000;
}

static struct replay_window *window_of(struct limit_replay *r, struct slice subject)
{
    struct slice name = subject.len > 0 ? subject : SLICE("-");
    void **place = strmap_find(&r->windows, name);
    struct replay_window *w;

    if (place != NULL)
        return *place;
    w = arena_alloc(r->arena, sizeof *w);
    name = arena_copy(r->arena, name);
    place = w != NULL && name.ptr != NULL ? strmap_add(&r->windows, name, NULL) : NULL;
    if (place == NULL)
        return NULL;
    *w = (struct replay_window){.over = false};
    if (!is_month(r))
        window_init(&w->rolling, r->limit->window_ms);
    *place = w;
    return w;
}

static uint64_t window_used_at(const struct limit_replay *r, struct replay_window *w,
                               int64_t time_ms)
{
    if (!is_month(r))
        return window_used(&w->rolling, time_ms);
    if (time_ms >= w->month_end_ms) {
        w->month_used = 0;
        w->month_end_ms = month_end_ms(time_ms);
    }
    return w->month_used;
}

static void window_add(const struct limit_replay *r, struct replay_window *w, int64_t time_ms,
                       uint64_t amount)
{
    if (is_month(r))
        w->month_used += amount;
    else
        window_consume(&w->rolling, time_ms, amount);
}

/* --- one message ----------------------------------------------------------------------------- */

static bool is_over(uint64_t used, uint64_t amount, uint64_t max)
{
    return amount > max || used > max - amount;
}

/* Is it stopped, and by which window? */
static int message_test(struct limit_replay *r, int64_t time_ms,
                        const struct limit_replay_part *parts, size_t count,
                        struct limit_replay_answer *out)
{
    *out = (struct limit_replay_answer){.part = 0};
    for (size_t i = 0; i < count; i++) {
        struct replay_window *w = window_of(r, parts[i].subject);
        uint64_t used;
        bool stops;

        if (w == NULL)
            return -1;
        used = window_used_at(r, w, time_ms);
        stops =
            (parts[i].sends || r->limit->forwards) && is_over(used, parts[i].amount, r->limit->max);
        if (i == 0 || (stops && !out->stopped) || (stops == out->stopped && used > out->used)) {
            out->used = used;
            out->part = i;
        }
        out->stopped = out->stopped || stops;
    }
    return 0;
}

/* As the throttle notes it: over from the first stop on, until a message fits. */
static void message_note(struct limit_replay *r, int64_t time_ms,
                         const struct limit_replay_part *parts, size_t count,
                         struct limit_replay_answer *out)
{
    for (size_t i = 0; i < count; i++) {
        struct replay_window *w = window_of(r, parts[i].subject);
        bool over = is_over(window_used_at(r, w, time_ms), parts[i].amount, r->limit->max);

        if (out->stopped && i == out->part)
            out->crossing = !w->over;
        if (over)
            w->over = true;
        else if (!out->stopped)
            w->over = false;
        if (!out->stopped)
            window_add(r, w, time_ms, parts[i].amount);
    }
}

int limit_replay_message(struct limit_replay *r, int64_t time_ms,
                         const struct limit_replay_part *parts, size_t count,
                         struct limit_replay_answer *out, struct err *err)
{
    if (message_test(r, time_ms, parts, count, out) != 0)
        return err_set(err, EX_OSERR, "out of memory: ask for fewer days");
    message_note(r, time_ms, parts, count, out);
    return 0;
}

/* --- hours ----------------------------------------------------------------------------------- */

static uint64_t sum_of(const struct limit_replay_hour *hours, size_t first, size_t end)
{
    uint64_t sum = 0;

    for (size_t i = first; i < end; i++)
        sum += hours[i].all;
    return sum;
}

/* When the window that ends at now_ms begins: at its oldest slice, which counts in full. */
static int64_t window_start_ms(int64_t now_ms, int64_t length_ms)
{
    int64_t within = now_ms % length_ms, slice = within * WINDOW_SLICES / length_ms;

    return now_ms - within + (slice * length_ms + WINDOW_SLICES - 1) / WINDOW_SLICES - length_ms;
}

/* The first hour that a window which ends in hour `at` may reach. */
static size_t reach(const struct limit *l, const struct limit_replay_hour *hours, size_t at)
{
    int64_t start_ms = hours[at].start_ms, from_ms;
    size_t first = at;

    if (l->window_ms == LIMIT_WINDOW_MONTH)
        from_ms = (int64_t)period_start(PERIOD_MONTH, (time_t)(start_ms / 1000)) * 1000;
    else
        from_ms = window_start_ms(start_ms, l->window_ms);
    while (first > 0 && hours[first - 1].start_ms + LIMIT_REPLAY_HOUR_MS > from_ms)
        first--;
    return first;
}

static void hours_mark(const struct limit *l, struct limit_replay_hour *hours, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hours[i].may_stop = hours[i].all > 0 && sum_of(hours, reach(l, hours, i), i + 1) > l->max;
}

/* In no window more than max passes, so in an hour at most that of the windows that cover it. */
static uint64_t short_windows(const struct limit *l, const struct limit_replay_hour *hours,
                              size_t count)
{
    uint64_t windows = (uint64_t)((LIMIT_REPLAY_HOUR_MS + l->window_ms - 1) / l->window_ms);
    uint64_t stopped = 0;

    for (size_t i = 0; i < count; i++) {
        if (l->max < UINT64_MAX / windows && hours[i].sent > windows * l->max)
            stopped += hours[i].sent - windows * l->max;
    }
    return stopped;
}

/* Is hour `first` wholly in a window (a month) that wholly holds hour `at`, too? */
static bool is_together(const struct limit *l, const struct limit_replay_hour *hours, size_t first,
                        size_t at)
{
    int64_t from_ms = hours[first].start_ms, last_ms = hours[at].start_ms;

    if (l->window_ms != LIMIT_WINDOW_MONTH)
        return last_ms + LIMIT_REPLAY_HOUR_MS - from_ms <= l->window_ms;
    return month_end_ms(from_ms) == month_end_ms(last_ms + LIMIT_REPLAY_HOUR_MS - 1) &&
           month_end_ms(from_ms) == month_end_ms(from_ms + LIMIT_REPLAY_HOUR_MS - 1);
}

/* As much as can pass, hour by hour: what passes as early as it can never makes less pass in all.
 */
static uint64_t long_windows(const struct limit *l, struct limit_replay_hour *hours, size_t count)
{
    uint64_t stopped = 0, together = 0;
    size_t first = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t room;

        while (first < i && !is_together(l, hours, first, i))
            together -= hours[first++].passed;
        room = together < l->max ? l->max - together : 0;
        if (!is_together(l, hours, i, i)) /* an hour of two months */
            room = UINT64_MAX;
        hours[i].passed = hours[i].sent < room ? hours[i].sent : room;
        together += hours[i].passed;
        stopped += hours[i].sent - hours[i].passed;
    }
    return stopped;
}

uint64_t limit_replay_hours(const struct limit *limit, struct limit_replay_hour *hours,
                            size_t count)
{
    hours_mark(limit, hours, count);
    if (limit->window_ms != LIMIT_WINDOW_MONTH && limit->window_ms < LIMIT_REPLAY_HOUR_MS)
        return short_windows(limit, hours, count);
    return long_windows(limit, hours, count);
}
