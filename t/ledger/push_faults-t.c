#include <sysexits.h>

#include "t/ledger/push_fixture.h"

/* A Redis that loses what it was given, refuses it, or is not what it should be. */

int __real_store_pipe_run(struct store *st, redisReply **replies, int64_t timeout_ms,
                          struct err *e);
int __wrap_store_pipe_run(struct store *st, redisReply **replies, int64_t timeout_ms,
                          struct err *e);

static bool is_answer_lost; /* of the trip that writes the node's hash */

static bool is_hash_there(void)
{
    redisReply *r = command("EXISTS|tg:{@mx1}:node");
    bool is_there = r->integer == 1;

    freeReplyObject(r);
    return is_there;
}

int __wrap_store_pipe_run(struct store *st, redisReply **replies, int64_t timeout_ms, struct err *e)
{
    size_t count = store_pipe_count(st);
    int rc = __real_store_pipe_run(st, replies, timeout_ms, e);

    if (rc < 0 || !is_answer_lost || !is_hash_there())
        return rc;
    is_answer_lost = false;
    for (size_t i = 0; i < count; i++) {
        freeReplyObject(replies[i]);
        replies[i] = NULL;
    }
    return err_set(e, EX_UNAVAILABLE, "the answer is lost");
}

static void test_flushed(void)
{
    struct node n, other;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    node_open(&other, "b.db", "mx2", SCRUB_MS);
    count_total(&n, "example.com", "in_messages 2", 5);
    OK(push_all(&other) && push_all(&n), "pushed");
    IS_INT(push_findings(n.push)->losses, 0, "nothing lost so far");
    run("FLUSHALL");
    push_finish(n.push, false);
    OK(push_step(n.push, &n.now, 100, &err) >= 0, "the step that finds out");
    is_text("HGET|tg:{@mx1}:node|pushed_through", "0");
    is_number("SISMEMBER|tg:nodes|mx2", 1);
    OK(push_all(&n), "the steps that bring it back");
    is_text("HGET|tg:{example.com}:total|in_messages", "2");
    is_text("HGET|tg:{@mx1}:node|pushed_through", "1763729999");
    is_text("GET|tg:schema", "1");
    is_number("SISMEMBER|tg:accounts:{0a}|example.com", 1);
    IS_INT(push_findings(n.push)->losses, 1, "reported");
    run("FLUSHALL");
    push_finish(n.push, false);
    OK(push_step(n.push, &n.now, 100, &err) >= 0, "lost, and on the way back");
    run("FLUSHALL");
    OK(push_all(&n), "lost again");
    is_number("SISMEMBER|tg:nodes|mx2", 1);
    run("SREM|tg:nodes|mx2");
    OK(push_all(&n), "written again");
    run("FLUSHALL");
    OK(push_all(&n), "and brought back");
    is_number("SISMEMBER|tg:nodes|mx2", 0);
    node_remove(&n);
    node_remove(&other);
}

/* The answer to the writing that follows a loss is lost: the hash is then as this run wrote it, and
 * the rows are still not there. */
static void test_unconfirmed(void)
{
    struct node n;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "example.com", "in_messages 2", 5);
    OK(push_all(&n), "pushed");
    run("FLUSHALL");
    push_finish(n.push, false);
    is_answer_lost = true;
    OK(push_step(n.push, &n.now, 0, &err) < 0 && !is_answer_lost, "found, but not confirmed");
    push_finish(n.push, false);
    OK(push_step(n.push, &n.now, 0, &err) >= 0, "the next writing");
    is_number("EXISTS|tg:{example.com}:total", 0);
    is_text("HGET|tg:{@mx1}:node|pushed_through", "0");
    OK(push_all(&n), "pushed again");
    is_text("HGET|tg:{example.com}:total|in_messages", "2");
    is_text("HGET|tg:{@mx1}:node|pushed_through", "1763729999");
    IS_INT(push_findings(n.push)->losses, 1, "reported once");
    node_remove(&n);
}

