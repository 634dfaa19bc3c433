/* Replaying a limit: against a slow reference that keeps every message, and the bounds that hours
 * give against what message by message came out. */
#include "lib/core/limit_replay.h"

#include <stdlib.h>
#include <time.h>

#include "t/random.h"
#include "t/tap.h"

#define ROUNDS   400
#define MESSAGES 300
#define USERS    3
#define HOURS    (24 * 80)
#define BEGIN_MS INT64_C(1790812800000) /* 2026-10-01 */

static struct arena arena;
static struct random_source dice = {1};
static const char *const user_names[USERS] = {"alice@a.example", "bob@a.example", "carl@a.example"};

struct past {
    int64_t time_ms;
    uint64_t amount[USERS];
};

static int64_t slice_of(int64_t ms, int64_t length_ms)
{
    return ms / length_ms * WINDOW_SLICES + ms % length_ms * WINDOW_SLICES / length_ms;
}

static int month_of(int64_t ms)
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;

    (void)gmtime_r(&t, &tm);
    return tm.tm_year * 12 + tm.tm_mon;
}

/* What the window of that user holds: all that has passed, looked at one by one. */
static uint64_t used(const struct limit *l, const struct past *past, size_t count, size_t user,
                     int64_t now_ms)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        bool inside = l->window_ms == LIMIT_WINDOW_MONTH
                          ? month_of(past[i].time_ms) == month_of(now_ms)
                          : slice_of(past[i].time_ms, l->window_ms) >=
                                slice_of(now_ms, l->window_ms) - WINDOW_SLICES;

        sum += inside ? past[i].amount[user] : 0;
    }
    return sum;
}

static struct limit limit_make(void)
{
    static const int64_t windows[] = {
        600000, 3600000, 5400000, 86400000, 604800000, LIMIT_WINDOW_MONTH, 7000};
    struct limit l = {.metric = METRIC_RECIPIENTS};

    l.window_ms = windows[random_below(&dice, sizeof windows / sizeof windows[0])];
    l.max = random_below(&dice, 60);
    l.forwards = random_below(&dice, 4) == 0;
    return l;
}

/* One of a burst, or much later. */
static int64_t step_ms(void)
{
    return random_below(&dice, 3) > 0 ? random_below(&dice, 60000)
                                      : random_below(&dice, 12 * 3600000);
}

struct round {
    struct limit limit;
    struct limit_replay replay;
    struct past past[MESSAGES];
    size_t passed;
    int64_t now_ms;
    bool over[USERS];
    struct limit_replay_hour hours[HOURS];
    uint64_t stopped;
    size_t stops;
};

static size_t parts_make(struct limit_replay_part parts[USERS], size_t who[USERS], bool by_user)
{
    size_t count = 0;

    for (size_t u = 0; u < (by_user ? USERS : 1); u++) {
        if (u > 0 && random_below(&dice, 3) > 0)
            continue;
        who[count] = u;
        parts[count++] = (struct limit_replay_part){
            .subject = by_user ? slice_str(user_names[u]) : SLICE_NONE,
            .amount = 1 + random_below(&dice, random_below(&dice, 10) == 0 ? 80 : 8),
            .sends = random_below(&dice, 5) > 0};
    }
    return count;
}

static bool reference(struct round *r, const struct limit_replay_part *parts, const size_t *who,
                      size_t count)
{
    bool stopped = false;

    for (size_t i = 0; i < count; i++) {
        uint64_t sum = used(&r->limit, r->past, r->passed, who[i], r->now_ms) + parts[i].amount;

        stopped = stopped || (sum > r->limit.max && (parts[i].sends || r->limit.forwards));
    }
    if (stopped)
        return true;
    r->past[r->passed] = (struct past){.time_ms = r->now_ms};
    for (size_t i = 0; i < count; i++)
        r->past[r->passed].amount[who[i]] = parts[i].amount;
    r->passed++;
    return false;
}

