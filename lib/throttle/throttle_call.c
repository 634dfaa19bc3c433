#include "lib/throttle/throttle_call.h"

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
#define TEST_SHORT    1 /* used alone: the others are 0 */
#define CHECK_ARGS    8 /* key, length, amount, number of tests; three of a month; lease */
#define TEST_ARGS     3
#define LEASE_VALUES  2
#define KEY_MAX_BYTES 4096

enum throttle_state { STATE_FITS = 0, STATE_STOPPED = 1, STATE_WRONG_MONTH = -1 };

const struct script throttle_script = {"throttle", script_throttle_source};

/* What the commands that are due do. */
enum throttle_step {
    STEP_ONLY,          /* consume, or look: the whole message */
    STEP_LOOK,          /* look at all holders */
    STEP_DECIDE,        /* consume from the only one that can stop it */
    STEP_CONSUME_OTHER, /* and then from the others */
    STEP_RESERVE,       /* reserve from all that can stop it */
    STEP_KEEP,          /* keep that, and consume from the others */
    STEP_GIVE_BACK      /* one of them refused */
};

/* The checks of one command: those of a holder, or all. */
struct throttle_group {
    size_t first, count, tests, first_test;
    bool stops;        /* one of its tests can stop the message */
    struct slice mode; /* of the next command; empty: none */
    int64_t state;     /* enum throttle_state, of the last answer */
};

struct throttle_call {
    const struct throttle_request *request;
    const struct limit_checks *d;
    struct arena *arena;
    struct throttle_group *groups;
    struct throttle_command *due; /* room for one a group */
    size_t count, stopping, due_count;
    struct test_answer *answers;
    int64_t months_ms[3]; /* start of this month, of the next, of the one after it */
    int64_t now_ms;
    enum throttle_step step;
    bool is_leasing;
    bool is_apart, is_again; /* again: the trip is made once more, with the store's months */
};

static int no_memory(struct err *err)
{
    return err_set(err, EX_TEMPFAIL, "message with too many limits to test: out of memory");
}

/* --- groups ---------------------------------------------------------------------------------- */

static bool check_stops(const struct throttle_call *c, const struct limit_check *d)
{
    for (size_t t = 0; t < d->test_count && !c->request->observe; t++) {
        if (limit_check_stops(d, d->tests[t]))
            return true;
    }
    return false;
}

static void groups_make(struct throttle_call *c)
{
    struct throttle_group *g = NULL;
    size_t tests = 0;

    c->count = c->stopping = 0;
    for (size_t i = 0; i < c->d->count; i++) {
        const struct limit_check *check = &c->d->list[i];
        bool is_other = g == NULL || !slice_equal(c->d->list[g->first].holder, check->holder);

        if (g == NULL || (c->is_apart && is_other)) {
            g = &c->groups[c->count++];
            *g = (struct throttle_group){.first = i, .first_test = tests};
        }
        g->count++;
        g->tests += check->test_count;
        tests += check->test_count;
        c->stopping += !g->stops && check_stops(c, check);
        g->stops = g->stops || check_stops(c, check);
    }
}

/* Only where a window is a month: asking the calendar costs as much as all the rest. */
static void months_set(struct throttle_call *c, int64_t now_ms)
{
    time_t start;
    size_t months = 0;

    for (size_t i = 0; i < c->d->count; i++)
        months += c->d->list[i].window_ms == LIMIT_WINDOW_MONTH;
    if (months == 0)
        return;
    start = period_start(PERIOD_MONTH, (time_t)(now_ms / 1000));
    for (size_t i = 0; i < 3; i++, start = period_end(PERIOD_MONTH, start))
        c->months_ms[i] = (int64_t)start * 1000;
}

/* --- commands -------------------------------------------------------------------------------- */

static struct slice number(struct arena *arena, uint64_t value)
{
    char room[SLICE_NUMBER_ROOM];

    return arena_copy(arena, slice_of_number(value, room));
}

static struct slice key_of(struct throttle_call *c, const struct limit_check *d)
{
    struct buf b;
    struct slice key = SLICE_NONE;

    buf_init(&b, KEY_MAX_BYTES);
    key_window(&b, c->request->prefix, d->holder, limit_metric_name(d->metric), d->per, d->subject);
    if (!b.failed)
        key = arena_copy(c->arena, buf_slice(&b));
    buf_fini(&b);
    return key;
}

