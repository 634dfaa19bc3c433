#ifndef TG_SYS_MUTEX_H
#define TG_SYS_MUTEX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * A lock that clang's -Wthread-safety understands.
 *
 * In C an attribute of a field cannot name another field of the struct (clang before 20). A lock
 * therefore gets a name of its own, which stands for it in attributes, and the compiler reports
 * what touches a field without its lock; it takes the locks of all structs of a kind for one:
 *
 *     MUTEX_NAME(journal_lock)
 *     struct journal { struct mutex lock; int fd MUTEX_GUARDS(journal_lock); };
 *     static int rotate(struct journal *j) TG_REQUIRES(journal_lock);
 *     journal_lock_take(&j->lock); ... journal_lock_give(&j->lock);
 *
 * Errors: a lock that cannot be made, taken or given back is a broken invariant and aborts.
 */

struct TG_THREAD_SAFETY(capability("mutex")) mutex {
    pthread_mutex_t native;
};

static inline void mutex_init(struct mutex *m)
{
    TG_ASSERT(pthread_mutex_init(&m->native, NULL) == 0);
}

static inline void mutex_fini(struct mutex *m)
{
    (void)pthread_mutex_destroy(&m->native);
}

static inline void mutex_lock(struct mutex *m)
    TG_THREAD_SAFETY(acquire_capability(*m)) TG_NO_THREAD_SAFETY
{
    TG_ASSERT(pthread_mutex_lock(&m->native) == 0);
}

static inline void mutex_unlock(struct mutex *m)
    TG_THREAD_SAFETY(release_capability(*m)) TG_NO_THREAD_SAFETY
{
    TG_ASSERT(pthread_mutex_unlock(&m->native) == 0);
}

/* A condition whose times are of the monotonic clock, which nobody sets. */
static inline void mutex_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t monotonic;

    TG_ASSERT(pthread_condattr_init(&monotonic) == 0);
    TG_ASSERT(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    TG_ASSERT(pthread_cond_init(condition, &monotonic) == 0);
    (void)pthread_condattr_destroy(&monotonic);
}

/* Waits for the condition; the lock is given back meanwhile. */
static inline void mutex_wait(struct mutex *m, pthread_cond_t *condition) TG_REQUIRES(*m)
{
    (void)pthread_cond_wait(condition, &m->native);
}

/* The same, until a time of the condition's clock. False: it has come. */
static inline bool mutex_wait_until(struct mutex *m, pthread_cond_t *condition, int64_t until_ms)
    TG_REQUIRES(*m)
{
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000};

    return pthread_cond_timedwait(condition, &m->native, &until) == 0;
}

#define MUTEX_GUARDS(name) TG_THREAD_SAFETY(guarded_by(name))

/* Declares `name`, which is never defined, and name_take, name_give, name_wait, name_wait_until. */
#define MUTEX_NAME(name)                                                                           \
    extern struct mutex name;                                                                      \
    __attribute__((unused)) static inline void name##_take(struct mutex *m)                        \
        TG_THREAD_SAFETY(acquire_capability(name)) TG_NO_THREAD_SAFETY                             \
    {                                                                                              \
        mutex_lock(m);                                                                             \
    }                                                                                              \
    __attribute__((unused)) static inline void name##_give(struct mutex *m)                        \
        TG_THREAD_SAFETY(release_capability(name)) TG_NO_THREAD_SAFETY                             \
    {                                                                                              \
        mutex_unlock(m);                                                                           \
    }                                                                                              \
    __attribute__((unused)) static inline void name##_wait(struct mutex *m, pthread_cond_t *wake)  \
        TG_REQUIRES(name) TG_NO_THREAD_SAFETY                                                      \
    {                                                                                              \
        mutex_wait(m, wake);                                                                       \
    }                                                                                              \
    __attribute__((unused)) static inline bool name##_wait_until(                                  \
        struct mutex *m, pthread_cond_t *wake, int64_t until_ms) TG_REQUIRES(name)                 \
        TG_NO_THREAD_SAFETY                                                                        \
    {                                                                                              \
        return mutex_wait_until(m, wake, until_ms);                                                \
    }

#endif
