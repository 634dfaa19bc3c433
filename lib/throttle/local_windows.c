#include "lib/throttle/local_windows.h"

#include <pthread.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

#include "lib/core/period.h"
#include "lib/core/window.h"
#include "lib/sys/mutex.h"

#define NAMES_MAX_BYTES ((size_t)64 << 20)

struct local_window {
    struct window window; /* of a rolling one */
    int64_t month_end_ms; /* of a month; Unix time */
    uint64_t month_sum;
    bool over; /* the crossing was reported */
};

struct local_windows {
    struct mutex lock;
    struct arena names TG_GUARDED_BY(lock);
    /* holder, subject, metric and length -> struct local_window * */
    struct strmap table TG_GUARDED_BY(lock);
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

static void local_windows_drop(struct local_windows *w) TG_REQUIRES(w->lock)
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
                                        struct slice name) TG_REQUIRES(w->lock)
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
    if (d->window_ms != LIMIT_WINDOW_MONTH)
        window_init(&made->window, d->window_ms);
    *place = made;
    return made;
}

static struct local_window *window_of(struct local_windows *w, const struct limit_check *d)
    TG_REQUIRES(w->lock)
{
    struct local_window *found;
    struct buf name;
    void **place;

    buf_init(&name, 4096);
    buf_addf(&name, "%d %d %lld %.*s %.*s", (int)d->scope, (int)d->metric, (long long)d->window_ms,
             SLICE_FMT(d->holder), SLICE_FMT(d->subject));
    place = strmap_find(&w->table, buf_slice(&name));
    found = place != NULL ? *place : name.failed ? NULL : window_make(w, d, buf_slice(&name));
    buf_fini(&name);
    return found;
}

static uint64_t used(struct local_window *l, const struct limit_check *d, int64_t now_ms)
{
    if (d->window_ms != LIMIT_WINDOW_MONTH)
        return window_used(&l->window, now_ms);
    if (now_ms >= l->month_end_ms) {
        l->month_end_ms = (int64_t)period_end(PERIOD_MONTH, (time_t)(now_ms / 1000)) * 1000;
        l->month_sum = 0;
    }
    return l->month_sum;
}

static int64_t retry_ms(struct local_window *l, const struct limit_check *d, int64_t now_ms,
                        uint64_t max)
{
    if (d->amount > max)
        return -1;
    if (d->window_ms != LIMIT_WINDOW_MONTH)
        return window_retry_ms(&l->window, now_ms, d->amount, max);
    return l->month_end_ms - now_ms;
}

/* Answers for one check; true where one of its tests stops the message. */
static bool limit_check_test(struct local_window *l, const struct limit_check *d, uint64_t nodes,
                             int64_t now_ms, struct test_answer *answers)
{
    bool stopped = false;

    for (size_t t = 0; t < d->test_count; t++) {
        uint64_t max = d->tests[t]->max / nodes > 0 ? d->tests[t]->max / nodes : 1;
        uint64_t now = used(l, d, now_ms), after;

        if (d->tests[t]->max == 0)
            max = 0;
        answers[t] = (struct test_answer){.used = now};
        answers[t].over = __builtin_add_overflow(now, d->amount, &after) || after > max;
        if (!answers[t].over)
            continue;
        answers[t].retry_after_ms = retry_ms(l, d, now_ms, max);
        stopped = stopped || limit_check_stops(d, d->tests[t]);
    }
    return stopped;
}

static void limit_check_consume(struct local_window *l, const struct limit_check *d, int64_t now_ms)
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

    mutex_lock(&w->lock);
    if (w->table.count + d->count > LOCAL_WINDOWS_MAX)
        local_windows_drop(w);
    for (size_t i = 0; i < d->count && known; at += d->list[i++].test_count) {
        struct local_window *l = window_of(w, &d->list[i]);

        known = l != NULL;
        if (known && limit_check_test(l, &d->list[i], nodes, now_ms, &answers[at]) && !observe)
            stopped = true;
    }
    at = 0;
    for (size_t i = 0; i < d->count && known; at += d->list[i++].test_count) {
        struct local_window *l = window_of(w, &d->list[i]);

        if (!stopped && consume)
            limit_check_consume(l, &d->list[i], now_ms);
        crossing_note(l, &d->list[i], stopped || !consume, &answers[at]);
    }
    mutex_unlock(&w->lock);
    return known;
}
