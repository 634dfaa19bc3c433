#ifndef TG_T_THROTTLE_FIXTURE_H
#define TG_T_THROTTLE_FIXTURE_H

/*
 * A throttle on a private redis-server, and checks of single limits to ask it. Include t/tap.h
 * after it.
 */

#include "lib/redis/link.h"
#include "lib/redis/store.h"
#include "lib/throttle/throttle.h"
#include "t/redis/redis_fixture.h"

static struct redis_fixture redis;
static struct settings settings;
static char url[160];
static struct limit_rules rules;
static struct arena names; /* of limits; the main thread's */

static inline struct throttle *throttle_make(void)
{
    struct err err = {0};
    struct throttle *t = throttle_new(&settings, &err);

    if (t == NULL)
        redis_fixture_die(err.text);
    return t;
}

static inline redisReply *redis_do(const char *text)
{
    struct slice rest = slice_str(text), argv[16];
    struct store *st = store_new(&settings, NULL);
    redisReply *reply;
    size_t argc = 0;

    while (slice_word(&rest, " ", &argv[argc]))
        argc++;
    reply = store_command(st, argc, argv, 5000, NULL);
    store_free(st);
    if (reply == NULL)
        redis_fixture_die(text);
    return reply;
}

static inline void redis_run(const char *text)
{
    freeReplyObject(redis_do(text));
}

/* One check of one limit. */
struct want {
    struct limit limit;
    const struct limit *tests[1];
    struct limit_check check;
};

static inline void want_set_in(struct arena *arena, struct want *w, const char *holder,
                               const char *name, uint64_t max, uint64_t amount)
{
    *w = (struct want){.limit = {.max = max, .action = ACTION_DEFER}};
    if (limit_parse_name(slice_str(name), arena, &w->limit, NULL) != 0)
        redis_fixture_die(name);
    w->tests[0] = &w->limit;
    w->check = (struct limit_check){.scope = w->limit.scope,
                                    .metric = w->limit.metric,
                                    .window_ms = w->limit.window_ms,
                                    .per = w->limit.per,
                                    .holder = slice_str(holder),
                                    .amount = amount,
                                    .stops = true,
                                    .tests = w->tests,
                                    .test_count = 1};
}

/* For the main thread. */
static inline void want_set(struct want *w, const char *holder, const char *name, uint64_t max,
                            uint64_t amount)
{
    want_set_in(&names, w, holder, name, max, amount);
}

struct lookup {
    enum throttle_by by;
    struct test_answer answers[4];
    struct err err;
};

static inline struct lookup ask(struct throttle *t, struct want *wants, size_t count)
{
    struct limit_check list[4];
    struct limit_checks d = {.list = list, .count = count, .test_count = count};
    struct lookup asked = {.err = {0}};
    struct test_answer *answers = NULL;
    struct arena arena;

    for (size_t i = 0; i < count; i++) {
        list[i] = wants[i].check;
        list[i].tests = wants[i].tests;
    }
    arena_init(&arena, 1 << 20);
    asked.by = throttle_ask(t, &rules, &d, true, &arena, &answers, &asked.err);
    memcpy(asked.answers, answers, count * sizeof *answers);
    arena_fini(&arena);
    return asked;
}

static inline struct lookup ask_one(struct throttle *t, const char *holder, const char *name,
                                    uint64_t max, uint64_t amount)
{
    struct want w;

    want_set(&w, holder, name, max, amount);
    return ask(t, &w, 1);
}

/* The server and settings that reach it. */
static inline void throttle_fixture_start(void)
{
    arena_init(&names, 1 << 20);
    redis_fixture_start(&redis);
    (void)snprintf(url, sizeof url, "unix://%s", redis.socket);
    settings.state_dir = "/nonexistent";
    settings.store.url = url;
    settings.store.prefix = "tg";
    settings.store.username = settings.store.password_file = "";
    settings.store.timeout_ms = 10000;
    rules.nodes = 1;
}

static inline void throttle_fixture_stop(void)
{
    redis_fixture_stop(&redis);
    arena_fini(&names);
}

#endif