/* "WANTED", or "WANTED SLICE UNUSED" */
static struct slice lease_text(struct arena *arena, const struct throttle_lease *lease)
{
    char text[72];
    int len = lease->unused == 0 ? snprintf(text, sizeof text, "%" PRIu64, lease->wanted)
                                 : snprintf(text, sizeof text, "%" PRIu64 " %" PRId64 " %" PRIu64,
                                            lease->wanted, lease->slice, lease->unused);

    return arena_copy(arena, (struct slice){text, (size_t)len});
}

/* Amounts stay below 2^53 in the script: more than that fits no limit anyhow. */
static uint64_t amount_of(const struct limit_check *d)
{
    const uint64_t most = UINT64_C(1) << 52;

    return d->amount < most ? d->amount : most;
}

/* Keeps or gives back a reservation: without tests. */
static bool is_settling(const struct throttle_group *g)
{
    return g->mode.len > 0 && (g->mode.ptr[0] == 'k' || g->mode.ptr[0] == 'b');
}

static void check_add(struct throttle_call *c, const struct limit_check *d, bool tests,
                      struct slice *argv, size_t *at)
{
    argv[(*at)++] = number(c->arena, (uint64_t)d->window_ms);
    argv[(*at)++] = number(c->arena, amount_of(d));
    argv[(*at)++] = number(c->arena, tests ? d->test_count : 0);
    for (size_t t = 0; tests && t < d->test_count; t++) {
        const struct limit *l = d->tests[t];

        argv[(*at)++] = number(c->arena, l->max);
        argv[(*at)++] = number(c->arena, l->soft_percent);
        argv[(*at)++] = !c->request->observe && limit_check_stops(d, l) ? SLICE("1") : SLICE("0");
    }
    for (size_t i = 0; i < 3 && d->window_ms == LIMIT_WINDOW_MONTH; i++)
        argv[(*at)++] = number(c->arena, (uint64_t)c->months_ms[i]);
    if (c->is_leasing)
        argv[(*at)++] = lease_text(c->arena, &c->request->leases[d - c->d->list]);
}

static int command_make(struct throttle_call *c, const struct throttle_group *g)
{
    struct slice *argv =
        arena_array(c->arena, 1 + g->count * CHECK_ARGS + g->tests * TEST_ARGS, sizeof *argv);
    bool tests = !is_settling(g);
    size_t at = 0;

    if (argv == NULL)
        return -1;
    for (size_t i = 0; i < g->count; i++)
        argv[at++] = key_of(c, &c->d->list[g->first + i]);
    argv[at++] = g->mode;
    for (size_t i = 0; i < g->count; i++)
        check_add(c, &c->d->list[g->first + i], tests, argv, &at);
    c->due[c->due_count++] = (struct throttle_command){argv, at, g->count};
    for (size_t i = 0; i < at; i++) {
        if (argv[i].ptr == NULL)
            return -1;
    }
    return 0;
}

/* The commands of all groups that have a mode. */
static int commands_make(struct throttle_call *c, struct err *err)
{
    c->due_count = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (c->groups[i].mode.len > 0 && command_make(c, &c->groups[i]) != 0)
            return no_memory(err);
    }
    return 0;
}

/* --- steps ----------------------------------------------------------------------------------- */

/* For the holders that can stop the message, or those that cannot. */
static void mode_set(struct throttle_call *c, bool stopping, struct slice mode)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->groups[i].stops == stopping)
            c->groups[i].mode = mode;
    }
}

static struct slice lease_mode(struct throttle_call *c)
{
    char text[32];
    int len = snprintf(text, sizeof text, "lease %" PRIu64, c->request->lease_part);

    return arena_copy(c->arena, (struct slice){text, (size_t)len});
}

static struct slice only_mode(struct throttle_call *c)
{
    c->is_leasing = c->request->leases != NULL && c->request->consume;
    if (c->is_leasing)
        return lease_mode(c);
    return c->request->consume ? SLICE("consume") : SLICE("look");
}

static struct slice mode_text(struct throttle_call *c, const char *word, int64_t ms)
{
    struct slice text;
    struct buf b;

    buf_init(&b, 128);
    buf_addf(&b, "%s %s", word, c->request->id);
    if (ms > 0)
        buf_addf(&b, " %" PRId64, ms);
    text = arena_copy(c->arena, buf_slice(&b));
    buf_fini(&b);
    return text;
}

