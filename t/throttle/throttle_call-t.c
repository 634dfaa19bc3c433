/* throttle_call: without a store: which commands are due, and what replies make of them. */
#include "lib/throttle/throttle_call.h"

#include <string.h>
#include <sysexits.h>

#include "t/tap.h"

#define NOW_MS  INT64_C(1795000000000)
#define FIELDS  32
#define HOLDERS 2

static struct arena memory;

/* --- replies ------------------------------------------------------------------------------ */

struct reply {
    redisReply reply, values[FIELDS], *elements[FIELDS];
};

static redisReply *numbers(struct reply *r, size_t count, const long long *values)
{
    for (size_t i = 0; i < count; i++) {
        r->values[i] = (redisReply){.type = REDIS_REPLY_INTEGER, .integer = values[i]};
        r->elements[i] = &r->values[i];
    }
    r->reply = (redisReply){.type = REDIS_REPLY_ARRAY, .elements = count, .element = r->elements};
    return &r->reply;
}

/* One holder's answer: state, and for its only test used and whether that is over. */
static redisReply *answer(struct reply *r, long long state, long long used, long long over)
{
    return numbers(r, 8, (const long long[]){NOW_MS, state, used, over, over, 0, over, 0});
}

static redisReply *done(struct reply *r)
{
    return numbers(r, 2, (const long long[]){NOW_MS, 0});
}

static redisReply *error(struct reply *r, char *text)
{
    r->reply = (redisReply){.type = REDIS_REPLY_ERROR, .str = text, .len = strlen(text)};
    return &r->reply;
}

/* --- messages ----------------------------------------------------------------------------- */

struct message {
    struct throttle_request request;
    struct limit limit[HOLDERS];
    const struct limit *tests[HOLDERS][1];
    struct limit_check list[HOLDERS];
    struct limit_checks d;
    struct test_answer answers[HOLDERS];
    struct throttle_call *call;
    struct err err;
};

/* Of a domain and the server, each with one limit. */
static void begin(struct message *m, bool is_apart, enum limit_action of_server)
{
    static const struct slice holders[] = {SLICE("a.example"), SLICE("@server")};

    *m = (struct message){
        .request = {.prefix = "tg", .consume = true, .is_apart = is_apart, .now_ms = NOW_MS}};
    (void)snprintf(m->request.id, sizeof m->request.id, "run.1");
    for (size_t i = 0; i < HOLDERS; i++) {
        m->limit[i] = (struct limit){.max = 10, .action = i == 0 ? ACTION_DEFER : of_server};
        m->tests[i][0] = &m->limit[i];
        m->list[i] = (struct limit_check){.window_ms = 3600000,
                                          .metric = METRIC_MESSAGES,
                                          .per = SLICE("hour"),
                                          .holder = holders[i],
                                          .amount = 1,
                                          .stops = true,
                                          .tests = m->tests[i],
                                          .test_count = 1};
    }
    m->d = (struct limit_checks){.list = m->list, .count = HOLDERS, .test_count = HOLDERS};
    m->call = throttle_call_begin(&m->request, &m->d, &memory, m->answers, &m->err);
}

/* The modes of the commands that are due, "mode keys" each. */
static void due(const struct message *m, const char *expected, const char *what)
{
    const struct throttle_command *commands = NULL;
    size_t count = throttle_call_due(m->call, &commands);
    struct buf b;

    buf_init(&b, 1024);
    for (size_t i = 0; i < count; i++)
        buf_addf(&b, "%s%.*s %zu", i == 0 ? "" : ", ",
                 SLICE_FMT(commands[i].argv[commands[i].keys]), commands[i].keys);
    IS_SLICE(buf_slice(&b), slice_str(expected), what);
    buf_fini(&b);
}

static int take(struct message *m, redisReply *a, redisReply *b)
{
    return throttle_call_take(m->call, (redisReply *const[]){a, b}, &m->err);
}

static void test_together(void)
{
    struct message m;
    struct reply r;

    begin(&m, false, ACTION_DEFER);
    due(&m, "consume 2", "one command for all holders");
    IS_INT(take(&m,
                numbers(&r, 14,
                        (const long long[]){NOW_MS + 7, 1, 3, 0, 0, 0, 0, 0, 10, 1, 1, 0, 99, 99}),
                NULL),
           0, "its reply");
    due(&m, "", "nothing more is due");
    OK(m.answers[0].used == 3 && !m.answers[0].over && m.answers[1].over && m.answers[1].crossing &&
           m.answers[1].retry_after_ms == 99,
       "an answer for each test");
    IS_INT(throttle_call_now_ms(m.call), NOW_MS + 7, "and the store's clock");
    begin(&m, false, ACTION_DEFER);
    IS_INT(take(&m, numbers(&r, 4, (const long long[]){NOW_MS, 0, 3, 4}), NULL), 0,
           "a short reply");
    OK(m.answers[0].used == 3 && m.answers[1].used == 4 && !m.answers[0].over &&
           m.answers[1].retry_after_ms == 0,
       "tells what is used, and that nothing is over");
}

