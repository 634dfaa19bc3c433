/* leases: nodes whose clocks the test sets, with throttle.lua in a real redis-server whose clock it
 * sets, too, against a list of all that passed: never more than the maximum in any window, and when
 * all leases are back, the store has counted exactly what passed. */
#include "lib/throttle/leases.h"

#include "lib/core/window.h"
#include "t/tap.h"
#include "t/throttle/throttle_fixture.h"

/* In 2097: the store deletes what is long over by the true clock. */
#define START_MS INT64_C(4009075200000)
#define NODES    3
#define WINDOWS  5
#define EVENTS   60000
#define MESSAGES 2500

/* --- the store and its clock -------------------------------------------------------------- */

static struct store *store;
static char sha[41];
static int64_t true_ms; /* the store's clock */

static void script_load(void)
{
    static const char clock[] = "redis.call('TIME')",
                      ours[] = "{ math.floor(tonumber(ARGV[#ARGV]) / 1000), "
                               "tonumber(ARGV[#ARGV]) % 1000 * 1000 }";
    const char *source = throttle_script.source, *at = strstr(source, clock);
    struct buf b;
    redisReply *reply;

    while (strstr(at + 1, clock) != NULL)
        at = strstr(at + 1, clock);
    buf_init(&b, 1 << 20);
    buf_add(&b, (struct slice){source, (size_t)(at - source)});
    buf_add_str(&b, ours);
    buf_add_str(&b, at + sizeof clock - 1);
    reply = store_command(store, 3, (struct slice[]){SLICE("SCRIPT"), SLICE("LOAD"), buf_slice(&b)},
                          5000, NULL);
    if (reply == NULL || reply->type != REDIS_REPLY_STRING)
        redis_fixture_die("SCRIPT LOAD");
    (void)snprintf(sha, sizeof sha, "%s", reply->str);
    freeReplyObject(reply);
    buf_fini(&b);
}

static redisReply *command_run(const struct throttle_command *command)
{
    struct slice argv[400] = {SLICE("EVALSHA"), {sha, 40}};
    char keys[24], now[24];
    redisReply *reply;

    (void)snprintf(keys, sizeof keys, "%zu", command->keys);
    (void)snprintf(now, sizeof now, "%lld", (long long)true_ms);
    argv[2] = slice_str(keys);
    memcpy(argv + 3, command->argv, command->argc * sizeof *argv);
    argv[3 + command->argc] = slice_str(now);
    reply = store_command(store, command->argc + 4, argv, 5000, NULL);
    if (reply == NULL)
        redis_fixture_die("no reply");
    return reply;
}

/* --- what has passed ---------------------------------------------------------------------- */

struct event {
    int64_t ms;
    uint64_t amount;
};

/* One window with its limit, and the truth about it. */
struct truth {
    const char *holder, *subject, *name;
    struct want want;
    struct event events[EVENTS];
    size_t count, first;
    uint64_t debt;      /* what was leased when the store lost it */
    int64_t told_slice; /* of the last soft event */
};

static struct truth *truths;
static unsigned more_than_max, soft_twice, soft_missed;

static int64_t slice_at(int64_t window_ms, int64_t ms)
{
    return ms / window_ms * WINDOW_SLICES + ms % window_ms * WINDOW_SLICES / window_ms;
}

/* What counts now: in the window; or as the store counts, in whole slices. */
static uint64_t truth_used(struct truth *w, bool slices)
{
    int64_t length = w->want.limit.window_ms;
    int64_t from = length == LIMIT_WINDOW_MONTH ? 0
                   : slices ? window_slice_start(length, slice_at(length, true_ms) - WINDOW_SLICES)
                            : true_ms - length + 1;
    uint64_t sum = 0;

    for (size_t i = w->count; i > w->first && w->events[i - 1].ms >= from; i--)
        sum += w->events[i - 1].amount;
    return sum;
}

static void soft_check(struct truth *w, const struct test_answer *a)
{
    const struct limit *l = &w->want.limit;
    int64_t slice = l->window_ms == LIMIT_WINDOW_MONTH ? 1 : slice_at(l->window_ms, true_ms);

    if (l->soft_percent == 0)
        return;
    if (a->soft && w->told_slice != 0 && slice - w->told_slice <= WINDOW_SLICES)
        soft_twice++;
    if (a->soft)
        w->told_slice = slice;
    if (truth_used(w, false) * 100 >= (l->max + w->debt) * l->soft_percent + w->debt * 100 &&
        (w->told_slice == 0 || slice - w->told_slice > WINDOW_SLICES + 1))
        soft_missed++;
}

