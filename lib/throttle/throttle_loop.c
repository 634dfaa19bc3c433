#include "lib/throttle/throttle_loop.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/redis/keys.h"
#include "lib/sys/clock.h"
#include "lib/throttle/account_limits.h"
#include "lib/throttle/throttle_parts.h"

#define KEY_BYTES ((size_t)4096)

enum { COMMANDS = 2 };

/* In the arena of the one who waits. */
struct loop_waiting {
    struct loop_waiting *next;
    struct throttle_loop_wait *wait;
};

/* The limits of one holder are asked for. Used again. */
struct refresh {
    struct pipeline_trip trip; /* the first field */
    struct throttle_loop *home;
    struct refresh *next;
    struct buf holder, keys[COMMANDS];
    struct slice words[COMMANDS][2];
    struct pipeline_command commands[COMMANDS];
    redisReply *replies[COMMANDS];
    struct loop_waiting *first;
};

struct throttle_loop {
    struct account_limits *accounts;
    struct pipeline *pipeline;
    struct refresh *under_way, *spare;
};

static struct refresh *refresh_new(struct throttle_loop *l)
{
    struct refresh *r = l->spare;

    if (r != NULL) {
        l->spare = r->next;
        return r;
    }
    r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->home = l;
    buf_init(&r->holder, KEY_BYTES);
    for (size_t i = 0; i < COMMANDS; i++)
        buf_init(&r->keys[i], KEY_BYTES);
    return r;
}

static void refresh_free(struct refresh *r)
{
    buf_fini(&r->holder);
    for (size_t i = 0; i < COMMANDS; i++)
        buf_fini(&r->keys[i]);
    free(r);
}

static void under_way_remove(struct refresh *r)
{
    struct refresh **at = &r->home->under_way;

    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    r->next = r->home->spare;
    r->home->spare = r;
}

/* The trip has ended; err NULL: with replies. */
static void refresh_ended(struct pipeline_trip *trip, const struct err *err)
{
    struct refresh *r = (struct refresh *)(void *)trip;
    struct loop_waiting *w = r->first, *next;

    account_limits_learn(r->home->accounts, buf_slice(&r->holder), err == NULL ? r->replies : NULL,
                         clock_monotonic_ms());
    for (size_t i = 0; i < COMMANDS && err == NULL; i++)
        freeReplyObject(r->replies[i]);
    under_way_remove(r); /* who is told now may ask again */
    for (; w != NULL; w = next) {
        next = w->next; /* the arena may go with the last word */
        if (--w->wait->open == 0)
            w->wait->ready(w->wait);
    }
}

static struct refresh *refresh_begin(struct throttle_loop *l, struct slice holder,
                                     int64_t deadline_ms)
{
    const char *prefix = account_limits_prefix(l->accounts);
    struct refresh *r = refresh_new(l);
    struct err err;

    if (r == NULL)
        return NULL;
    buf_reset(&r->holder);
    buf_reset(&r->keys[0]);
    buf_reset(&r->keys[1]);
    buf_add(&r->holder, holder);
    key_plan(&r->keys[0], prefix, holder);
    key_limits(&r->keys[1], prefix, holder);
    for (size_t i = 0; i < COMMANDS; i++) {
        r->words[i][0] = i == 0 ? SLICE("GET") : SLICE("HGETALL");
        r->words[i][1] = buf_slice(&r->keys[i]);
        r->commands[i] = (struct pipeline_command){.argv = r->words[i], .argc = 2};
    }
    r->trip = (struct pipeline_trip){.commands = r->commands,
                                     .count = COMMANDS,
                                     .replies = r->replies,
                                     .deadline_ms = deadline_ms,
                                     .ended = refresh_ended};
    r->first = NULL;
    r->next = l->under_way;
    l->under_way = r;
    if (!r->holder.failed && !r->keys[0].failed && !r->keys[1].failed &&
        pipeline_begin(l->pipeline, &r->trip, &err) == 0)
        return r;
    account_limits_learn(l->accounts, holder, NULL, clock_monotonic_ms());
    under_way_remove(r);
    return NULL;
}

static struct refresh *refresh_of(struct throttle_loop *l, struct slice holder)
{
    for (struct refresh *r = l->under_way; r != NULL; r = r->next) {
        if (slice_equal(buf_slice(&r->holder), holder))
            return r;
    }
    return NULL;
}

bool throttle_loop_refresh(struct throttle_loop *l, const struct slice *holders, size_t count,
                           int64_t deadline_ms, struct arena *arena, struct throttle_loop_wait *w)
{
    w->open = 0;
    for (size_t i = 0; i < count; i++) {
        struct loop_waiting *node = arena_alloc(arena, sizeof *node);
        struct refresh *r = node == NULL ? NULL : refresh_of(l, holders[i]);

        if (r == NULL && node != NULL)
            r = refresh_begin(l, holders[i], deadline_ms);
        if (r == NULL)
            continue;
        *node = (struct loop_waiting){.next = r->first, .wait = w};
        r->first = node;
        w->open++;
    }
    return w->open > 0;
}

int throttle_loop_trip(struct throttle_loop *l, struct pipeline_trip *t, struct err *err)
{
    return pipeline_begin(l->pipeline, t, err);
}

void throttle_loop_run(struct throttle_loop *l)
{
    pipeline_run(l->pipeline);
}

void throttle_loop_gather(struct throttle_loop *l, bool on)
{
    pipeline_gather(l->pipeline, on);
}

struct throttle_loop *throttle_loop_new(struct throttle *t, const struct settings *s, int epoll,
                                        void *mark, struct err *err)
{
    struct throttle_loop *l = calloc(1, sizeof *l);

    if (l == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    l->accounts = throttle_accounts(t);
    l->pipeline = pipeline_new(throttle_pool(t), s, epoll, mark, err);
    if (l->pipeline != NULL)
        return l;
    free(l);
    return NULL;
}

void throttle_loop_free(struct throttle_loop *l)
{
    struct refresh *r;

    if (l == NULL)
        return;
    pipeline_free(l->pipeline); /* and so none is under way */
    while ((r = l->spare) != NULL) {
        l->spare = r->next;
        refresh_free(r);
    }
    free(l);
}