static void test_apart(void)
{
    char cross_slot[] = "CROSSSLOT Keys in request don't hash to the same slot";
    struct reply r[HOLDERS];
    struct message m;

    begin(&m, false, ACTION_DEFER);
    IS_INT(take(&m, error(&r[0], cross_slot), NULL), 0, "a cluster refuses the one command");
    OK(throttle_call_is_apart(m.call), "which is told");
    due(&m, "look 1, look 1", "all are looked at");
    IS_INT(take(&m, answer(&r[0], 0, 1, 0), answer(&r[1], 0, 2, 0)), 0, "both fit");
    due(&m, "reserve run.1 5000 1, reserve run.1 5000 1", "so both reserve");
    IS_INT(take(&m, answer(&r[0], 0, 1, 0), answer(&r[1], 0, 2, 0)), 0, "both have");
    due(&m, "keep run.1 1, keep run.1 1", "and keep");
    IS_INT(take(&m, done(&r[0]), done(&r[1])), 0, "both kept");
    due(&m, "", "nothing more is due");
    OK(m.answers[0].used == 1 && m.answers[1].used == 2 && !m.answers[1].over, "the answers");
}

static void test_given_back(void)
{
    struct reply r[HOLDERS];
    struct message m;

    begin(&m, true, ACTION_DEFER);
    IS_INT(take(&m, answer(&r[0], 0, 1, 0), answer(&r[1], 0, 2, 0)), 0, "both fit");
    OK(!throttle_call_is_answered(m.call), "there is no answer yet");
    IS_INT(take(&m, answer(&r[0], 0, 1, 0), answer(&r[1], 1, 10, 1)), 0, "one was overtaken");
    due(&m, "back run.1 1", "the other gives back");
    OK(throttle_call_is_answered(m.call) && m.answers[1].over, "the answer is there before");
    IS_INT(take(&m, done(&r[0]), NULL), 0, "given back");
    due(&m, "", "nothing more is due");
    begin(&m, true, ACTION_DEFER);
    IS_INT(take(&m, answer(&r[0], 1, 10, 1), answer(&r[1], 0, 2, 0)), 0, "one refuses");
    due(&m, "", "which ends it at the look");
}

static void test_one_decides(void)
{
    struct reply r[HOLDERS];
    struct message m;

    begin(&m, true, ACTION_LOG);
    IS_INT(take(&m, answer(&r[0], 0, 1, 0), answer(&r[1], 0, 10, 1)), 0, "one that only logs");
    due(&m, "consume 1", "the other decides");
    IS_INT(take(&m, answer(&r[0], 0, 1, 0), NULL), 0, "and has consumed");
    due(&m, "consume 1", "then the one that logs");
    IS_INT(take(&m, answer(&r[1], 0, 10, 1), NULL), 0, "consumes");
    due(&m, "", "nothing more is due");
}

static void test_errors(void)
{
    char oom[] = "OOM command not allowed";
    struct reply r[HOLDERS];
    struct message m;

    begin(&m, false, ACTION_DEFER);
    OK(take(&m, error(&r[0], oom), NULL) == -1 && m.err.code == EX_TEMPFAIL &&
           strstr(m.err.text, oom) != NULL,
       "an error reply");
    begin(&m, false, ACTION_DEFER);
    IS_INT(take(&m, answer(&r[0], 0, 1, 0), NULL), -1, "an answer that is too short");
    begin(&m, false, ACTION_DEFER);
    IS_INT(take(&m, numbers(&r[0], 2, (const long long[]){NOW_MS, -1}), NULL), 0, "another month");
    due(&m, "consume 2", "is asked about again");
    IS_INT(take(&m, numbers(&r[0], 2, (const long long[]){NOW_MS, -1}), NULL), -1, "once");
}

int main(void)
{
    arena_init(&memory, 1 << 20);
    test_together();
    test_apart();
    test_given_back();
    test_one_decides();
    test_errors();
    arena_fini(&memory);
    return tap_done();
}
