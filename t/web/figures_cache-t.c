/* Shared figures: who reads, who waits, what is kept and for how long, what a failure leaves. */
#include "t/tap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "web/figures_cache.h"

#define READERS 8

static struct figures_cache *cache;

/* A reading that is counted, and waits until it may go on. */
struct reading {
    atomic_int count;
    atomic_bool may_go_on;
    size_t cost, bytes;
    bool fails;
};

static int fill(void *context, struct figures_entry *e, struct err *err)
{
    struct reading *d = context;
    int64_t *number = arena_alloc(&e->arena, sizeof *number);

    *number = ++d->count;
    e->held.items = (void *)number;
    e->cost = d->cost;
    if (d->bytes > 0)
        (void)arena_alloc(&e->arena, d->bytes);
    while (!d->may_go_on)
        clock_sleep_ms(1);
    return d->fails ? err_set(err, EX_UNAVAILABLE, "the store is away") : 0;
}

static const struct figures_entry *take(const char *name, int64_t now_ms, struct reading *d,
                                        struct err *err)
{
    return figures_cache_take(cache, slice_str(name), (size_t)64 << 20, now_ms, fill, d, err);
}

/* Which reading the answer is of; 0: none. */
static int64_t ask(const char *name, int64_t now_ms, struct reading *d)
{
    struct err err = {0};
    const struct figures_entry *e = take(name, now_ms, d, &err);
    int64_t number = e != NULL ? *(const int64_t *)(const void *)e->held.items : 0;

    if (e != NULL)
        figures_cache_give(cache, e);
    return number;
}

static void test_what_is_kept(void)
{
    struct reading cheap = {.may_go_on = true, .cost = FIGURES_CACHE_COST - 1};
    struct reading dear = {.may_go_on = true, .cost = FIGURES_CACHE_COST};

    IS_INT(ask("cheap", 1000, &cheap), 1, "read");
    IS_INT(ask("cheap", 1000, &cheap), 2, "what is cheap is read again");
    IS_INT(ask("dear", 1000, &dear), 1, "read");
    IS_INT(ask("dear", 1000 + FIGURES_CACHE_MS - 1, &dear), 1, "what is not is kept");
    IS_INT(ask("dear of another scope", 1001, &dear), 2, "for that question alone");
    IS_INT(ask("dear", 1000 + FIGURES_CACHE_MS, &dear), 3, "and not for long");
}

static void test_memory(void)
{
    struct reading large = {
        .may_go_on = true, .cost = FIGURES_CACHE_COST, .bytes = FIGURES_CACHE_BYTES / 3};
    struct reading huge = {
        .may_go_on = true, .cost = FIGURES_CACHE_COST, .bytes = FIGURES_CACHE_BYTES + 1};

    IS_INT(ask("huge", 50000, &huge), 1, "more than there is room for is read");
    IS_INT(ask("huge", 50000, &huge), 2, "but not kept");
    (void)ask("a", 50000, &large);
    (void)ask("b", 50000, &large);
    (void)ask("c", 50000, &large);
    IS_INT(ask("c", 50001, &large), 3, "the newest is kept");
    IS_INT(ask("a", 50001, &large), 4, "the oldest made room");
}

static void test_failure(void)
{
    struct reading d = {.may_go_on = true, .cost = FIGURES_CACHE_COST, .fails = true};
    struct err err = {0};

    OK(take("fails", 90000, &d, &err) == NULL, "a failure is told");
    IS_INT(err.code, EX_UNAVAILABLE, "with its code");
    d.fails = false;
    IS_INT(ask("fails", 90000, &d), 2, "and not kept");
}

struct asker {
    pthread_t thread;
    struct reading *reading;
    int64_t number;
    int code;
};

static void *run_asker(void *context)
{
    struct asker *a = context;
    struct err err = {0};
    const struct figures_entry *e = take("shared", 200000, a->reading, &err);

    a->code = err.code;
    if (e != NULL) {
        a->number = *(const int64_t *)(const void *)e->held.items;
        figures_cache_give(cache, e);
    }
    return NULL;
}

/* Whoever comes while it is read waits for that reading. */
static void run_together(struct reading *d, struct asker askers[READERS])
{
    for (int i = 0; i < READERS; i++) {
        askers[i] = (struct asker){.reading = d};
        OK(pthread_create(&askers[i].thread, NULL, run_asker, &askers[i]) == 0, "a thread");
        while (i == 0 && d->count == 0)
            clock_sleep_ms(1);
    }
    d->may_go_on = true;
    for (int i = 0; i < READERS; i++)
        (void)pthread_join(askers[i].thread, NULL);
}

static void test_together(void)
{
    struct reading d = {.cost = FIGURES_CACHE_COST};
    struct reading failing = {.cost = FIGURES_CACHE_COST, .fails = true};
    struct asker askers[READERS];
    int wrong = 0;

    run_together(&d, askers);
    for (int i = 0; i < READERS; i++)
        wrong += askers[i].number != 1;
    IS_INT(wrong, 0, "all have the answer of one reading");
    IS_INT(d.count, 1, "which was the only one");
    (void)ask("", 300000, &d); /* forgets the old ones */
    run_together(&failing, askers);
    for (int i = 0; i < READERS; i++)
        wrong += askers[i].code != EX_UNAVAILABLE || askers[i].number != 0;
    IS_INT(wrong, 0, "all have the failure of theirs");
}

int main(void)
{
    cache = figures_cache_new();
    OK(cache != NULL, "a cache");
    test_what_is_kept();
    test_memory();
    test_failure();
    test_together();
    figures_cache_free(cache);
    return tap_done();
}
