#include "lib/throttle/local_windows.h"

#include <pthread.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

#include "lib/core/period.h"
#include "lib/core/window.h"
#include "lib/sys/mutex.h"
#include "lib/throttle/window_floors.h"

#define NAMES_MAX_BYTES ((size_t)64 << 20)
#define FULL            1000

struct local_window {
    struct window_kind kind;
    uint64_t least_max;   /* of its limits, divided by the nodes, as of the last time */
    struct window window; /* of a rolling one: what this process accepted */
    int64_t month_end_ms; /* of a month; Unix time */
    uint64_t month_sum;
    uint64_t others;         /* used besides, as far as the store's last answer says so */
    int64_t others_until_ms; /* Unix time; `others` counts until then */
    bool over;               /* the crossing was reported */
};

MUTEX_NAME(local_windows_lock)

struct local_windows {
    struct mutex lock;
    struct arena names MUTEX_GUARDS(local_windows_lock);
    /* holder, subject, metric and length -> struct local_window * */
    struct strmap table MUTEX_GUARDS(local_windows_lock);
    struct window_floors floors MUTEX_GUARDS(local_windows_lock); /* of those that were forgotten */
};

struct local_windows *local_windows_new(struct err *err) TG_NO_THREAD_SAFETY /* not shared yet */
{
    struct local_windows *w = calloc(1, sizeof *w);