/* Redis comes back with what it was some time ago. */
static void test_snapshot(void)
{
    struct node n;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    n.now.counted_through = 1000;
    count_total(&n, "a.example", "in_messages 1", 5);
    OK(push_all(&n), "pushed");
    run("SAVE");
    n.now.counted_through = 2000;
    count_total(&n, "a.example", "in_messages 1", 6);
    count_total(&n, "b.example", "in_messages 1", 6);
    OK(push_all(&n), "pushed more");
    is_text("HGET|tg:{@mx1}:node|pushed_through", "2000");
    redis_fixture_kill(&redis);
    OK(!push_all(&n), "away");
    redis_fixture_run(&redis, "");
    is_text("HGET|tg:{@mx1}:node|pushed_through", "1000");
    OK(push_all_patiently(&n), "pushed again");
    is_text("HGET|tg:{a.example}:total|in_messages", "2");
    is_text("HGET|tg:{b.example}:total|in_messages", "1");
    is_text("HGET|tg:{@mx1}:node|pushed_through", "2000");
    IS_INT(push_findings(n.push)->losses, 1, "noticed");
    node_remove(&n);
}

/* Without time for a walk. */
static void steps(struct node *n)
{
    for (int i = 0; i < 6; i++) {
        OK(push_step(n->push, &n->now, 0, &err) >= 0, "a step");
        push_finish(n->push, false);
    }
}

/* Nothing is said to be there before the walk that brings it again, whichever run makes that. */
static void lost_row_is_not_said(struct node *n)
{
    steps(n);
    is_text("HGET|tg:{@mx1}:node|pushed_through", "1000");
    OK(push_all(n), "pushed again");
    is_text("HGET|tg:{a.example}:total|in_messages", "2");
    is_text("HGET|tg:{@mx1}:node|pushed_through", "2000");
    node_remove(n);
}

/* A loss was noticed, and the program killed before all was there again. */
static void test_killed_after_loss(void)
{
    struct node n;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    n.now.counted_through = 2000;
    count_total(&n, "a.example", "in_messages 2", 5);
    OK(push_all(&n), "pushed");
    run("DEL|tg:{a.example}:total");
    run("HINCRBY|tg:{@mx1}:node|_stamp|-1");
    run("HSET|tg:{@mx1}:node|pushed_through|1000");
    steps(&n);
    node_reopen(&n, "mx1");
    n.now.counted_through = 2000;
    lost_row_is_not_said(&n);
}

/* And power was lost with it: the hash alone tells of it. */
static void test_loss_forgotten(void)
{
    struct node n;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    n.now.counted_through = 2000;
    count_total(&n, "a.example", "in_messages 2", 5);
    OK(push_all(&n), "pushed");
    node_reopen(&n, "mx1");
    n.now.counted_through = 2000;
    run("DEL|tg:{a.example}:total");
    run("HINCRBY|tg:{@mx1}:node|_stamp|5");
    run("HSET|tg:{@mx1}:node|pushed_through|1000");
    lost_row_is_not_said(&n);
}

/* A new connection may be to a server that has lost something, stamp or not. */
static void test_reconnected(void)
{
    struct node n;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "example.com", "in_messages 2", 5);
    OK(push_all(&n), "pushed");
    run("DEL|tg:{example.com}:total");
    run("CLIENT|KILL|TYPE|normal");
    OK(push_all_patiently(&n), "over a new connection");
    is_text("HGET|tg:{example.com}:total|in_messages", "2");
    IS_INT(push_findings(n.push)->losses, 0, "no loss was seen");
    node_remove(&n);
}

static void test_scrub(void)
{
    struct node n;
    bool back = false;

    node_open(&n, "a.db", "mx1", 300);
    count_total(&n, "example.com", "in_messages 2", 5);
    OK(push_all(&n), "pushed");
    run("DEL|tg:{example.com}:total");
    for (int i = 0; i < 200 && !back; i++) {
        redisReply *r;

        must(push_step(n.push, &n.now, 10, &err) < 0, "step");
        r = command("EXISTS|tg:{example.com}:total");
        back = r->integer == 1;
        freeReplyObject(r);
        clock_sleep_ms(10);
    }
    OK(back, "a key that was deleted comes back");
    IS_INT(push_findings(n.push)->losses, 0, "without a loss being noticed");
    node_remove(&n);
}

enum { ONE_SCRUB_MS = 5000 }; /* half of it is what a loaded machine may add */

