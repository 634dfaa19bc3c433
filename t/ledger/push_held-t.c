#include "t/ledger/held_fixture.h"

/* What Redis shows of held messages, whatever it lost or refuses. */

static void test_shown(void)
{
    struct site s;
    uint64_t first, second;

    site_open(&s, "mx1");
    first = hold(&s, "a.example", "Q1", 1700000000123);
    second = hold(&s, "b.example", "Q2", 1700000001000);
    apply(&s);
    OK(push_all(&s.node), "pushed");
    is_text("ZSCORE|tg:{a.example}:held|mx1/Q1", "1700000000");
    is_text("ZSCORE|tg:{b.example}:held|mx1/Q2", "1700000001");
    run("SAVE");
    let_go(&s, RECORD_RELEASE, first, 1700000002000);
    apply(&s);
    OK(push_all(&s.node), "pushed again");
    is_number("EXISTS|tg:{a.example}:held", 0);
    redis_fixture_kill(&redis);
    redis_fixture_run(&redis, "");
    is_number("ZCARD|tg:{a.example}:held", 1);
    OK(push_all_patiently(&s.node), "Redis is back as it was before");
    is_number("EXISTS|tg:{a.example}:held", 0);
    run("FLUSHALL");
    OK(push_all(&s.node) && push_all(&s.node), "Redis was flushed");
    is_text("ZSCORE|tg:{b.example}:held|mx1/Q2", "1700000001");
    node_reopen(&s.node, "mx9");
    run("DEL|tg:{b.example}:held");
    OK(push_all(&s.node), "the node has another name");
    is_text("ZSCORE|tg:{b.example}:held|mx1/Q2", "1700000001");
    let_go(&s, RECORD_FORGET, second, 1700000003000);
    apply(&s);
    OK(push_all(&s.node), "pushed again");
    is_number("EXISTS|tg:{b.example}:held", 0);
    site_remove(&s);
}

/* A queue id comes back while the message that had it before is not forgotten yet. */
static void test_reused(void)
{
    struct site s;
    uint64_t before, after;

    site_open(&s, "mx1");
    before = hold(&s, "a.example", "Q1", 1700000000000);
    apply(&s);
    OK(push_all(&s.node), "pushed");
    after = hold(&s, "a.example", "Q1", 1700000100000);
    apply(&s);
    OK(push_all(&s.node), "pushed again");
    let_go(&s, RECORD_FORGET, before, 1700000200000);
    apply(&s);
    OK(push_all(&s.node), "pushed again");
    is_text("ZSCORE|tg:{a.example}:held|mx1/Q1", "1700000100");
    let_go(&s, RECORD_RELEASE, after, 1700000300000);
    apply(&s);
    (void)hold(&s, "a.example", "Q1", 1700000400000);
    apply(&s);
    OK(push_all(&s.node), "gone, and there once more");
    is_text("ZSCORE|tg:{a.example}:held|mx1/Q1", "1700000400");
    run("FLUSHALL");
    OK(push_all(&s.node) && push_all(&s.node), "Redis was flushed");
    is_text("ZSCORE|tg:{a.example}:held|mx1/Q1", "1700000400");
    site_remove(&s);
}

/* A ledger from a backup comes to a message that it never knew and its removal in one batch. */
static void test_refolded(void)
{
    struct site s;

    site_open(&s, "mx1");
    (void)hold(&s, "a.example", "Q1", 1700000000000);
    let_go(&s, RECORD_RELEASE, hold(&s, "a.example", "Q2", 1700000001000), 1700000002000);
    run("ZADD|tg:{a.example}:held|1700000000|mx1/Q1");
    run("ZADD|tg:{a.example}:held|1700000001|mx1/Q2");
    apply(&s);
    OK(push_all(&s.node), "pushed");
    is_text("ZSCORE|tg:{a.example}:held|mx1/Q1", "1700000000");
    is_number("ZCARD|tg:{a.example}:held", 1);
    is_text("HGET|tg:{a.example}:total|out_messages", "1");
    site_remove(&s);
}

/* The walk of every ten minutes finds what is missing. */
static void test_scrub(void)
{
    struct site s;
    redisReply *r;

    site_open(&s, "mx1");
    push_free(s.node.push);
    s.node.push = push_new(&(struct push_config){.prefix = "tg",
                                                 .version = "0.1",
                                                 .timezone = "UTC",
                                                 .started_s = NOW_S,
                                                 .scrub_ms = 50,
                                                 .keep = {HOUR_KEPT_S, DAY_KEPT_S, DAY_KEPT_S}},
                           s.node.ledger, s.node.store, &err);
    (void)hold(&s, "a.example", "Q1", 1700000000000);
    apply(&s);
    OK(push_all(&s.node), "pushed");
    run("DEL|tg:{a.example}:held");
    for (int i = 0; i < 500; i++) {
        must(push_step(s.node.push, &s.node.now, 100, &err) < 0, "push_step");
        r = command("EXISTS|tg:{a.example}:held");
        i = r->integer == 1 ? 500 : i;
        freeReplyObject(r);
        clock_sleep_ms(5);
    }
    is_text("ZSCORE|tg:{a.example}:held|mx1/Q1", "1700000000");
    site_remove(&s);
}

static void test_many(void)
{
    struct site s;

    site_open(&s, "mx1");
    for (unsigned i = 0; i < 1234; i++) {
        char queue_id[16];

        (void)snprintf(queue_id, sizeof queue_id, "M%u", i);
        (void)hold(&s, "a.example", queue_id, 1700000000000 + i);
    }
    apply(&s);
    OK(push_all(&s.node), "pushed");
    is_number("ZCARD|tg:{a.example}:held", 1234);
    for (uint64_t number = 1; number <= 1234; number += 2)
        let_go(&s, RECORD_RELEASE, number, 1700000100000);
    apply(&s);
    OK(push_all(&s.node), "half of them released");
    is_number("ZCARD|tg:{a.example}:held", 617);
    is_text("HGET|tg:{a.example}:total|out_messages", "617");
    site_remove(&s);
}

static void test_refused(void)
{
    struct site s;

    site_open(&s, "mx1");
    run("SET|tg:{a.example}:held|x");
    (void)hold(&s, "a.example", "Q1", 1700000000000);
    (void)hold(&s, "b.example", "Q2", 1700000000000);
    apply(&s);
    OK(push_all(&s.node), "a key of another type is in the way");
    OK(push_findings(s.node.push)->refused > 0 &&
           strstr(push_findings(s.node.push)->refused_first.text, ":held") != NULL,
       "which is told");
    is_number("ZCARD|tg:{b.example}:held", 1);
    run("FLUSHALL");
    OK(push_all(&s.node) && push_all(&s.node), "when it is gone");
    is_number("ZCARD|tg:{a.example}:held", 1);
    run("CONFIG|SET|maxmemory|1");
    (void)hold(&s, "c.example", "Q3", 1700000000000);
    apply(&s);
    OK(!push_all(&s.node), "Redis is full");
    run("CONFIG|SET|maxmemory|0");
    OK(push_all(&s.node), "and is not");
    is_number("ZCARD|tg:{c.example}:held", 1);
    site_remove(&s);
}

int main(void)
{
    static void (*const tests[])(void) = {test_shown, test_reused, test_refolded,
                                          test_scrub, test_many,   test_refused};

    return push_tests_run(tests, sizeof tests / sizeof tests[0]);
}