    if (w == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    mutex_init(&w->lock);
    arena_init(&w->names, NAMES_MAX_BYTES);
    strmap_init(&w->table);
    return w;
}

static void local_windows_drop(struct local_windows *w) TG_REQUIRES(local_windows_lock)
{
    size_t at = 0;
    struct slice key;
    void *value;

    while (strmap_next(&w->table, &at, &key, &value))
        free(value);
    strmap_fini(&w->table);
    arena_reset(&w->names);
}

void local_windows_free(struct local_windows *w) TG_NO_THREAD_SAFETY /* the last holder */
{
    if (w == NULL)
        return;
    local_windows_drop(w);
    arena_fini(&w->names);
    mutex_fini(&w->lock);
    free(w);
}

static struct local_window *window_make(struct local_windows *w, const struct limit_check *d,
                                        struct slice name, int64_t now_ms)
    TG_REQUIRES(local_windows_lock)
{
    struct local_window *made = calloc(1, sizeof *made);
    void **place = NULL;

    name = arena_copy(&w->names, name);
    if (made != NULL && name.ptr != NULL)
        place = strmap_add(&w->table, name, NULL);
    if (place == NULL) {
        free(made);
        return NULL;
    }
    made->kind = (struct window_kind){d->scope, d->metric, d->window_ms};
    made->others = window_floors_used(&w->floors, &made->kind, now_ms, &made->others_until_ms);
    if (d->window_ms != LIMIT_WINDOW_MONTH)
        window_init(&made->window, d->window_ms);
    *place = made;
    return made;
}

static struct local_window *window_of(struct local_windows *w, const struct limit_check *d,
                                      int64_t now_ms) TG_REQUIRES(local_windows_lock)
{
    struct local_window *found;
    struct buf name;
    void **place;

    buf_init(&name, 4096);
    limit_check_window_name(d, &name);
    place = strmap_find(&w->table, buf_slice(&name));
    found = place != NULL ? *place
            : name.failed ? NULL
                          : window_make(w, d, buf_slice(&name), now_ms);
    buf_fini(&name);
    return found;
}

/* What this process accepted. */
static uint64_t own_used(struct local_window *l, int64_t window_ms, int64_t now_ms)
{
    if (window_ms != LIMIT_WINDOW_MONTH)
        return window_used(&l->window, now_ms);
    if (now_ms >= l->month_end_ms) {
        l->month_end_ms = (int64_t)period_end(PERIOD_MONTH, (time_t)(now_ms / 1000)) * 1000;
        l->month_sum = 0;
    }
    return l->month_sum;
}

static uint64_t others_used(const struct local_window *l, int64_t now_ms)
{
    return now_ms < l->others_until_ms ? l->others : 0;
}

/* Room comes back as what is used expires, or at once when `others` ends. */
static int64_t retry_ms(struct local_window *l, const struct limit_check *d, int64_t now_ms,
                        uint64_t max)
{
    uint64_t others = others_used(l, now_ms);
    int64_t with, without;

    if (d->amount > max)
        return -1;
    if (d->window_ms == LIMIT_WINDOW_MONTH)
        return l->month_end_ms - now_ms;
    without = window_retry_ms(&l->window, now_ms, d->amount, max);
    if (others == 0)
        return without;
    if (without < l->others_until_ms - now_ms)
        without = l->others_until_ms - now_ms;
    with = others > max - d->amount ? -1
                                    : window_retry_ms(&l->window, now_ms, d->amount + others, max);
    return with >= 0 && with < without ? with : without;
}

/* --- room ------------------------------------------------------------------------------------ */

static uint64_t all_used(struct local_window *l, int64_t now_ms)
{
    uint64_t own = own_used(l, l->kind.window_ms, now_ms), all;

    return __builtin_add_overflow(own, others_used(l, now_ms), &all) ? UINT64_MAX : all;
}

/* How full it is, in thousandths of its limit; 0: nothing is used. */
static size_t fullness(struct local_window *l, int64_t now_ms)
{
    uint64_t used = all_used(l, now_ms);

    if (used == 0)
        return 0;
    if (used >= l->least_max)
        return FULL;
    return 1 + (size_t)((long double)used * (FULL - 1) / (long double)l->least_max);
}

/* The fullness from which on at most half of the table may stay. */
static size_t fullness_kept(struct local_windows *w, int64_t now_ms) TG_REQUIRES(local_windows_lock)
{
    size_t count[FULL + 1] = {0}, kept = 0, from = FULL + 1, at = 0;
    struct slice key;
    void *value;

    while (strmap_next(&w->table, &at, &key, &value))
        count[fullness(value, now_ms)]++;
    while (from > 1 && kept + count[from - 1] <= LOCAL_WINDOWS_MAX / 2)
        kept += count[--from];
    return from;
}

/* What it has used stands in the floor of its kind. */
static void window_forget(struct local_windows *w, struct local_window *l, int64_t now_ms)
    TG_REQUIRES(local_windows_lock)
{
    uint64_t used = all_used(l, now_ms);
    int64_t until_ms = l->kind.window_ms != LIMIT_WINDOW_MONTH
                           ? now_ms + l->kind.window_ms + l->kind.window_ms / WINDOW_SLICES
                           : l->month_end_ms;

    if (used > 0)
        window_floors_raise(&w->floors, &l->kind, used, until_ms, now_ms);
    free(l);
}

/* Windows in which nothing is used any more give up their place; where that is not enough, so do
 * the emptier ones. */
static void room_make(struct local_windows *w, size_t wanted, int64_t now_ms)
    TG_REQUIRES(local_windows_lock)
{
    struct strmap kept;
    struct arena names;
    struct slice key;
    void *value;
    size_t from;

    if (w->table.count + wanted <= LOCAL_WINDOWS_MAX)
        return;
    from = fullness_kept(w, now_ms);
    strmap_init(&kept);
    arena_init(&names, NAMES_MAX_BYTES);
    for (size_t at = 0; strmap_next(&w->table, &at, &key, &value);) {
        void **place = fullness(value, now_ms) >= from
                           ? strmap_add(&kept, arena_copy(&names, key), NULL)
                           : NULL;

        if (place != NULL)
            *place = value;
        else
            window_forget(w, value, now_ms);
    }
    strmap_fini(&w->table);
    arena_fini(&w->names);
    w->table = kept;
    w->names = names;
}

/* --- asking ---------------------------------------------------------------------------------- */

static uint64_t max_of(const struct limit *l, uint64_t nodes)
{
    if (l->max == 0)
        return 0;
    return l->max / nodes > 0 ? l->max / nodes : 1;
}

/* By its strictest limit it is told how full a window is. */
static void least_max_set(struct local_window *l, const struct limit_check *d, uint64_t nodes)
{
    l->least_max = UINT64_MAX;
    for (size_t t = 0; t < d->test_count; t++) {
        uint64_t max = max_of(d->tests[t], nodes);

        l->least_max = max < l->least_max ? max : l->least_max;
    }
}

/* Answers for one check; true where one of its tests stops the message. */
static bool check_test(struct local_window *l, const struct limit_check *d, uint64_t nodes,
                       int64_t now_ms, struct test_answer *answers)
{
    bool stopped = false;

    least_max_set(l, d, nodes);
    for (size_t t = 0; t < d->test_count; t++) {
        uint64_t max = max_of(d->tests[t], nodes);
        uint64_t now = own_used(l, d->window_ms, now_ms) + others_used(l, now_ms), after;

        answers[t] = (struct test_answer){.used = now};
        answers[t].over = __builtin_add_overflow(now, d->amount, &after) || after > max;
        if (!answers[t].over)
            continue;
        answers[t].retry_after_ms = retry_ms(l, d, now_ms, max);
        stopped = stopped || limit_check_stops(d, d->tests[t]);
    }
    return stopped;
}

static void check_consume(struct local_window *l, const struct limit_check *d, int64_t now_ms)
{
    if (d->window_ms != LIMIT_WINDOW_MONTH)
        window_consume(&l->window, now_ms, d->amount);
    else
        l->month_sum += d->amount;
}

/* A crossing is reported once, until a message fits again. */
static void crossing_note(struct local_window *l, const struct limit_check *d, bool stopped,
                          struct test_answer *answers)
{
    bool over = false;

