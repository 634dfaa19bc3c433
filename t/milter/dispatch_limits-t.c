/* dispatch with limits behind an engine that serves many connections in one thread: all ask the
 * store at once, over one connection, and none waits longer than store.timeout. */
#include "t/tap.h"

#include <poll.h>
#include <signal.h>

#include "lib/redis/link.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/throttle/throttle.h"
#include "lib/throttle/violation_log.h"
#include "t/milter/dispatch_fixture.h"
#include "t/redis/redis_fixture.h"

enum { LATE_MS = 6000, QUESTION_MS = 9000, LEFT_MS = 4000 };
enum { MANY = 40, MAX = 10, WAIT_MS = 30000, TIMEOUT_MS = 400, SLACK_MS = 5000 };

static struct redis_fixture redis;
static struct dispatch dispatch;
static struct journal *journal;
static struct errands *errands;
static struct throttle *throttle;
static struct violation_log *violations;
static struct settings settings; /* of the store, for the test's own commands */
static char url[128];
static const char *mode = "enforce";

struct peer {
    struct dispatch_connection *c;
    struct session_action last;
    unsigned resumed;
};

static void resumed(void *context, struct session_action a)
{
    struct peer *p = context;

    p->last = a;
    p->resumed++;
}

static redisReply *redis_do(const char *text)
{
    struct slice rest = slice_str(text), argv[16];
    struct store *st = store_new(&settings, NULL);
    redisReply *reply;
    size_t argc = 0;

    while (slice_word(&rest, " ", &argv[argc]))
        argc++;
    reply = store_command(st, argc, argv, WAIT_MS, NULL);
    store_free(st);
    if (reply == NULL)
        redis_fixture_die(text);
    return reply;
}

static void redis_run(const char *text)
{
    freeReplyObject(redis_do(text));
}

/* How often a command ran since CONFIG RESETSTAT. */
static long redis_calls(const char *command)
{
    redisReply *info = redis_do("INFO commandstats");
    char name[64];
    const char *at;
    long calls;

    (void)snprintf(name, sizeof name, "cmdstat_%s:calls=", command);
    at = strstr(info->str, name);
    calls = at == NULL ? 0 : strtol(at + strlen(name), NULL, 10);
    freeReplyObject(info);
    return calls;
}

static void start(const char *on_failure, int timeout_ms)
{
    char more[512];
    struct err err = {0};
    struct snapshot *s;

    (void)snprintf(more, sizeof more,
                   "store: { url = \"%s\"; timeout = \"%dms\"; on_failure = \"%s\"; };"
                   "throttle: { mode = \"%s\"; };"
                   "plans = ( { name = \"default\"; limits = ( { scope = \"domain\"; metric = "
                   "\"messages\"; max = \"10\"; per = \"hour\"; action = \"defer\"; } ); },"
                   " { name = \"small\"; limits = ( { scope = \"domain\"; metric = \"messages\"; "
                   "max = \"3\"; per = \"hour\"; action = \"defer\"; } ); } );",
                   url, timeout_ms, on_failure, mode);
    s = dispatch_fixture_snapshot(more);
    journal = fixture_open(0, SYNC_NEVER);
    throttle = throttle_new(s->settings, &err);
    violations = violation_log_new(s->settings, &err);
    if (throttle == NULL || violations == NULL)
        redis_fixture_die(err.text);
    dispatch_init(&dispatch, &(struct dispatch_parts){.journal = journal,
                                                      .snapshot = s,
                                                      .throttle = throttle,
                                                      .violations = violations});
    errands = dispatch_errands_new(&dispatch, &err);
}

static void stop(void)
{
    OK(errands_free(errands, WAIT_MS), "no errand is left");
    OK(dispatch_close(&dispatch, 0), "nor a call");
    dispatch_detach(&dispatch, true);
    IS_INT(atomic_load(&dispatch.open_messages), 0, "nor a message");
    dispatch_fixture_free(&dispatch);
    violation_log_free(violations);
    throttle_free(throttle);
    journal_close(journal);
    fixture_clear();
}

static void enter(struct peer *p)
{
    struct session_client client = {.host = SLICE("client.test"), .family = FAMILY_UNIX};

    *p = (struct peer){.c = dispatch_enter(&dispatch)};
    dispatch_wait_with(p->c, &(struct dispatch_waiter){errands, resumed, p});
    (void)dispatch_connect(p->c, &client, &(struct session_macros){.queue_id = SLICE_NONE});
}