/* A reservation ends within a sixtieth of the shortest window. */
static int64_t reserve_ms(const struct throttle_call *c)
{
    int64_t ms = THROTTLE_RESERVE_MAX_MS;

    for (size_t i = 0; i < c->d->count; i++) {
        int64_t slice = c->d->list[i].window_ms / 60;

        if (c->d->list[i].window_ms != LIMIT_WINDOW_MONTH && slice < ms)
            ms = slice;
    }
    return ms > THROTTLE_RESERVE_MIN_MS ? ms : THROTTLE_RESERVE_MIN_MS;
}

static int step_begin(struct throttle_call *c, enum throttle_step step, struct err *err)
{
    c->step = step;
    c->is_again = c->is_leasing = false;
    switch (step) {
    case STEP_ONLY:
        mode_set(c, true, only_mode(c));
        mode_set(c, false, only_mode(c));
        break;
    case STEP_LOOK:
        mode_set(c, true, SLICE("look"));
        mode_set(c, false, SLICE("look"));
        break;
    case STEP_DECIDE:
        mode_set(c, true, SLICE("consume"));
        break;
    case STEP_CONSUME_OTHER:
        mode_set(c, false, SLICE("consume"));
        break;
    case STEP_RESERVE:
        mode_set(c, true, mode_text(c, "reserve", reserve_ms(c)));
        break;
    case STEP_KEEP:
        mode_set(c, true, mode_text(c, "keep", 0));
        mode_set(c, false, SLICE("consume"));
        break;
    case STEP_GIVE_BACK:
        for (size_t i = 0; i < c->count; i++) {
            if (c->groups[i].stops && c->groups[i].state == STATE_FITS)
                c->groups[i].mode = mode_text(c, "back", 0);
        }
        break;
    }
    return commands_make(c, err);
}

static int groups_begin(struct throttle_call *c, struct err *err)
{
    groups_make(c);
    /* Looks first, so that a message which one holder refuses takes no room of the others. */
    return step_begin(
        c, c->request->consume && c->count > 1 && c->stopping > 0 ? STEP_LOOK : STEP_ONLY, err);
}

static bool is_stopped(const struct throttle_call *c)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->groups[i].state == STATE_STOPPED)
            return true;
    }
    return false;
}

/* All answers of a step are there. */
static int step_next(struct throttle_call *c, struct err *err)
{
    bool stopped = is_stopped(c);

    c->due_count = 0;
    if (c->step == STEP_LOOK && !stopped)
        return step_begin(c, c->stopping > 1 ? STEP_RESERVE : STEP_DECIDE, err);
    if (c->step == STEP_DECIDE && !stopped)
        return step_begin(c, STEP_CONSUME_OTHER, err);
    if (c->step == STEP_RESERVE)
        return step_begin(c, stopped ? STEP_GIVE_BACK : STEP_KEEP, err);
    if (c->step == STEP_KEEP && stopped)
        return err_set(err, EX_TEMPFAIL, "the store was too slow to keep a reservation");
    return 0;
}

/* --- answers --------------------------------------------------------------------------------- */

static int64_t value_at(const redisReply *reply, size_t i)
{
    return reply->element[i]->type == REDIS_REPLY_INTEGER ? reply->element[i]->integer : 0;
}

/* A crossing that an earlier command of the same message reported stays one. */
static void test_read(const redisReply *reply, size_t at, bool is_short, struct test_answer *t)
{
    if (is_short) {
        *t = (struct test_answer){.used = (uint64_t)value_at(reply, at), .crossing = t->crossing};
        return;
    }
    *t = (struct test_answer){.used = (uint64_t)value_at(reply, at),
                              .over = value_at(reply, at + 1) != 0,
                              .crossing = t->crossing || value_at(reply, at + 2) != 0,
                              .soft = value_at(reply, at + 3) != 0,
                              .retry_after_ms = value_at(reply, at + 4),
                              .room_after_ms = value_at(reply, at + 5)};
}

static void lease_read(const redisReply *reply, size_t at, struct throttle_lease *lease)
{
    int64_t granted = value_at(reply, at + 1);

    lease->slice = value_at(reply, at);
    lease->granted = granted > 0 ? (uint64_t)granted : 0;
}