static bool message(struct round *r, bool by_user)
{
    struct limit_replay_part parts[USERS];
    struct limit_replay_answer got;
    struct err err = {0};
    size_t who[USERS], count = parts_make(parts, who, by_user);
    struct limit_replay_hour *hour;
    bool stopped, sends = parts[0].sends || r->limit.forwards;

    r->now_ms += step_ms();
    hour = &r->hours[(r->now_ms - BEGIN_MS) / LIMIT_REPLAY_HOUR_MS];
    hour->all += parts[0].amount;
    hour->sent += sends ? parts[0].amount : 0;
    stopped = reference(r, parts, who, count);
    if (limit_replay_message(&r->replay, r->now_ms, parts, count, &got, &err) != 0)
        return false;
    if (stopped) {
        r->stops++;
        r->stopped += parts[0].amount;
        hour->passed++; /* for now: stops in the hour */
    }
    if (stopped && got.used != used(&r->limit, r->past, r->passed, who[got.part], r->now_ms))
        return false;
    return got.stopped == stopped;
}

/* False: they do not hold what was stopped, or an hour without stops has some. */
static bool bounds_hold(struct round *r)
{
    static uint64_t stops[HOURS];
    uint64_t at_least, at_most = 0;
    bool good = true;

    for (size_t i = 0; i < HOURS; i++)
        stops[i] = r->hours[i].passed;
    at_least = limit_replay_hours(&r->limit, r->hours, HOURS);
    for (size_t i = 0; i < HOURS; i++) {
        at_most += r->hours[i].may_stop ? r->hours[i].all : 0;
        good = good && (r->hours[i].may_stop || stops[i] == 0);
    }
    return good && at_least <= r->stopped && r->stopped <= at_most;
}

struct outcome {
    size_t stops, wrong, outside;
};

static void round_run(bool by_user, struct outcome *o)
{
    static struct round r;

    arena_reset(&arena);
    r = (struct round){.limit = limit_make(), .now_ms = BEGIN_MS};
    for (size_t i = 0; i < HOURS; i++)
        r.hours[i].start_ms = BEGIN_MS + (int64_t)i * LIMIT_REPLAY_HOUR_MS;
    limit_replay_init(&r.replay, &r.limit, &arena);
    for (size_t i = 0; i < MESSAGES; i++)
        o->wrong += !message(&r, by_user);
    o->outside += !by_user && !bounds_hold(&r);
    o->stops += r.stops;
    limit_replay_fini(&r.replay);
}

static void rounds(bool by_user)
{
    struct outcome o = {.stops = 0};

    for (unsigned n = 0; n < ROUNDS; n++)
        round_run(by_user, &o);
    OK(o.stops > 10000, "many messages were stopped");
    IS_INT(o.wrong, 0,
           by_user ? "each as the reference says, by user" : "each as the reference says");
    IS_INT(o.outside, 0, "hours alone give bounds that hold");
}

/* Bounds that are as near as they can be. */
static void known_hours(void)
{
    struct limit l = {.max = 100, .window_ms = 3600000};
    struct limit_replay_hour h[4] = {{.start_ms = BEGIN_MS, .sent = 40, .all = 40},
                                     {.start_ms = BEGIN_MS + 3600000, .sent = 250, .all = 260},
                                     {.start_ms = BEGIN_MS + 7200000, .sent = 30, .all = 30},
                                     {.start_ms = BEGIN_MS + 10800000, .sent = 10, .all = 10}};

    IS_INT(limit_replay_hours(&l, h, 4), 150, "an hour of 250 sent loses 150 of 100 per hour");
    OK(!h[0].may_stop && h[1].may_stop && h[2].may_stop && !h[3].may_stop,
       "it and the next one may have stops");
    l.window_ms = 7200000;
    IS_INT(limit_replay_hours(&l, h, 4), 190, "100 in 2 hours: 40 + 60 pass, then 30 + 10 of 100");
    l.window_ms = 600000;
    l.max = 40;
    IS_INT(limit_replay_hours(&l, h, 4), 10, "40 in 10 min: 6 such windows cover an hour");
    l.window_ms = LIMIT_WINDOW_MONTH;
    l.max = 300;
    IS_INT(limit_replay_hours(&l, h, 4), 30, "300 in a month of 330");
    l.max = 340;
    IS_INT(limit_replay_hours(&l, h, 4), 0, "with what forwarders pass on it just fits");
    OK(!h[3].may_stop, "and nothing is stopped");
}

int main(void)
{
    (void)setenv("TZ", "UTC", 1);
    tzset();
    arena_init(&arena, (size_t)16 << 20);
    rounds(false);
    rounds(true);
    known_hours();
    arena_fini(&arena);
    return tap_done();
}
