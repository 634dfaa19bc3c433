#ifndef TG_REDIS_PIPELINE_H
#define TG_REDIS_PIPELINE_H

#include <hiredis/hiredis.h>

#include "lib/core/contract.h"
#include "lib/redis/pool.h"
#include "lib/redis/store.h"

/*
 * One connection to the store for a loop that never waits: trips of many are under way at once, and
 * each is told when its replies are there. What is begun while others are under way is sent
 * together, when replies come in. The connection is made by a thread apart, as a store makes it
 * (login, TLS, the master that sentinels name). Not for a cluster.
 *
 * The breaker is the pool's: the first failure opens it, and while it is open no trip is begun; the
 * pool's thread finds out when the store answers again.
 *
 * Each trip has a deadline. Where the server has not answered within store.timeout the connection
 * is dropped, with all that is under way; a trip whose own deadline comes earlier is given up
 * alone, and its replies are skipped when they come: a late reply is never another's. Nothing is
 * sent twice but a script that the server said it did not run (NOSCRIPT).
 *
 * Units: ms of clock_monotonic_ms.  Owner: a trip is part of its owner's struct and must stay until
 * `ended`, and so must its commands.  Threads: one.  Errors: EX_UNAVAILABLE.  Limits:
 * PIPELINE_UNDER_WAY commands are sent and unanswered; what is begun beyond waits its turn, within
 * its deadline. PIPELINE_REPLY_BYTES a reply, and 65,536
 * elements an array.
 */

#define PIPELINE_UNDER_WAY   512
#define PIPELINE_REPLY_BYTES ((size_t)4 << 20)

struct pipeline;

/* A call of a script (its keys first, then its arguments); or, `script` NULL, a command. */
struct pipeline_command {
    const struct script *script;
    const struct slice *argv;
    size_t argc, keys;
};

struct pipeline_trip {
    const struct pipeline_command *commands;
    size_t count;         /* 1 to PIPELINE_UNDER_WAY */
    redisReply **replies; /* room for `count` */
    int64_t deadline_ms;
    /* Not out of pipeline_begin. err NULL: all replies are there, and the callee's to free. Trips
     * may be begun in it, this one again, too. */
    void (*ended)(struct pipeline_trip *t, const struct err *err);

    /* The pipeline's. */
    struct pipeline_trip *next;
    size_t have;
};

/* True where a store of these settings can be spoken to so. */
bool pipeline_suits(const struct settings *s) TG_NONNULL(1);
/* Adds its descriptors to the epoll set `epoll`, with `mark` as data.ptr: whenever one is ready,
 * pipeline_run is to be called. `pool` has the same settings and outlives it. */
struct pipeline *pipeline_new(struct pool *pool, const struct settings *s, int epoll, void *mark,
                              struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 4, 5);
/* Trips that are under way end with an error. */
void pipeline_free(struct pipeline *p);

/* -1: not begun, *err says why. */
int pipeline_begin(struct pipeline *p, struct pipeline_trip *t, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3);
void pipeline_run(struct pipeline *p) TG_NONNULL(1);
/* A loop that serves several events in a row says so: from `on` until it is off again what is begun
 * is gathered, and then goes out in one write. */
void pipeline_gather(struct pipeline *p, bool on) TG_NONNULL(1);

#endif
