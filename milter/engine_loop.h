#ifndef TG_MILTER_ENGINE_LOOP_H
#define TG_MILTER_ENGINE_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/log_limit.h"
#include "milter/dispatch.h"
#include "milter/engine_connection.h"
#include "milter/engine_handover.h"

/*
 * A loop of the native engine: one thread that serves many connections and waits for nothing but
 * their sockets. All loops accept from the same listening socket.
 *
 * Where no descriptor is left (or the sessions are as many as there may be), a loop stops watching
 * the listening socket for a while; MTAs wait in its queue.
 *
 * Owner: engine_native.c.  Threads: its own.
 */

enum {
    ENGINE_READ_BYTES = 1 << 16, /* at a time */
    ENGINE_SPARES = 64,          /* connections, and buffers, kept for the next */
};

/* What the loops of the engine share. */
struct engine_shared {
    struct dispatch *dispatch;
    int listener, wake; /* wake: an eventfd that is written to when the engine yields or stops */
    int64_t timeout_ms;
    unsigned sessions_max; /* 0: no limit but that of open files */
    atomic_uint sessions;
    atomic_bool is_stopping;
    atomic_bool is_yielding; /* sessions between messages go into `handover` */
    struct engine_handover handover;
    struct log_limit log_limit;
};

struct engine_loop {
    struct engine_shared *shared;
    int epoll; /* the errands' */
    struct errands *errands;
    pthread_t thread;
    char *in;       /* ENGINE_READ_BYTES */
    struct buf out; /* answers of the connection that is served */
    struct engine_connection *connections, *ready, *over, *spare;
    unsigned spares;
    struct buf spare_bufs[ENGINE_SPARES];
    unsigned spare_buf_count;
    bool is_accepting;
    int64_t now_ms, sweep_ms,
        accept_ms; /* the present turn; when to look for the late; to accept */
};

/* -1: nothing is open. */
int engine_loop_open(struct engine_loop *l, struct engine_shared *shared,
                     struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);
/* Before it runs: a session that another process had. False: there is none left. */
bool engine_loop_adopt(struct engine_loop *l, struct engine_heritage *heritage) TG_MUST_USE
    TG_NONNULL(1, 2);
/* Serves until shared->is_stopping; then ends its connections. */
void engine_loop_run(struct engine_loop *l) TG_NONNULL(1);
void engine_loop_close(struct engine_loop *l) TG_NONNULL(1);

/* epoll_ctl(2). */
int engine_loop_poll(struct engine_loop *l, int op, int fd, uint32_t events, void *what)
    TG_NONNULL(1);
/* For its connections. */
void engine_loop_ready(struct engine_loop *l, struct engine_connection *c) TG_NONNULL(1, 2);
void engine_loop_over(struct engine_loop *l, struct engine_connection *c) TG_NONNULL(1, 2);
void engine_loop_watch(struct engine_loop *l, struct engine_connection *c, bool writes)
    TG_NONNULL(1, 2);
/* Its descriptor is another's from now on. */
void engine_loop_forget(struct engine_loop *l, struct engine_connection *c) TG_NONNULL(1, 2);
/* A buffer that was used before; and given back, empty. */
void engine_loop_buf_take(struct engine_loop *l, struct buf *b) TG_NONNULL(1, 2);
void engine_loop_buf_give(struct engine_loop *l, struct buf *b) TG_NONNULL(1, 2);

#endif