/* A change by hand right after a fast walk is undone within the time of one scrub. */
static void test_within_a_scrub(void)
{
    int64_t began_ms;
    struct node n;
    bool is_back = false;

    node_open(&n, "a.db", "mx1", ONE_SCRUB_MS);
    for (int i = 0; i < 600; i++) {
        char name[40];

        (void)snprintf(name, sizeof name, "d%d.example", i);
        count_total(&n, name, "in_messages 1", 1);
    }
    OK(push_all(&n), "pushed");
    run("HSET|tg:{d599.example}:total|in_messages|2");
    began_ms = clock_monotonic_ms();
    while (!is_back && clock_monotonic_ms() - began_ms < 4 * ONE_SCRUB_MS) {
        redisReply *r;

        must(push_step(n.push, &n.now, 10, &err) < 0, "step");
        r = command("HGET|tg:{d599.example}:total|in_messages");
        is_back = strcmp(r->str, "1") == 0;
        freeReplyObject(r);
        clock_sleep_ms(5);
    }
    OK(is_back && clock_monotonic_ms() - began_ms < ONE_SCRUB_MS * 3 / 2,
       "within the scrub's time");
    node_remove(&n);
}

static void test_refused(void)
{
    struct node n;
    struct push_findings *f;

    node_open(&n, "a.db", "mx1", 300);
    f = push_findings(n.push);
    run("SET|tg:{bad.example}:total|5");
    for (int i = 0; i < 5; i++) {
        static const char *const accounts[] = {"a.example", "b.example", "bad.example", "c.example",
                                               "d.example"};

        count_total(&n, accounts[i], "in_messages 2", 5);
    }
    OK(push_all(&n), "pushed");
    is_text("HGET|tg:{a.example}:total|in_messages", "2");
    is_text("HGET|tg:{d.example}:total|in_messages", "2");
    is_text("GET|tg:{bad.example}:total", "5");
    OK(f->refused > 0 && found(&f->refused_first, "tg:{bad.example}:total", "DEL"), "reported");
    IS_INT(ledger_dirty_rows(n.ledger), 1, "one row is left");
    is_text("HGET|tg:{@mx1}:node|pushed_through", "0");
    *f = (struct push_findings){0};
    run("DEL|tg:{bad.example}:total");
    clock_sleep_ms(310);
    OK(push_all(&n), "pushed once more");
    is_text("HGET|tg:{bad.example}:total|in_messages", "2");
    IS_INT(f->refused, 0, "no more problem");
    OK(push_all(&n), "and then");
    is_text("HGET|tg:{@mx1}:node|pushed_through", "1763729999");

    run("DEL|tg:accounts:{0a}");
    run("SET|tg:accounts:{0a}|x");
    count_total(&n, "example.com", "in_messages 2", 6);
    OK(push_all(&n), "an index of the wrong type");
    OK(found(&f->refused_first, "tg:accounts:{0a}", "DEL"), "is named");
    run("DEL|tg:accounts:{0a}");
    *f = (struct push_findings){0};

    run("HSET|tg:{e.example}:total|_mx9.00000009|rubbish|_nodes|_mx9.00000009");
    count_total(&n, "e.example", "in_messages 2", 7);
    OK(push_all(&n), "another node's share is damaged");
    OK(found(&f->refused_first, "tg:{e.example}:total", "_mx9.00000009"), "and is named");
    *f = (struct push_findings){0};
    run("HSET|tg:{e.example}:total|_mx9.00000009|5 in_messages 9007199254740991");
    count_total(&n, "e.example", "in_messages 2", 8);
    clock_sleep_ms(310);
    OK(push_all(&n), "a sum beyond what is exact");
    OK(found(&f->refused_first, "tg:{e.example}:total", "in_messages"), "is refused");
    run("HSET|tg:{e.example}:total|_mx9.00000009|5 in_messages 9007199254740987");
    clock_sleep_ms(310);
    OK(push_all(&n), "just within it");
    is_text("HGET|tg:{e.example}:total|in_messages", "9007199254740991");
    node_remove(&n);
}

static void test_store_problem(void)
{
    struct node n;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "a.example", "in_messages 1", 1);
    OK(push_all(&n), "pushed");
    count_total(&n, "a.example", "in_messages 1", 2);
    run("CONFIG|SET|maxmemory|1");
    OK(!push_all(&n) && found(&err, "OOM", "maxmemory"), "out of memory");
    IS_INT(ledger_dirty_rows(n.ledger), 1, "the row waits");
    run("CONFIG|SET|maxmemory|0");
    OK(push_all(&n), "memory again");
    is_text("HGET|tg:{a.example}:total|in_messages", "2");

    count_total(&n, "a.example", "in_messages 1", 3);
    run("REPLICAOF|127.0.0.1|1");
    OK(!push_all(&n) && found(&err, "READONLY", "master"), "a replica");
    IS_INT(ledger_dirty_rows(n.ledger), 1, "the row waits");
    run("REPLICAOF|NO|ONE");
    OK(push_all(&n), "a master again");
    is_text("HGET|tg:{a.example}:total|in_messages", "3");
    node_remove(&n);
}