static bool run_until_answered(const struct peer *p)
{
    struct pollfd poller = {.fd = errands_fd(errands), .events = POLLIN};

    while (p->last.what == SESSION_WAIT && poll(&poller, 1, WAIT_MS) == 1)
        errands_run(errands);
    return p->last.what != SESSION_WAIT;
}

static const struct session_macros macros = {.queue_id = {"Q1", 2},
                                             .auth_authen = {"alice@example.com", 17}};

/* A message of the domain's, up to its recipient. */
static void begin(struct peer *p)
{
    p->last = dispatch_mail(p->c, SLICE("<alice@example.com>"), &macros);
    p->last = dispatch_rcpt(p->c, SLICE("<x@far.test>"), &macros);
    (void)run_until_answered(p);
    p->resumed = 0;
}

static void say(struct peer *p)
{
    begin(p);
    if (p->last.what == SESSION_CONTINUE)
        p->last = dispatch_end(p->c, &macros);
}

static unsigned say_many(struct peer *peers, unsigned *refused)
{
    unsigned accepted = 0, waited = 0;

    *refused = 0;
    for (int i = 0; i < MANY; i++) {
        say(&peers[i]);
        waited += peers[i].last.what == SESSION_WAIT;
    }
    OK(waited > 1, "many wait at once");
    for (int i = 0; i < MANY; i++) {
        TG_ASSERT(run_until_answered(&peers[i]));
        accepted += peers[i].last.what == SESSION_CONTINUE;
        *refused += peers[i].last.what == SESSION_REPLY && strcmp(peers[i].last.code, "450") == 0;
    }
    return accepted;
}

static void enter_all(struct peer *peers)
{
    for (int i = 0; i < MANY; i++)
        enter(&peers[i]);
}

static void leave_all(struct peer *peers)
{
    for (int i = 0; i < MANY; i++)
        dispatch_leave(peers[i].c);
}

static void test_many(void)
{
    static struct peer peers[MANY];
    unsigned refused;

    start("local", 10000);
    enter_all(peers);
    redis_run("CONFIG RESETSTAT");
    IS_INT(say_many(peers, &refused), MAX, "as many as the limit are accepted");
    IS_INT(refused, MANY - MAX, "the others are deferred");
    IS_INT(redis_calls("hgetall"), 3, "the limits of domain, server and clients: asked for once");
    leave_all(peers);
    stop();
}

static void test_limits_first(void)
{
    static struct peer peers[MANY];
    unsigned refused;

    redis_run("FLUSHALL");
    redis_run("SET tg:{example.com}:plan small");
    start("local", 10000);
    enter_all(peers);
    IS_INT(say_many(peers, &refused), 3, "the first messages wait for what the store says of them");
    leave_all(peers);
    stop();
}

static void test_away(void)
{
    static struct peer peers[MANY];
    unsigned refused;
    int64_t begin_ms;

    redis_run("FLUSHALL");
    start("accept", TIMEOUT_MS);
    enter_all(peers);
    say(&peers[0]);
    OK(run_until_answered(&peers[0]) && peers[0].last.what == SESSION_CONTINUE, "a message");
    (void)kill(redis.pid, SIGSTOP);
    begin_ms = clock_monotonic_ms();
    IS_INT(say_many(peers, &refused), MANY, "the store is silent: all are accepted");
    OK(clock_monotonic_ms() - begin_ms < TIMEOUT_MS + SLACK_MS, "in time");
    OK(throttle_is_away(throttle), "the store is away");
    say(&peers[0]);
    OK(peers[0].last.what == SESSION_CONTINUE && peers[0].resumed == 0, "then nobody waits");
    (void)kill(redis.pid, SIGCONT);
    leave_all(peers);
    stop();
}

static void test_left(void)
{
    struct peer p;
    uint64_t next;

    redis_run("FLUSHALL");
    start("accept", LEFT_MS);
    enter(&p);
    begin(&p);
    (void)kill(redis.pid, SIGSTOP);
    p.last = dispatch_end(p.c, &macros);
    IS_INT(p.last.what, SESSION_WAIT, "a message waits");
    dispatch_leave(p.c);
    OK(!dispatch_close(&dispatch, 10), "what it uses is not let go yet");
    atomic_store(&dispatch.closed, false);
    OK(errands_free(errands, WAIT_MS), "until its time is over");
    errands = NULL;
    (void)kill(redis.pid, SIGCONT);
    (void)journal_now(journal, &next);
    IS_INT(next, 1, "it counts nowhere");
    stop();
}