static void truth_add(struct truth *w, uint64_t amount, const struct test_answer *a)
{
    if (w->count == EVENTS)
        redis_fixture_die("too many events");
    w->events[w->count++] = (struct event){true_ms, amount};
    if (truth_used(w, false) > w->want.limit.max + w->debt)
        more_than_max++;
    soft_check(w, a);
}

static void truths_make(const uint64_t max[WINDOWS])
{
    static const struct {
        const char *holder, *subject, *name;
        unsigned soft;
    } rows[WINDOWS] = {{"a.example", "", "domain/recipients/10min", 80},
                       {"a.example", "", "domain/messages/day", 0},
                       {"a.example", "u@a.example", "user/recipients/hour", 50},
                       {"@server", "", "server/messages/90s", 0},
                       {"b.example", "", "domain/bytes/month", 0}};

    redis_run("FLUSHALL");
    script_load();
    memset(truths, 0, WINDOWS * sizeof *truths);
    for (size_t i = 0; i < WINDOWS; i++) {
        struct truth *w = &truths[i];

        want_set(&w->want, rows[i].holder, rows[i].name, max[i], 1);
        w->want.limit.soft_percent = rows[i].soft;
        w->want.check.subject = slice_str(rows[i].subject);
    }
}

/* --- nodes -------------------------------------------------------------------------------- */

struct node {
    struct leases *leases;
    int64_t ahead_ms; /* of its clock */
    int64_t ppm;      /* how much faster that goes */
};

/* soft_missed: not where the reply that told it was lost */
struct world {
    struct node nodes[NODES];
    size_t count;
    unsigned seed, trips, passed, refused;
    unsigned lossy; /* so many of 1000 trips are lost */
    bool is_lost;   /* something was */
    unsigned depth;
};

static unsigned below(struct world *w, unsigned n)
{
    return (unsigned)rand_r(&w->seed) % n;
}

static int64_t clock_of(const struct node *n)
{
    int64_t past = true_ms - START_MS;

    return past + past * n->ppm / 1000000 + n->ahead_ms;
}

static void world_open(struct world *w, unsigned seed, size_t count)
{
    *w = (struct world){.seed = seed, .count = count};
    true_ms = START_MS + seed * 7919;
    for (size_t i = 0; i < count; i++)
        w->nodes[i] = (struct node){.leases = leases_new(NULL),
                                    .ahead_ms = (int64_t)below(w, 1000000) + 100000,
                                    .ppm = (int64_t)below(w, 1001) - 500};
}

static void world_close(struct world *w)
{
    for (size_t i = 0; i < w->count; i++)
        leases_free(w->nodes[i].leases);
}

struct asking {
    struct throttle_request request;
    struct throttle_lease leases[LEASE_BATCH];
    struct test_answer answers[WINDOWS];
    struct throttle_call *call;
};

/* True: the reply has come. */
static bool trip(struct world *w, struct asking *q, const struct limit_checks *d,
                 struct arena *arena)
{
    unsigned luck = below(w, 1000);
    const struct throttle_command *command;
    redisReply *reply;
    int result;

    q->request = (struct throttle_request){.prefix = "tg",
                                           .consume = true,
                                           .now_ms = true_ms,
                                           .leases = q->leases,
                                           .lease_part = LEASE_PART * w->count};
    q->call = throttle_call_begin(&q->request, d, arena, q->answers, NULL);
    true_ms += below(w, 4);
    w->trips++;
    if (luck < w->lossy) {
        w->is_lost = true;
        return false;
    }
    if (throttle_call_due(q->call, &command) != 1)
        redis_fixture_die("more than one command");
    reply = command_run(command);
    result = throttle_call_take(q->call, &reply, NULL);
    if (result != 0)
        printf("# %s\n", reply->str == NULL ? "?" : reply->str);
    freeReplyObject(reply);
    if (result != 0 || throttle_call_due(q->call, &command) != 0)
        redis_fixture_die("a reply that is none");
    if (luck < 2 * w->lossy)
        w->is_lost = true;
    return luck >= 2 * w->lossy;
}

static void send_one(struct world *w, size_t node);

