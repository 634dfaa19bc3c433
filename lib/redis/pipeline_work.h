#ifndef TG_REDIS_PIPELINE_WORK_H
#define TG_REDIS_PIPELINE_WORK_H

#include "lib/core/contract.h"
#include "lib/redis/pipeline.h"
#include "lib/redis/pipeline_connect.h"
#include "lib/redis/store_work.h"

/* Shared by the sources of the pipeline: pipeline.c (trips, replies, time), pipeline_send.c (what
 * goes out). Included by nothing else. */

enum pipeline_state { PIPELINE_CLOSED, PIPELINE_CONNECTING, PIPELINE_OPEN };

/* A command whose reply is still to come. */
struct pipeline_sent {
    struct pipeline_trip *trip; /* NULL: given up; its reply is skipped */
    size_t index;
    int64_t sent_ms;
    bool with_source;
};

struct pipeline {
    struct pool *pool;
    struct store *store;
    char where[ENDPOINT_TEXT]; /* the server's name */
    int epoll, timer;
    void *mark; /* data.ptr of its descriptors in the epoll set */
    struct pipeline_connect connect;
    enum pipeline_state state;
    int64_t wanted_ms; /* CONNECTING: since when */

    struct pipeline_trip *first, *last;            /* not sent yet */
    struct pipeline_sent ring[PIPELINE_UNDER_WAY]; /* in the order of the replies */
    size_t head, under_way;                        /* head: the oldest of them */
    struct known_script scripts[STORE_SCRIPTS_MAX];
    size_t script_count;

    struct buf out;
    size_t out_sent;    /* bytes of `out` that are gone */
    bool is_writing;    /* the rest waits until the socket takes it */
    bool is_broken;     /* a write failed; told by pipeline_run */
    bool is_gathering;  /* sent when that is over, if */
    bool is_due;        /* it is its turn */
    size_t reply_bytes; /* read of a reply that is not complete */
    bool is_ending;
    int64_t timer_ms; /* when the timer goes off; 0: it does not */
};

/* The oldest is 0. */
static inline struct pipeline_sent *pipeline_sent_at(struct pipeline *p, size_t i)
{
    return &p->ring[(p->head + i) % PIPELINE_UNDER_WAY];
}

/* Puts a command of the trip behind what is to be sent. */
void pipeline_command_add(struct pipeline *p, struct pipeline_trip *t, size_t index,
                          bool with_source, int64_t now_ms) TG_NONNULL(1, 2);
/* Puts in as many of the waiting trips as there is room for, and sends what can be sent now. Where
 * that fails, is_broken is set. */
void pipeline_send(struct pipeline *p, int64_t now_ms) TG_NONNULL(1);
/* Has the epoll set watch the connection. */
void pipeline_watch(struct pipeline *p, int operation) TG_NONNULL(1);

#endif
