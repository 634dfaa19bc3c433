#include "lib/throttle/throttle_script.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/period.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/throttle/scripts.h"

#define ANSWER_HEAD   2 /* now, stopped */
#define TEST_VALUES   5
#define KEY_MAX_BYTES 4096

static const struct script throttle_script = {"throttle", script_throttle_source};

/* The checks of one holder: one call of the script. */
struct throttle_group {
    size_t first, count, tests, first_test;
    int64_t now_ms;
    bool stopped;
};

struct throttle_work {
    struct store *store;
    const struct throttle_call *call;
    const struct limit_checks *d;
    struct arena *arena;
    struct throttle_group *groups;
    size_t count;
    int64_t month_ends_ms[2];
};

static int no_memory(struct err *err)
{
    return err_set(err, EX_TEMPFAIL, "message with too many limits to test: out of memory");
}

static int groups_make(struct throttle_work *w)
{
    struct throttle_group *g = NULL;
    size_t tests = 0;

    w->groups = arena_array(w->arena, w->d->count, sizeof *w->groups);
    if (w->groups == NULL)
        return -1;
    for (size_t i = 0; i < w->d->count; i++) {
        const struct limit_check *check = &w->d->list[i];

        if (g == NULL || !slice_equal(w->d->list[g->first].holder, check->holder)) {
            g = &w->groups[w->count++];
            *g = (struct throttle_group){.first = i, .first_test = tests};
        }
        g->count++;
        g->tests += check->test_count;
        tests += check->test_count;
    }
    return 0;
}

static void month_ends(struct throttle_work *w)
{
    time_t end = period_end(PERIOD_MONTH, w->call->now_s);

    w->month_ends_ms[0] = (int64_t)end * 1000;
    w->month_ends_ms[1] = (int64_t)period_end(PERIOD_MONTH, end) * 1000;
}

static struct slice number(struct arena *arena, int64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%" PRId64, value);

    return arena_copy(arena, (struct slice){text, (size_t)len});
}

static struct slice key_of(struct throttle_work *w, const struct limit_check *d)
{
    struct buf b;
    struct slice key = SLICE_NONE;

    buf_init(&b, KEY_MAX_BYTES);
    key_window(&b, w->call->prefix, d->holder, limit_metric_name(d->metric), d->per, d->subject);
    if (!b.failed)
        key = arena_copy(w->arena, buf_slice(&b));
    buf_fini(&b);
    return key;
}

/* Amounts stay below 2^53 in the script: more than that fits no limit anyhow. */
static int64_t amount_of(const struct limit_check *d)
{
    const uint64_t most = UINT64_C(1) << 52;

    return (int64_t)(d->amount < most ? d->amount : most);
}

static void check_add(struct throttle_work *w, const struct limit_check *d, bool tests,
                      struct slice *argv, size_t *at)
{
    argv[(*at)++] = number(w->arena, d->window_ms);
    argv[(*at)++] = number(w->arena, amount_of(d));
    argv[(*at)++] = number(w->arena, w->month_ends_ms[0]);
    argv[(*at)++] = number(w->arena, w->month_ends_ms[1]);
    argv[(*at)++] = number(w->arena, tests ? (int64_t)d->test_count : 0);
    for (size_t t = 0; tests && t < d->test_count; t++) {
        const struct limit *l = d->tests[t];

        argv[(*at)++] = number(w->arena, (int64_t)l->max);
        argv[(*at)++] = number(w->arena, l->soft_percent);
        argv[(*at)++] = !w->call->observe && limit_check_stops(d, l) ? SLICE("1") : SLICE("0");
    }
}

/* The arguments of one call; NULL when memory is out. */
static struct slice *call_make(struct throttle_work *w, const struct throttle_group *g,
                               struct slice mode, bool tests, size_t *argc)
{
    struct slice *argv = arena_array(w->arena, 1 + g->count * 6 + g->tests * 3, sizeof *argv);
    size_t at = 0;

    if (argv == NULL)
        return NULL;
    for (size_t i = 0; i < g->count; i++)
        argv[at++] = key_of(w, &w->d->list[g->first + i]);
    argv[at++] = mode;
    for (size_t i = 0; i < g->count; i++)
        check_add(w, &w->d->list[g->first + i], tests, argv, &at);
    *argc = at;
    for (size_t i = 0; i < at; i++) {
        if (argv[i].ptr == NULL)
            return NULL;
    }
    return argv;
}

