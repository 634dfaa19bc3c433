#include "lib/throttle/throttle_script.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/period.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/throttle/scripts.h"

#define ANSWER_HEAD   2 /* now, state */
#define TEST_VALUES   6
#define KEY_MAX_BYTES 4096

enum throttle_state { STATE_FITS = 0, STATE_STOPPED = 1, STATE_WRONG_MONTH = -1 };

static const struct script throttle_script = {"throttle", script_throttle_source};

/* The checks of one holder: one call of the script. */
struct throttle_group {
    size_t first, count, tests, first_test;
    bool stops;        /* one of its tests can stop the message */
    struct slice mode; /* of the next call; empty: none */
    int64_t now_ms;    /* the store's, of the last answer */
    int64_t state;     /* enum throttle_state, of the last answer */
};

struct throttle_work {
    struct store *store;
    const struct throttle_call *call;
    const struct limit_checks *d;
    struct arena *arena;
    struct throttle_group *groups;
    size_t count, stopping;
    struct test_answer *answers;
    redisReply **replies; /* room for one a group */
    int64_t months_ms[3]; /* start of this month, of the next, of the one after it */
};

static int no_memory(struct err *err)
{
    return err_set(err, EX_TEMPFAIL, "message with too many limits to test: out of memory");
}

static bool check_stops(const struct throttle_work *w, const struct limit_check *d)
{
    for (size_t t = 0; t < d->test_count && !w->call->observe; t++) {
        if (limit_check_stops(d, d->tests[t]))
            return true;
    }
    return false;
}

static int groups_make(struct throttle_work *w)
{
    struct throttle_group *g = NULL;
    size_t tests = 0;

    w->groups = arena_array(w->arena, w->d->count, sizeof *w->groups);
    w->replies = arena_array(w->arena, w->d->count, sizeof(*w->replies));
    if (w->groups == NULL || w->replies == NULL)
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
        w->stopping += !g->stops && check_stops(w, check);
        g->stops = g->stops || check_stops(w, check);
    }
    return 0;
}

static void months_set(struct throttle_work *w, int64_t now_ms)
{
    time_t start = period_start(PERIOD_MONTH, (time_t)(now_ms / 1000));

    for (size_t i = 0; i < 3; i++, start = period_end(PERIOD_MONTH, start))
        w->months_ms[i] = (int64_t)start * 1000;
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

/* Keeps or gives back a reservation: without tests. */
static bool is_settling(const struct throttle_group *g)
{
    return g->mode.len > 0 && (g->mode.ptr[0] == 'k' || g->mode.ptr[0] == 'b');
}

static void check_add(struct throttle_work *w, const struct limit_check *d, bool tests,
                      struct slice *argv, size_t *at)
{
    argv[(*at)++] = number(w->arena, d->window_ms);
    argv[(*at)++] = number(w->arena, amount_of(d));
    for (size_t i = 0; i < 3; i++)
        argv[(*at)++] = number(w->arena, w->months_ms[i]);
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
                               size_t *argc)
{
    struct slice *argv = arena_array(w->arena, 1 + g->count * 7 + g->tests * 3, sizeof *argv);
    bool tests = !is_settling(g);
    size_t at = 0;

    if (argv == NULL)
        return NULL;
    for (size_t i = 0; i < g->count; i++)
        argv[at++] = key_of(w, &w->d->list[g->first + i]);
    argv[at++] = g->mode;
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

/* A crossing that an earlier call of the same message reported stays one. */
static void test_read(const redisReply *reply, size_t at, struct test_answer *t)
{
    *t = (struct test_answer){.used = (uint64_t)value_at(reply, at),
                              .over = value_at(reply, at + 1) != 0,
                              .crossing = t->crossing || value_at(reply, at + 2) != 0,
                              .soft = value_at(reply, at + 3) != 0,
                              .retry_after_ms = value_at(reply, at + 4),
                              .room_after_ms = value_at(reply, at + 5)};
}

static int answer_read(struct throttle_work *w, struct throttle_group *g, const redisReply *reply,
                       struct err *err)
{
    size_t tests = is_settling(g) ? 0 : g->tests;
    bool is_array = reply->type == REDIS_REPLY_ARRAY && reply->elements >= ANSWER_HEAD;

    g->state = is_array ? value_at(reply, 1) : STATE_FITS;
    if (!is_array ||
        (g->state != STATE_WRONG_MONTH && reply->elements != ANSWER_HEAD + tests * TEST_VALUES))
        return err_set(err, EX_TEMPFAIL, "the store cannot check limits: %.*s",
                       SLICE_FMT(link_reply_text(reply)));
    g->now_ms = value_at(reply, 0);
    if (g->state == STATE_WRONG_MONTH)
        return 0;
    g->mode = SLICE_NONE;
    for (size_t t = 0; t < tests; t++)
        test_read(reply, ANSWER_HEAD + t * TEST_VALUES, &w->answers[g->first_test + t]);
    return 0;
}

/* The calls that are due. One goes by the script's digest alone; several in a pipeline, which
 * brings the source. */
static int calls_send(struct throttle_work *w, size_t due, struct err *err)
{
    struct slice *argv = NULL;
    size_t argc = 0, keys = 0;

    for (size_t i = 0; i < w->count; i++) {
        if (w->groups[i].mode.len == 0)
            continue;
        argv = call_make(w, &w->groups[i], &argc);
        keys = w->groups[i].count;
        if (argv == NULL) {
            store_pipe_reset(w->store);
            return no_memory(err);
        }
        if (due > 1)
            store_pipe_add_script(w->store, &throttle_script, keys, argc, argv);
    }
    if (due > 1)
        return store_pipe_run(w->store, w->replies, w->call->timeout_ms, err);
    w->replies[0] =
        store_script(w->store, &throttle_script, keys, argc, argv, w->call->timeout_ms, err);
    return w->replies[0] == NULL ? -1 : 0;
}

static size_t calls_due(const struct throttle_work *w)
{
    size_t due = 0;

    for (size_t i = 0; i < w->count; i++)
        due += w->groups[i].mode.len > 0;
    return due;
}

static int trip_once(struct throttle_work *w, struct err *err)
{
    size_t due = calls_due(w), at = 0;
    int result = due == 0 ? 0 : calls_send(w, due, err);

    if (due == 0 || result != 0)
        return result;
    for (size_t i = 0; i < w->count; i++) {
        if (w->groups[i].mode.len == 0)
            continue;
        if (answer_read(w, &w->groups[i], w->replies[at], err) != 0)
            result = -1;
        freeReplyObject(w->replies[at++]);
    }
    return result;
}

/* Where the store is in another month than this node, the calls of months are made again with its
 * time. */
static int trip(struct throttle_work *w, struct err *err)
{
    if (trip_once(w, err) != 0)
        return -1;
    for (size_t i = 0; i < w->count; i++) {
        if (w->groups[i].mode.len > 0)
            months_set(w, w->groups[i].now_ms);
    }
    if (trip_once(w, err) != 0)
        return -1;
    return calls_due(w) == 0 ? 0 : err_set(err, EX_TEMPFAIL, "the store's clock is jumping");
}

/* Asks the holders that can stop the message (or those that cannot). */
static void mode_set(struct throttle_work *w, bool stopping, struct slice mode)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->groups[i].stops == stopping)
            w->groups[i].mode = mode;
    }
}