/* The checks of a message: amounts of some of the windows. */
static void checks_make(struct world *w, struct limit_checks *d, size_t at[WINDOWS])
{
    for (size_t i = 0; i < WINDOWS; i++) {
        bool wanted = i == 0 || below(w, 3) > 0;

        if (!wanted || d->count == WINDOWS)
            continue;
        at[d->count] = i;
        d->list[d->count] = truths[i].want.check;
        d->list[d->count].tests = truths[i].want.tests;
        d->list[d->count].amount =
            truths[i].want.limit.metric == METRIC_BYTES ? 1 + below(w, 5000) : 1 + below(w, 3);
        d->count++;
    }
    d->test_count = d->count;
}

static void passed(struct world *w, const struct limit_checks *d, const size_t at[WINDOWS],
                   const struct test_answer *answers)
{
    w->passed++;
    for (size_t i = 0; i < d->count; i++)
        truth_add(&truths[at[i]], d->list[i].amount, &answers[i]);
}

static void send_by_trip(struct world *w, struct node *n, struct limit_checks *d,
                         const size_t at[WINDOWS], struct arena *arena)
{
    int64_t asked_ms = clock_of(n);
    struct asking q;
    bool fits = true;

    leases_ask(n->leases, d, asked_ms, q.leases);
    if (!trip(w, &q, d, arena)) {
        leases_fail(n->leases, d, q.leases);
        return;
    }
    for (size_t i = 0; i < d->count; i++)
        fits = fits && !q.answers[i].over;
    if (fits)
        passed(w, d, at, q.answers);
    w->refused += !fits;
    /* the reply is on its way: other messages come in between */
    for (unsigned i = below(w, 3); i > 0 && w->depth < 3; i--)
        send_one(w, below(w, (unsigned)w->count));
    true_ms += below(w, 4);
    leases_take(n->leases, d, q.leases, q.answers, fits, asked_ms, throttle_call_now_ms(q.call));
}

static void send_one(struct world *w, size_t node)
{
    struct node *n = &w->nodes[node];
    struct limit_check list[WINDOWS];
    struct limit_checks d = {.list = list};
    struct test_answer answers[WINDOWS];
    size_t at[WINDOWS];
    struct arena arena;

    w->depth++;
    arena_init(&arena, 1 << 20);
    checks_make(w, &d, at);
    if (leases_use(n->leases, &d, true, clock_of(n), answers))
        passed(w, &d, at, answers);
    else
        send_by_trip(w, n, &d, at, &arena);
    arena_fini(&arena);
    w->depth--;
}

static void give_back(struct world *w, struct node *n, bool all)
{
    size_t from = 0;
    struct limit_checks d;
    struct asking q;
    struct arena arena;

    arena_init(&arena, 1 << 20);
    while (leases_give_back(n->leases, clock_of(n), all, &from, &arena, &d, q.leases))
        (void)trip(w, &q, &d, &arena);
    arena_fini(&arena);
}

static uint64_t store_sum(const struct truth *w)
{
    const struct limit_check *d = &w->want.check;
    char command[200];
    redisReply *reply;
    uint64_t sum;

    (void)snprintf(command, sizeof command, "HGET tg:{%.*s}:window:%s:%.*s%s%.*s s",
                   SLICE_FMT(d->holder), limit_metric_name(d->metric), SLICE_FMT(d->per),
                   d->subject.len > 0 ? ":" : "", SLICE_FMT(d->subject));
    reply = redis_do(command);
    sum = reply->str == NULL ? 0 : strtoull(reply->str, NULL, 10);
    freeReplyObject(reply);
    return sum;
}

/* Windows begin empty; what is leased at that moment may still be used. */
static void store_lost(struct world *w)
{
    for (size_t i = 0; i < WINDOWS; i++) {
        uint64_t sum = store_sum(&truths[i]), used = truth_used(&truths[i], true);

        truths[i].debt = sum > used ? sum - used : 0;
        truths[i].first = truths[i].count;
        truths[i].told_slice = 0;
    }
    redis_run("FLUSHALL");
    script_load();
    w->is_lost = true;
}

static void traffic(struct world *w, unsigned pause_ms, unsigned messages, bool crashes)
{
    for (unsigned i = 0; i < messages; i++) {
        struct node *n = &w->nodes[below(w, (unsigned)w->count)];

        true_ms += below(w, 100) == 0 ? below(w, 900000) : below(w, pause_ms);
        send_one(w, below(w, (unsigned)w->count));
        if (below(w, 20) == 0)
            give_back(w, n, false);
        if (crashes && below(w, 100) == 0) {
            leases_free(n->leases);
            n->leases = leases_new(NULL);
            w->is_lost = true;
        }
        if (crashes && below(w, 700) == 0)
            store_lost(w);
    }
}

