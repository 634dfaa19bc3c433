#ifndef TG_REDIS_PIPELINE_CONNECT_H
#define TG_REDIS_PIPELINE_CONNECT_H

#include <pthread.h>

#include "lib/core/contract.h"
#include "lib/redis/store.h"
#include "lib/sys/mutex.h"

/*
 * Makes the connection of a store in a thread of its own, for one who must not wait.
 *
 * Threads: one beside its own. The store is the thread's from _want until _take says that it is
 * made, or cannot be; the lock guards that state only.
 */

MUTEX_NAME(pipeline_connect_lock)

struct pipeline_connect {
    struct mutex lock;
    pthread_cond_t wake;
    struct store *store;
    int fd; /* readable when there is something to take */
    bool is_wanted MUTEX_GUARDS(pipeline_connect_lock);
    bool is_ended MUTEX_GUARDS(pipeline_connect_lock); /* there is something to take */
    bool is_stopping MUTEX_GUARDS(pipeline_connect_lock);
    int64_t timeout_ms MUTEX_GUARDS(pipeline_connect_lock);
    int result MUTEX_GUARDS(pipeline_connect_lock);
    struct err err MUTEX_GUARDS(pipeline_connect_lock);
    pthread_t thread;
    bool has_thread;
};

/* pipeline_connect_stop in any case. `store` is borrowed. */
int pipeline_connect_start(struct pipeline_connect *c, struct store *store,
                           struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);
/* Waits for a connection that is being made. */
void pipeline_connect_stop(struct pipeline_connect *c) TG_NONNULL(1);

void pipeline_connect_want(struct pipeline_connect *c, int64_t timeout_ms) TG_NONNULL(1);
/* 1: the store is connected; 0: not yet; -1: it cannot be, *err says why. */
int pipeline_connect_take(struct pipeline_connect *c, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