/* The store has consumed for a message whose MTA went away meanwhile. */
static void test_given_up(void)
{
    struct peer stays, goes;
    redisReply *used;

    redis_run("FLUSHALL");
    start("accept", 10000);
    enter(&stays);
    enter(&goes);
    say(&stays);
    OK(run_until_answered(&stays) && stays.last.what == SESSION_CONTINUE, "a message");
    begin(&goes);
    (void)kill(redis.pid, SIGSTOP);
    goes.last = dispatch_end(goes.c, &macros);
    IS_INT(goes.last.what, SESSION_WAIT, "another waits");
    dispatch_leave(goes.c);
    (void)kill(redis.pid, SIGCONT);
    OK(errands_free(errands, WAIT_MS), "the store answers");
    errands = NULL;
    dispatch_leave(stays.c);
    stop();
    used = redis_do("HGET tg:{example.com}:window:messages:hour s");
    IS_INT(used->str == NULL ? -1 : atol(used->str), 1, "what it consumed is given back");
    freeReplyObject(used);
}

/* Refused until it is known for that moment that the window is full: that is forgotten after a
 * second, which a slow machine may take to get here. */
static bool is_known_full(struct peer *p)
{
    for (int i = 0; i < MANY; i++) {
        say(p);
        TG_ASSERT(run_until_answered(p) && p->last.what == SESSION_REPLY);
        if (!dispatch_quiet(&dispatch).rcpt)
            return true;
    }
    return false;
}

/* A connection that begins now hears what is said at RCPT where that may be a refusal. */
static void test_quiet(void)
{
    static struct peer peers[MANY];
    const struct session_macros outside = {.queue_id = SLICE("Q1")};
    unsigned refused;
    struct peer p;

    redis_run("FLUSHALL");
    redis_run("HSET tg:{example.com}:limits domain/bounces/hour max=5");
    start("local", 10000);
    OK(dispatch_quiet(&dispatch).rcpt, "no window is full");
    enter_all(peers);
    (void)say_many(peers, &refused);
    OK(is_known_full(&peers[0]), "one is");
    leave_all(peers);
    stop();
    start("local", 10000);
    OK(dispatch_quiet(&dispatch).rcpt, "no limit on bounces is known");
    enter(&p);
    dispatch_unheard(p.c, (struct dispatch_quiet){true, true});
    redis_run("CONFIG RESETSTAT");
    (void)dispatch_mail(p.c, SLICE("<>"), &outside);
    p.last = dispatch_rcpt(p.c, SLICE("<bob@example.com>"), &outside);
    IS_INT(p.last.what, SESSION_CONTINUE, "a bounce's recipient whose refusal nobody would hear");
    IS_INT(redis_calls("evalsha"), 0, "is not looked at");
    p.last = dispatch_end(p.c, &outside);
    OK(run_until_answered(&p) && p.last.what == SESSION_CONTINUE, "but at the end");
    OK(!dispatch_quiet(&dispatch).rcpt, "from then on RCPT is answered");
    dispatch_leave(p.c);
    stop();
}

/* Limits that take nearly all of the time, and a throttle that does not answer: both have it
 * together. */
static void test_one_deadline(void)
{
    struct peer p;
    int64_t begun_ms;

    redis_run("FLUSHALL");
    mode = "observe"; /* nothing is asked for at RCPT */
    start("accept", QUESTION_MS);
    enter(&p);
    redis_run("CLIENT PAUSE 20000 WRITE"); /* of scripts, too */
    (void)kill(redis.pid, SIGSTOP);
    begun_ms = clock_monotonic_ms();
    say(&p);
    IS_INT(p.last.what, SESSION_WAIT, "a message waits for its limits");
    clock_sleep_ms(LATE_MS);
    (void)kill(redis.pid, SIGCONT);
    OK(run_until_answered(&p) && p.last.what == SESSION_CONTINUE, "it is accepted");
    OK(redis_calls("hgetall") > 0, "its limits came");
    OK(clock_monotonic_ms() - begun_ms < LATE_MS + QUESTION_MS - 1000, "one deadline, not two");
    redis_run("CLIENT UNPAUSE");
    dispatch_leave(p.c);
    stop();
}

int main(void)
{
    fixture_init();
    log_open("dispatch_limits-t", LOG_TARGET_STDERR, LOG_MAIL, LOG_CRIT);
    redis_fixture_start(&redis);
    (void)snprintf(url, sizeof url, "unix://%s", redis.socket);
    settings.state_dir = "/nonexistent";
    settings.store.url = url;
    settings.store.username = settings.store.password_file = "";
    test_many();
    test_limits_first();
    test_away();
    test_left();
    test_given_up();
    test_quiet();
    test_one_deadline();
    redis_fixture_stop(&redis);
    fixture_fini();
    return tap_done();
}