/* An amount of all windows' last room: it fits; and 1 more does not. */
static unsigned differences(struct world *w)
{
    unsigned faults = 0;

    for (size_t i = 0; i < w->count; i++)
        give_back(w, &w->nodes[i], true);
    for (size_t i = 0; i < WINDOWS; i++) {
        uint64_t used = truth_used(&truths[i], true);

        for (uint64_t more = 0; more < 2; more++) {
            struct limit_check check = truths[i].want.check;
            struct limit_checks d = {.list = &check, .count = 1, .test_count = 1};
            struct throttle_request request = {.prefix = "tg", .now_ms = true_ms};
            const struct throttle_command *command;
            struct test_answer answer;
            struct throttle_call *call;
            struct arena arena;
            redisReply *reply;

            check.tests = truths[i].want.tests;
            check.amount = truths[i].want.limit.max - used + more;
            arena_init(&arena, 1 << 20);
            call = throttle_call_begin(&request, &d, &arena, &answer, NULL);
            (void)throttle_call_due(call, &command);
            reply = command_run(command);
            if (throttle_call_take(call, &reply, NULL) != 0)
                redis_fixture_die("look");
            freeReplyObject(reply);
            arena_fini(&arena);
            if (w->is_lost ? more == 1 && !answer.over && truths[i].debt == 0
                           : answer.over != (more == 1) || answer.used != used)
                faults++;
        }
    }
    return faults;
}

static void run(const char *what, unsigned seed, size_t nodes, unsigned lossy, bool crashes,
                const uint64_t max[WINDOWS], unsigned pause_ms)
{
    struct world w;
    unsigned faults;

    truths_make(max);
    world_open(&w, seed, nodes);
    w.lossy = lossy;
    more_than_max = soft_twice = soft_missed = 0;
    traffic(&w, pause_ms, MESSAGES, crashes);
    w.lossy = 0;
    faults = differences(&w);
    printf("# %s: %u passed, %u refused, %u trips\n", what, w.passed, w.refused, w.trips);
    OK(w.passed > 0 && w.refused > 0, "some pass, some are refused");
    IS_INT(more_than_max, 0, what);
    IS_INT(faults, 0, "when the leases are back the store has counted what passed");
    IS_INT(soft_twice + (w.is_lost ? 0 : soft_missed), 0, "a soft event comes once a window");
    world_close(&w);
}

/* --- how much it spares ------------------------------------------------------------------- */

static void test_trips(void)
{
    const uint64_t wide[WINDOWS] = {1000000, 1000000, 1000000, 1000000, UINT64_C(1) << 40};
    struct world w;

    truths_make(wide);
    world_open(&w, 77, 2);
    w.depth = 3; /* no trips in between */
    for (int i = 0; i < 4000; i++) {
        true_ms += below(&w, 20);
        send_one(&w, below(&w, 2));
    }
    IS_INT(w.passed, 4000, "far below the limits all pass");
    OK(w.trips < 4000 / 10, "most without a trip");
    printf("# %u trips\n", w.trips);
    world_close(&w);
}

int main(void)
{
    throttle_fixture_start();
    truths = calloc(WINDOWS, sizeof *truths);
    store = store_new(&settings, NULL);
    test_trips();
    run("two nodes", 1, 2, 0, false, (const uint64_t[]){300, 900, 500, 80, 3000000}, 600);
    run("three nodes", 2, 3, 0, false, (const uint64_t[]){900, 2000, 1500, 120, 3000000}, 300);
    run("wide limits", 6, 2, 0, false, (const uint64_t[]){3000, 20000, 3000, 600, 3000000}, 100);
    run("near the limits", 3, 2, 0, false, (const uint64_t[]){30, 200, 60, 9, 60000}, 3000);
    run("lost trips", 4, 3, 30, false, (const uint64_t[]){900, 2000, 1500, 120, 3000000}, 300);
    run("crashes, and the store lost", 5, 3, 20, true,
        (const uint64_t[]){900, 2000, 1500, 120, 3000000}, 300);
    store_free(store);
    free(truths);
    throttle_fixture_stop();
    return tap_done();
}