static void test_schema(void)
{
    struct node n;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    run("SET|tg:schema|2");
    count_total(&n, "a.example", "in_messages 1", 1);
    OK(!push_all(&n) && found(&err, "tg:schema", "\"2\"") && err.code == EX_CONFIG,
       "another schema");
    is_number("DBSIZE", 1);
    run("DEL|tg:schema");
    run("HSET|tg:schema|1|1");
    OK(!push_all(&n) && found(&err, "WRONGTYPE", "redis"), "no schema at all");
    run("DEL|tg:schema");
    OK(push_all(&n), "ours");
    is_text("HGET|tg:{a.example}:total|in_messages", "1");
    node_remove(&n);
}

/* The ledger is restored from a backup, or a crash of the machine took its end, and Redis knows
 * more. */
static void test_went_back(void)
{
    struct row_key user = key_of("a.example", ROW_USERS_MONTH, "2026-11", "u@a.example");
    struct push_findings *f;
    char command_line[600];
    struct node n;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "a.example", "in_messages 1 in_bytes 10", 7);
    count_into(&n, user, "in_messages 1", 7, 0);
    OK(push_all(&n) && ledger_sync(n.ledger, &err) == 1, "pushed");
    (void)snprintf(command_line, sizeof command_line, "cp %s %s.old", n.path, n.path);
    must(system(command_line), "cp");
    count_total(&n, "a.example", "in_messages 2 in_bytes 5 out_messages 1", 9);
    count_into(&n, user, "in_messages 2", 9, 0);
    OK(push_all(&n), "pushed more");
    node_close(&n);
    (void)snprintf(command_line, sizeof command_line, "rm -f %s-*; mv %s.old %s", n.path, n.path,
                   n.path);
    must(system(command_line), "mv");
    node_open(&n, "a.db", "mx1", SCRUB_MS);
    f = push_findings(n.push);
    count_total(&n, "b.example", "in_messages 1", 8);
    OK(push_all_patiently(&n), "pushed from the older ledger");
    OK(found(&f->left, "mx1", "restored"), "reported");
    is_text("HGET|tg:{a.example}:total|in_messages", "3");
    IS_INT(ledger_dirty_rows(n.ledger), 0, "nothing is left to push");
    count_total(&n, "a.example", "in_messages 1", 10);
    count_into(&n, user, "in_messages 1", 10, 0);
    *f = (struct push_findings){0};
    OK(push_all(&n), "and counted on");
    is_text("HGET|tg:{a.example}:total|in_messages", "4");
    is_text("HGET|tg:{a.example}:total|in_bytes", "15");
    is_text("HGET|tg:{a.example}:total|out_messages", "1");
    is_text("HGET|tg:{a.example}:users:month:2026-11|u@a.example in_messages", "4");
    IS_INT(f->left.code, 0, "without further ado");
    node_remove(&n);
}

/* Redis is as it was in a run that this ledger, made again since, does not know: all is pushed
 * again under the share that is left, and nothing is said to be there before. */
static void test_older_run(void)
{
    struct node n;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "a.example", "in_messages 5", 5);
    OK(push_all(&n), "pushed");
    run("DEL|tg:{a.example}:total");
    run("HSET|tg:{@mx1}:node|_run|feedfeedfeedfeed|_stopped|1|pushed_through|1000");
    OK(push_all(&n), "pushed again");
    OK(found(&push_findings(n.push)->left, "mx1", "share"), "another share");
    is_text("HGET|tg:{a.example}:total|in_messages", "5");
    OK(push_findings(n.push)->losses == 0, "which is not told as a loss");
    node_remove(&n);
}

int main(void)
{
    static void (*const tests[])(void) = {
        test_flushed,    test_killed_after_loss, test_loss_forgotten, test_reconnected,
        test_scrub,      test_within_a_scrub,    test_refused,        test_store_problem,
        test_schema,     test_went_back,         test_older_run,      test_snapshot,
        test_unconfirmed};

    return push_tests_run(tests, sizeof tests / sizeof tests[0]);
}