static int64_t value_at(const redisReply *reply, size_t i)
{
    return reply->element[i]->type == REDIS_REPLY_INTEGER ? reply->element[i]->integer : 0;
}

static int answer_read(const redisReply *reply, struct throttle_group *g,
                       struct test_answer *answers, struct err *err)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != ANSWER_HEAD + g->tests * TEST_VALUES)
        return err_set(err, EX_TEMPFAIL, "the store cannot limit: %.*s",
                       SLICE_FMT(link_reply_text(reply)));
    g->now_ms = value_at(reply, 0);
    g->stopped = value_at(reply, 1) != 0;
    for (size_t t = 0; t < g->tests; t++) {
        size_t at = ANSWER_HEAD + t * TEST_VALUES;

        answers[g->first_test + t] =
            (struct test_answer){.used = (uint64_t)value_at(reply, at),
                                 .over = value_at(reply, at + 1) != 0,
                                 .crossing = value_at(reply, at + 2) != 0,
                                 .soft = value_at(reply, at + 3) != 0,
                                 .retry_after_ms = value_at(reply, at + 4)};
    }
    return 0;
}

/* One holder goes by the script's digest alone; several in a pipeline, which brings the source. */
static int trip(struct throttle_work *w, redisReply **replies, struct err *err)
{
    struct slice mode = w->call->consume ? SLICE("consume") : SLICE("look");
    struct slice *argv = NULL;
    size_t argc = 0;

    for (size_t i = 0; i < w->count; i++) {
        argv = call_make(w, &w->groups[i], mode, true, &argc);
        if (argv == NULL) {
            store_pipe_reset(w->store);
            return no_memory(err);
        }
        if (w->count > 1)
            store_pipe_add_script(w->store, &throttle_script, w->groups[i].count, argc, argv);
    }
    if (w->count > 1)
        return store_pipe_run(w->store, replies, w->call->timeout_ms, err);
    replies[0] = store_script(w->store, &throttle_script, w->groups[0].count, argc, argv,
                              w->call->timeout_ms, err);
    return replies[0] == NULL ? -1 : 0;
}

/* What was consumed for a message that another holder refuses. Where this fails, it expires with
 * its window. */
static void give_back(struct throttle_work *w, redisReply **replies)
{
    for (size_t i = 0; i < w->count; i++) {
        struct throttle_group *g = &w->groups[i];
        struct buf mode;
        struct slice *argv;
        size_t argc;

        if (g->stopped || g->now_ms == 0)
            continue;
        buf_init(&mode, 64);
        buf_addf(&mode, "back %" PRId64, g->now_ms);
        argv = call_make(w, g, buf_slice(&mode), false, &argc);
        if (argv != NULL)
            store_pipe_add_script(w->store, &throttle_script, g->count, argc, argv);
        buf_fini(&mode);
    }
    size_t count = store_pipe_count(w->store);

    if (count == 0 || store_pipe_run(w->store, replies, w->call->timeout_ms, NULL) != 0)
        return;
    for (size_t i = 0; i < count; i++)
        freeReplyObject(replies[i]);
}

int throttle_call(struct store *st, const struct throttle_call *call, const struct limit_checks *d,
                  struct arena *arena, struct test_answer *answers, struct err *err)
{
    struct throttle_work w = {.store = st, .call = call, .d = d, .arena = arena};
    redisReply **replies;
    bool stopped = false;
    int result = 0;

    if (groups_make(&w) != 0)
        return no_memory(err);
    replies = arena_array(arena, w.count, sizeof(*replies));
    if (replies == NULL)
        return no_memory(err);
    month_ends(&w);
    if (trip(&w, replies, err) != 0)
        return -1;
    for (size_t i = 0; i < w.count; i++) {
        if (answer_read(replies[i], &w.groups[i], answers, err) != 0)
            result = -1;
        stopped = stopped || w.groups[i].stopped || result != 0;
        freeReplyObject(replies[i]);
    }
    if (stopped && call->consume && w.count > 1)
        give_back(&w, replies);
    return result;
}