static bool is_stopped(const struct throttle_work *w)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->groups[i].state == STATE_STOPPED)
            return true;
    }
    return false;
}

static struct slice mode_text(struct throttle_work *w, const char *word, int64_t ms)
{
    struct slice text;
    struct buf b;

    buf_init(&b, 128);
    buf_addf(&b, "%s %s", word, w->call->id);
    if (ms > 0)
        buf_addf(&b, " %" PRId64, ms);
    text = arena_copy(w->arena, buf_slice(&b));
    buf_fini(&b);
    return text;
}

/* Reserved for a message that another holder refuses meanwhile. Where this fails, the reservation
 * ends by itself. */
static void reserved_give_back(struct throttle_work *w)
{
    struct slice back = mode_text(w, "back", 0);

    for (size_t i = 0; i < w->count; i++) {
        if (w->groups[i].stops && w->groups[i].state == STATE_FITS)
            w->groups[i].mode = back;
    }
    TG_IGNORE(trip(w, NULL));
    for (size_t i = 0; i < w->count; i++)
        w->groups[i].mode = SLICE_NONE;
}

/* A reservation ends within a sixtieth of the shortest window. */
static int64_t reserve_ms(const struct throttle_work *w)
{
    int64_t ms = THROTTLE_RESERVE_MAX_MS;

    for (size_t i = 0; i < w->d->count; i++) {
        int64_t slice = w->d->list[i].window_ms / 60;

        if (w->d->list[i].window_ms != LIMIT_WINDOW_MONTH && slice < ms)
            ms = slice;
    }
    return ms > THROTTLE_RESERVE_MIN_MS ? ms : THROTTLE_RESERVE_MIN_MS;
}

static int reserve(struct throttle_work *w, struct err *err)
{
    mode_set(w, true, mode_text(w, "reserve", reserve_ms(w)));
    if (trip(w, err) != 0)
        return -1;
    if (is_stopped(w)) {
        reserved_give_back(w);
        return 0;
    }
    mode_set(w, true, mode_text(w, "keep", 0));
    mode_set(w, false, SLICE("consume"));
    if (trip(w, err) != 0)
        return -1;
    return is_stopped(w) ? err_set(err, EX_TEMPFAIL, "the store was too slow to keep a reservation")
                         : 0;
}

/* Looks at all holders first, so that a message which one of them refuses takes no room of the
 * others. Then the only one that can stop it decides; or several reserve, and keep what they
 * reserved when all have. */
static int consume_from_several(struct throttle_work *w, struct err *err)
{
    mode_set(w, true, SLICE("look"));
    mode_set(w, false, SLICE("look"));
    if (trip(w, err) != 0)
        return -1;
    if (is_stopped(w))
        return 0;
    if (w->stopping > 1)
        return reserve(w, err);
    mode_set(w, true, SLICE("consume"));
    if (trip(w, err) != 0)
        return -1;
    if (is_stopped(w))
        return 0;
    mode_set(w, false, SLICE("consume"));
    return trip(w, err);
}

int throttle_call(struct store *st, const struct throttle_call *call, const struct limit_checks *d,
                  struct arena *arena, struct test_answer *answers, int64_t *now_ms,
                  struct err *err)
{
    struct throttle_work w = {
        .store = st, .call = call, .d = d, .arena = arena, .answers = answers};
    struct slice mode = call->consume ? SLICE("consume") : SLICE("look");
    int result;

    memset(answers, 0, d->test_count * sizeof *answers);
    if (groups_make(&w) != 0)
        return no_memory(err);
    months_set(&w, call->now_ms);
    if (call->consume && w.count > 1 && w.stopping > 0) {
        result = consume_from_several(&w, err);
    } else {
        mode_set(&w, true, mode);
        mode_set(&w, false, mode);
        result = trip(&w, err);
    }
    *now_ms = w.groups[0].now_ms;
    return result;
}
