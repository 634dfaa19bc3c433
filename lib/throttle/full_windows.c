#include "lib/throttle/full_windows.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/sys/mutex.h"

#define NAMES_MAX_BYTES ((size_t)8 << 20)

/* One limit of a window. */
struct full_test {
    uint64_t max, used;
    int64_t until_ms; /* monotonic; not known any more from then on */
    int64_t room_ms;  /* monotonic; when there is room for 1; -1: never */
};

struct full_window {
    struct full_test tests[FULL_WINDOWS_TESTS];
    size_t count;
};

MUTEX_NAME(full_windows_lock)

struct full_windows {
    atomic_llong until_ms; /* the last one is full until then: mostly there is none */
    struct mutex lock;
    struct arena memory MUTEX_GUARDS(full_windows_lock); /* names and entries */
    struct strmap entries MUTEX_GUARDS(full_windows_lock);
};

struct full_windows *full_windows_new(struct err *err) TG_NO_THREAD_SAFETY /* not shared yet */
{
    struct full_windows *l = calloc(1, sizeof *l);

    if (l == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    mutex_init(&l->lock);
    arena_init(&l->memory, NAMES_MAX_BYTES);
    strmap_init(&l->entries);
    return l;
}

void full_windows_free(struct full_windows *l) TG_NO_THREAD_SAFETY /* the last holder */
{
    if (l == NULL)
        return;
    strmap_fini(&l->entries);
    arena_fini(&l->memory);
    mutex_fini(&l->lock);
    free(l);
}

static struct full_window *entry_of(struct full_windows *l, struct slice name, bool make)
    TG_REQUIRES(full_windows_lock)
{
    void **place = strmap_find(&l->entries, name);
    struct full_window *made;

    if (place != NULL || !make)
        return place == NULL ? NULL : *place;
    if (l->entries.count >= FULL_WINDOWS_MAX) {
        strmap_fini(&l->entries);
        arena_reset(&l->memory);
    }
    made = arena_alloc(&l->memory, sizeof *made);
    name = arena_copy(&l->memory, name);
    place = made == NULL || name.ptr == NULL ? NULL : strmap_add(&l->entries, name, NULL);
    if (place == NULL)
        return NULL;
    *place = made;
    return made;
}

/* How long it is remembered that the next room comes in room_ms. */
static int64_t age_ms(int64_t window_ms, int64_t room_ms)
{
    int64_t age = FULL_WINDOWS_AGE_MS;

    if (window_ms != LIMIT_WINDOW_MONTH && window_ms / 60 < age)
        age = window_ms / 60;
    return room_ms >= 0 && room_ms < age ? room_ms : age;
}

/* A message that fills the window to the brim is no reason to remember it: the first one that is
 * stopped has to reach the store, which alone can tell that it crosses the limit. */
static bool is_worth_noting(const struct test_answer *a)
{
    return a->over && a->room_after_ms != 0;
}

static bool is_full(const struct limit_check *d, const struct test_answer *answers)
{
    for (size_t t = 0; t < d->test_count; t++) {
        if (is_worth_noting(&answers[t]))
            return true;
    }
    return false;
}

bool full_windows_are_there(const struct full_windows *l, int64_t now_ms)
{
    return now_ms < atomic_load(&l->until_ms);
}

static void entry_fill(struct full_windows *l, struct full_window *entry,
                       const struct limit_check *d, const struct test_answer *answers,
                       int64_t now_ms) TG_REQUIRES(full_windows_lock)
{
    entry->count = 0;
    for (size_t t = 0; t < d->test_count && entry->count < FULL_WINDOWS_TESTS; t++) {
        const struct test_answer *a = &answers[t];
        uint64_t max = d->tests[t]->max;
        int64_t until_ms = now_ms + age_ms(d->window_ms, a->room_after_ms);

        if (!is_worth_noting(a))
            continue;
        entry->tests[entry->count++] =
            (struct full_test){max, a->used > max ? a->used : max, until_ms,
                               a->room_after_ms < 0 ? -1 : now_ms + a->room_after_ms};
        if (until_ms > atomic_load(&l->until_ms))
            atomic_store(&l->until_ms, until_ms);
    }
}

void full_windows_note(struct full_windows *l, const struct limit_check *d,
                       const struct test_answer *answers, int64_t now_ms)
{
    bool makes = is_full(d, answers);
    struct full_window *entry;
    struct buf name;

    if (!makes && !full_windows_are_there(l, now_ms))
        return;
    buf_init(&name, 4096);
    limit_check_window_name(d, &name);
    full_windows_lock_take(&l->lock);
    entry = name.failed ? NULL : entry_of(l, buf_slice(&name), makes);
    if (entry != NULL)
        entry_fill(l, entry, d, answers, now_ms);
    full_windows_lock_give(&l->lock);
    buf_fini(&name);
}

bool full_windows_is_full(struct full_windows *l, const struct limit_check *like,
                          const struct limit *limit, int64_t now_ms, uint64_t *used,
                          int64_t *retry_after_ms)
{
    struct limit_check window = *like;
    const struct full_window *entry;
    struct buf name;
    bool full = false;

    if (!full_windows_are_there(l, now_ms))
        return false;
    window.scope = limit->scope;
    window.metric = limit->metric;
    window.window_ms = limit->window_ms;
    buf_init(&name, 4096);
    limit_check_window_name(&window, &name);
    full_windows_lock_take(&l->lock);
    entry = name.failed ? NULL : entry_of(l, buf_slice(&name), false);
    for (size_t t = 0; entry != NULL && t < entry->count && !full; t++) {
        const struct full_test *test = &entry->tests[t];

        full = test->max == limit->max && now_ms < test->until_ms;
        *used = test->used;
        *retry_after_ms = test->room_ms < 0 ? -1 : test->room_ms - now_ms;
    }
    full_windows_lock_give(&l->lock);
    buf_fini(&name);
    return full;
}
