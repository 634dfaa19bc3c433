#include "lib/redis/pipeline_connect.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/redis/store_work.h"
#include "lib/sys/clock.h"

/* The breaker paces the attempts; the store's own pause is not needed. */
static int connect_now(struct pipeline_connect *c, int64_t timeout_ms, struct err *err)
{
    store_settle(c->store);
    return store_be_connected(c->store, clock_monotonic_ms() + timeout_ms, err);
}

static void *connect_run(void *context)
{
    const uint64_t one = 1;
    struct pipeline_connect *c = context;

    pipeline_connect_lock_take(&c->lock);
    while (!c->is_stopping) {
        struct err err = {0};
        int64_t timeout_ms = c->timeout_ms;
        int result;

        if (!c->is_wanted) {
            pipeline_connect_lock_wait(&c->lock, &c->wake);
            continue;
        }
        pipeline_connect_lock_give(&c->lock);
        result = connect_now(c, timeout_ms, &err);
        pipeline_connect_lock_take(&c->lock);
        c->is_wanted = false;
        c->is_ended = true;
        c->result = result;
        c->err = err;
        TG_ASSERT(write(c->fd, &one, sizeof one) == (ssize_t)sizeof one);
    }
    pipeline_connect_lock_give(&c->lock);
    return NULL;
}

int pipeline_connect_start(struct pipeline_connect *c, struct store *store,
                           struct err *err) TG_NO_THREAD_SAFETY /* not shared yet */
{
    memset(c, 0, sizeof *c);
    mutex_init(&c->lock);
    mutex_condition_init(&c->wake);
    c->store = store;
    c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->fd < 0)
        return err_set(err, EX_OSERR, "eventfd: %s", strerror(errno));
    c->has_thread = pthread_create(&c->thread, NULL, connect_run, c) == 0;
    return c->has_thread ? 0 : err_set(err, EX_OSERR, "cannot start a thread");
}

void pipeline_connect_stop(struct pipeline_connect *c)
{
    pipeline_connect_lock_take(&c->lock);
    c->is_stopping = true;
    (void)pthread_cond_signal(&c->wake);
    pipeline_connect_lock_give(&c->lock);
    if (c->has_thread)
        (void)pthread_join(c->thread, NULL);
    if (c->fd >= 0)
        (void)close(c->fd);
    (void)pthread_cond_destroy(&c->wake);
    mutex_fini(&c->lock);
}

void pipeline_connect_want(struct pipeline_connect *c, int64_t timeout_ms)
{
    pipeline_connect_lock_take(&c->lock);
    c->is_wanted = true;
    c->timeout_ms = timeout_ms;
    (void)pthread_cond_signal(&c->wake);
    pipeline_connect_lock_give(&c->lock);
}

int pipeline_connect_take(struct pipeline_connect *c, struct err *err)
{
    uint64_t count;
    int result = 0;

    if (read(c->fd, &count, sizeof count) < 0)
        return 0;
    pipeline_connect_lock_take(&c->lock);
    if (c->is_ended) {
        result = c->result == 0 ? 1 : -1;
        *err = c->err;
        c->is_ended = false;
    }
    pipeline_connect_lock_give(&c->lock);
    return result;
}