/* How many values the reply has of each test; 0: it is none. */
static size_t test_values(const redisReply *reply, size_t tests, size_t leases)
{
    if (reply->elements == ANSWER_HEAD + tests * TEST_VALUES + leases * LEASE_VALUES)
        return TEST_VALUES;
    return reply->elements == ANSWER_HEAD + tests * TEST_SHORT + leases * LEASE_VALUES ? TEST_SHORT
                                                                                       : 0;
}

static int answer_read(struct throttle_call *c, struct throttle_group *g, const redisReply *reply,
                       struct err *err)
{
    size_t tests = is_settling(g) ? 0 : g->tests, leases = c->is_leasing ? g->count : 0;
    size_t values = test_values(reply, tests, leases), at = ANSWER_HEAD;
    bool is_array = reply->type == REDIS_REPLY_ARRAY && reply->elements >= ANSWER_HEAD;

    g->state = is_array ? value_at(reply, 1) : STATE_FITS;
    if (!is_array || (g->state != STATE_WRONG_MONTH && values == 0))
        return err_set(err, EX_TEMPFAIL, "the store cannot check limits: %.*s",
                       SLICE_FMT(link_reply_text(reply)));
    c->now_ms = value_at(reply, 0);
    if (g->state == STATE_WRONG_MONTH)
        return 0;
    g->mode = SLICE_NONE;
    for (size_t t = 0; t < tests; t++, at += values)
        test_read(reply, at, values == TEST_SHORT, &c->answers[g->first_test + t]);
    for (size_t i = 0; i < leases; i++, at += LEASE_VALUES)
        lease_read(reply, at, &c->request->leases[g->first + i]);
    return 0;
}

/* True where a cluster refuses a command because its keys are in several slots. */
static bool is_cross_slot(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR &&
           slice_starts(link_reply_text(reply), SLICE("CROSSSLOT"));
}

/* Where the store is in another month than this node, the commands of months are made again with
 * its time. */
static int again(struct throttle_call *c, struct err *err)
{
    if (c->is_again)
        return err_set(err, EX_TEMPFAIL, "the store's clock is jumping");
    c->is_again = true;
    months_set(c, c->now_ms);
    return commands_make(c, err);
}

int throttle_call_take(struct throttle_call *c, redisReply *const *replies, struct err *err)
{
    bool is_wrong_month = false;
    size_t at = 0;

    if (!c->is_apart && is_cross_slot(replies[0])) {
        c->is_apart = true;
        return groups_begin(c, err);
    }
    for (size_t i = 0; i < c->count; i++) {
        if (c->groups[i].mode.len == 0)
            continue;
        if (answer_read(c, &c->groups[i], replies[at++], err) != 0)
            return -1;
        is_wrong_month = is_wrong_month || c->groups[i].state == STATE_WRONG_MONTH;
    }
    return is_wrong_month ? again(c, err) : step_next(c, err);
}

/* --- the call -------------------------------------------------------------------------------- */

struct throttle_call *throttle_call_begin(const struct throttle_request *request,
                                          const struct limit_checks *d, struct arena *arena,
                                          struct test_answer *answers, struct err *err)
{
    struct throttle_call *c = arena_alloc(arena, sizeof *c);

    memset(answers, 0, d->test_count * sizeof *answers);
    if (c != NULL) {
        *c = (struct throttle_call){.request = request,
                                    .d = d,
                                    .arena = arena,
                                    .answers = answers,
                                    .is_apart = request->is_apart,
                                    .groups = arena_array(arena, d->count, sizeof *c->groups),
                                    .due = arena_array(arena, d->count, sizeof *c->due)};
    }
    if (c == NULL || c->groups == NULL || c->due == NULL) {
        (void)no_memory(err);
        return NULL;
    }
    months_set(c, request->now_ms);
    return groups_begin(c, err) == 0 ? c : NULL;
}

struct throttle_call *throttle_call_none(struct arena *arena)
{
    return arena_alloc(arena, sizeof(struct throttle_call));
}

size_t throttle_call_due(const struct throttle_call *c, const struct throttle_command **commands)
{
    *commands = c->due;
    return c->due_count;
}

bool throttle_call_is_answered(const struct throttle_call *c)
{
    return c->due_count == 0 || c->step == STEP_GIVE_BACK;
}

int64_t throttle_call_now_ms(const struct throttle_call *c)
{
    return c->now_ms;
}

bool throttle_call_is_apart(const struct throttle_call *c)
{
    return c->is_apart;
}
