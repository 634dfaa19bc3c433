#include "lib/redis/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

#include "lib/sys/clock.h"
#include "lib/sys/mutex.h"

/* A store's own pause after one failure (50 ms) is over by the first probe. */
#define PROBE_FIRST_MS INT64_C(250)
#define PROBE_LAST_MS  INT64_C(5000)

MUTEX_NAME(pool_lock)

struct pool {
    struct mutex lock;
    pthread_cond_t given, wake; /* a connection is idle; the prober has something to do */
    struct store **idle MUTEX_GUARDS(pool_lock);
    size_t idle_count MUTEX_GUARDS(pool_lock);
    _Atomic bool is_open; /* the breaker: the store is unreachable; set under the lock */
    bool ending MUTEX_GUARDS(pool_lock);

    size_t max; /* connections; never changes */
    _Atomic int64_t timeout_ms;
    struct store *probe; /* the prober's */
    pthread_t prober;
    bool probing; /* the prober runs; the owner's */
};

static bool probe_answers(struct pool *p)
{
    struct slice ping = SLICE("PING");
    redisReply *reply = store_command(p->probe, 1, &ping, p->timeout_ms, NULL);
    bool good = reply != NULL && reply->type != REDIS_REPLY_ERROR;

    if (reply != NULL)
        freeReplyObject(reply);
    return good;
}

/* Sleeps while the breaker is closed; else tries until it can close it. */
static void *probe_run(void *context)
{
    struct pool *p = context;
    int64_t pause_ms = PROBE_FIRST_MS;

    pool_lock_take(&p->lock);
    while (!p->ending) {
        if (!p->is_open) {
            pause_ms = PROBE_FIRST_MS;
            pool_lock_wait(&p->lock, &p->wake);
            continue;
        }
        (void)pool_lock_wait_until(&p->lock, &p->wake, clock_monotonic_ms() + pause_ms);
        if (p->ending)
            break;
        pool_lock_give(&p->lock);
        bool good = probe_answers(p);
        pool_lock_take(&p->lock);
        p->is_open = !good;
        pause_ms = pause_ms * 2 < PROBE_LAST_MS ? pause_ms * 2 : PROBE_LAST_MS;
    }
    pool_lock_give(&p->lock);
    return NULL;
}

static int stores_make(struct pool *p, const struct settings *s,
                       struct err *err) TG_NO_THREAD_SAFETY /* not shared yet */
{
    p->idle = calloc(p->max, sizeof(*p->idle));
    if (p->idle == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (; p->idle_count < p->max; p->idle_count++) {
        p->idle[p->idle_count] = store_new_beside(p->idle[0], s, err);
        if (p->idle[p->idle_count] == NULL)
            return -1;
    }
    p->probe = store_new_beside(p->idle[0], s, err);
    return p->probe == NULL ? -1 : 0;
}

struct pool *pool_new(const struct settings *s, size_t connections_max, struct err *err)
{
    struct pool *p = calloc(1, sizeof *p);

    if (p == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    p->max = connections_max;
    p->timeout_ms = s->store.timeout_ms;
    mutex_init(&p->lock);
    mutex_condition_init(&p->given);
    mutex_condition_init(&p->wake);
    if (stores_make(p, s, err) == 0) {
        p->probing = pthread_create(&p->prober, NULL, probe_run, p) == 0;
        if (p->probing)
            return p;
        (void)err_set(err, EX_OSERR, "cannot start a thread");
    }
    pool_free(p);
    return NULL;
}

void pool_free(struct pool *p) TG_NO_THREAD_SAFETY /* the last holder */
{
    if (p == NULL)
        return;
    pool_lock_take(&p->lock);
    p->ending = true;
    (void)pthread_cond_signal(&p->wake);
    pool_lock_give(&p->lock);
    if (p->probing)
        (void)pthread_join(p->prober, NULL);
    for (size_t i = 0; i < p->idle_count; i++)
        store_free(p->idle[i]);
    if (p->probe != NULL)
        store_free(p->probe);
    free(p->idle);
    (void)pthread_cond_destroy(&p->given);
    (void)pthread_cond_destroy(&p->wake);
    mutex_fini(&p->lock);
    free(p);
}

void pool_reload(struct pool *p, const struct settings *s)
{
    p->timeout_ms = s->store.timeout_ms;
}

struct store *pool_take(struct pool *p, struct err *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + p->timeout_ms;
    struct store *st = NULL;

    pool_lock_take(&p->lock);
    while (!p->is_open && p->idle_count == 0 && clock_monotonic_ms() < deadline_ms)
        (void)pool_lock_wait_until(&p->lock, &p->given, deadline_ms);
    if (p->is_open)
        (void)err_set(err, EX_UNAVAILABLE, "the store is unreachable");
    else if (p->idle_count == 0)
        (void)err_set(err, EX_UNAVAILABLE, "all connections to the store are in use");
    else
        st = p->idle[--p->idle_count];
    pool_lock_give(&p->lock);
    return st;
}

static void break_now(struct pool *p) TG_REQUIRES(pool_lock)
{
    if (p->is_open)
        return;
    p->is_open = true;
    (void)pthread_cond_signal(&p->wake);
    (void)pthread_cond_broadcast(&p->given);
}

void pool_give(struct pool *p, struct store *st, bool good)
{
    bool is_away = !good && !store_is_partly_there(st);

    pool_lock_take(&p->lock);
    p->idle[p->idle_count++] = st;
    if (is_away)
        break_now(p);
    (void)pthread_cond_signal(&p->given);
    pool_lock_give(&p->lock);
}

void pool_break(struct pool *p)
{
    pool_lock_take(&p->lock);
    break_now(p);
    pool_lock_give(&p->lock);
}

bool pool_is_open(struct pool *p)
{
    return p->is_open;
}

int64_t pool_timeout_ms(const struct pool *p)
{
    return p->timeout_ms;
}
