#include "lib/throttle/lease_returns.h"

#include <pthread.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/mutex.h"
#include "lib/throttle/throttle_script.h"

#define PAUSE_MS      1000
#define TRIP_BYTES    ((size_t)1 << 20)
#define RETURNED_PART 2 /* nothing is asked for */

MUTEX_NAME(returns_lock)

struct lease_returns {
    struct leases *leases;
    struct pool *pool;
    const char *prefix;
    int64_t timeout_ms;

    struct mutex lock;
    pthread_cond_t wake;
    bool ending MUTEX_GUARDS(returns_lock);
    pthread_t thread;
};

static int trip(struct lease_returns *r, const struct limit_checks *d,
                struct throttle_lease *leases, struct arena *arena)
{
    struct throttle_request request = {.prefix = r->prefix,
                                       .consume = true,
                                       .now_ms = clock_unix_ms(),
                                       .leases = leases,
                                       .lease_part = RETURNED_PART};
    struct err err = {0};
    struct test_answer none;
    struct throttle_call *call = throttle_call_begin(&request, d, arena, &none, &err);
    struct store *st = call == NULL ? NULL : pool_take(r->pool, &err);
    int result;

    if (st == NULL)
        return -1;
    result = throttle_script_run(st, call, r->timeout_ms, arena, &err);
    pool_give(r->pool, st, result == 0 || err.code == EX_TEMPFAIL);
    return result;
}

static void give_back(struct lease_returns *r, bool all)
{
    struct throttle_lease leases[LEASE_BATCH];
    struct limit_checks d;
    struct arena arena;
    size_t from = 0;
    int result = 0;

    arena_init(&arena, TRIP_BYTES);
    while (result == 0 && !pool_is_open(r->pool) &&
           leases_give_back(r->leases, clock_monotonic_ms(), all, &from, &arena, &d, leases)) {
        result = trip(r, &d, leases, &arena);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

static void *returns_run(void *context)
{
    struct lease_returns *r = context;

    returns_lock_take(&r->lock);
    while (!r->ending) {
        (void)returns_lock_wait_until(&r->lock, &r->wake, clock_monotonic_ms() + PAUSE_MS);
        returns_lock_give(&r->lock);
        give_back(r, false);
        returns_lock_take(&r->lock);
    }
    returns_lock_give(&r->lock);
    return NULL;
}

static void returns_drop(struct lease_returns *r)
{
    (void)pthread_cond_destroy(&r->wake);
    mutex_fini(&r->lock);
    free(r);
}

struct lease_returns *lease_returns_new(struct leases *leases, struct pool *pool,
                                        const char *prefix, int64_t timeout_ms, struct err *err)
{
    struct lease_returns *r = calloc(1, sizeof *r);

    if (r == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    r->leases = leases;
    r->pool = pool;
    r->prefix = prefix;
    r->timeout_ms = timeout_ms;
    mutex_init(&r->lock);
    mutex_condition_init(&r->wake);
    if (pthread_create(&r->thread, NULL, returns_run, r) == 0)
        return r;
    (void)err_set(err, EX_OSERR, "cannot start a thread that gives leases back");
    returns_drop(r);
    return NULL;
}

void lease_returns_free(struct lease_returns *r)
{
    if (r == NULL)
        return;
    returns_lock_take(&r->lock);
    r->ending = true;
    (void)pthread_cond_signal(&r->wake);
    returns_lock_give(&r->lock);
    (void)pthread_join(r->thread, NULL);
    give_back(r, true);
    returns_drop(r);
}