    for (size_t t = 0; t < d->test_count; t++) {
        answers[t].crossing = answers[t].over && !l->over;
        over = over || answers[t].over;
    }
    if (over || !stopped)
        l->over = over;
}

bool local_windows_ask(struct local_windows *w, const struct limit_checks *d, uint64_t nodes,
                       bool observe, bool consume, int64_t now_ms, struct test_answer *answers)
{
    bool stopped = false, known = true;
    size_t at = 0;

    local_windows_lock_take(&w->lock);
    room_make(w, d->count, now_ms);
    for (size_t i = 0; i < d->count && known; at += d->list[i++].test_count) {
        struct local_window *l = window_of(w, &d->list[i], now_ms);

        known = l != NULL;
        if (known && check_test(l, &d->list[i], nodes, now_ms, &answers[at]) && !observe)
            stopped = true;
    }
    at = 0;
    for (size_t i = 0; i < d->count && known; at += d->list[i++].test_count) {
        struct local_window *l = window_of(w, &d->list[i], now_ms);

        if (!stopped && consume)
            check_consume(l, &d->list[i], now_ms);
        crossing_note(l, &d->list[i], stopped || !consume, &answers[at]);
    }
    local_windows_lock_give(&w->lock);
    return known;
}

void local_windows_note(struct local_windows *w, const struct limit_checks *d, uint64_t nodes,
                        bool consumed, int64_t now_ms, const struct test_answer *answers)
{
    local_windows_lock_take(&w->lock);
    room_make(w, d->count, now_ms);
    for (size_t i = 0; i < d->count; answers += d->list[i++].test_count) {
        const struct limit_check *check = &d->list[i];
        struct local_window *l = window_of(w, check, now_ms);
        uint64_t own, share = (answers->used + (consumed ? check->amount : 0) + nodes - 1) / nodes;

        if (l == NULL)
            continue;
        least_max_set(l, check, nodes);
        own = own_used(l, check->window_ms, now_ms);
        if (consumed)
            check_consume(l, check, now_ms);
        own += consumed ? check->amount : 0;
        l->others = share > own ? share - own : 0;
        l->others_until_ms =
            check->window_ms != LIMIT_WINDOW_MONTH ? now_ms + check->window_ms : l->month_end_ms;
    }
    local_windows_lock_give(&w->lock);
}
