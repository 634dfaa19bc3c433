#include "lib/ledger/push_batch.h"
#include "lib/ledger/scripts.h"
#include "t/ledger/push_fixture.h"
#include "t/random.h"

/* Rows of a ledger pushed to a real Redis: what is there afterwards, twice, late and from two
 * nodes. */

/* How often Redis has run HSET. */
static long long hset_calls(void)
{
    redisReply *r = command("INFO|commandstats");
    const char *at = strstr(r->str, "cmdstat_hset:calls=");
    long long calls = at != NULL ? atoll(at + strlen("cmdstat_hset:calls=")) : 0;

    freeReplyObject(r);
    return calls;
}

static void test_rows(void)
{
    struct node n;
    const int64_t later = (int64_t)clock_unix_ms() / 1000 + 86400;
    redisReply *r;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    n.now.now_s = clock_unix_ms() / 1000;
    count_total(&n, "example.com", "in_messages 2 in_bytes 100", 5);
    count_total(&n, "@mx1", "messages 2 bytes 100", 5);
    count_into(&n, key_of("example.com", ROW_MONTH, "2026-11", ""), "in_messages 2", 5, 0);
    count_into(&n, key_of("example.com", ROW_DAY, "2026-11-21", ""), "in_messages 2", 5, later);
    count_into(&n, key_of("example.com", ROW_HOUR, "2026-11-21T13", ""), "in_messages 2", 5, later);
    for (int i = 0; i < 3; i++) {
        static const char *const users[] = {"alice@example.com", "j\xc3\xb6rg%s\"@example.com",
                                            "_other"};

        count_into(&n, key_of("example.com", ROW_USERS_DAY, "2026-11-21", users[i]), "in_bytes 50",
                   5, later);
        count_into(&n, key_of("example.com", ROW_USERS_MONTH, "2026-11", users[i]), "in_bytes 50",
                   5, 0);
    }
    OK(push_all(&n), "pushed");
    is_text("HGET|tg:{example.com}:total|in_messages", "2");
    is_text("HGET|tg:{example.com}:total|in_bytes", "100");
    is_number("HLEN|tg:{example.com}:total", 3);
    is_text("HGET|tg:{example.com}:month:2026-11|in_messages", "2");
    is_text("HGET|tg:{example.com}:day:2026-11-21|in_messages", "2");
    is_text("HGET|tg:{example.com}:hour:2026-11-21T13|in_messages", "2");
    is_text("HGET|tg:{example.com}:users:day:2026-11-21|alice@example.com in_bytes", "50");
    is_text("HGET|tg:{example.com}:users:month:2026-11|j\xc3\xb6rg%s\"@example.com in_bytes", "50");
    is_text("HGET|tg:{example.com}:users:month:2026-11|_other in_bytes", "50");
    is_text("HGET|tg:{@mx1}:total|messages", "2");
    is_text("GET|tg:schema", "1");
    is_number("SISMEMBER|tg:nodes|mx1", 1);
    is_number("SISMEMBER|tg:accounts:{0a}|example.com", 1);
    is_number("TTL|tg:{example.com}:total", -1);
    is_number("TTL|tg:{example.com}:users:month:2026-11", -1);
    r = command("TTL|tg:{example.com}:users:day:2026-11-21");
    OK(r->integer > 86000 && r->integer <= 86400, "days go some time");
    freeReplyObject(r);
    is_text("HGET|tg:{@mx1}:node|version", "0.1");
    is_text("HGET|tg:{@mx1}:node|pushed_through", "1763729999");
    is_text("HGET|tg:{@mx1}:node|counted_through", "1763729999");
    is_text("HGET|tg:{@mx1}:node|dirty_rows", "0");
    IS_INT(ledger_dirty_rows(n.ledger), 0, "nothing left to push");
    node_remove(&n);
}

static long long stamp(void)
{
    redisReply *r = command("HGET|tg:{@mx1}:node|_stamp");
    long long value = atoll(r->str);

    freeReplyObject(r);
    return value;
}

/* One HSET for a row that changed, none for one that did not; node's hash aside. */
static void test_one_hset(void)
{
    struct node n;
    long long before, stamp_before;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "example.com", "in_messages 2 in_bytes 100", 5);
    OK(push_all(&n), "pushed");
    stamp_before = stamp();
    run("CONFIG|RESETSTAT");
    node_reopen(&n, "mx1");
    OK(push_all(&n), "pushed by a new program, which walks through all rows");
    before = hset_calls();
    IS_INT(before, stamp() - stamp_before, "HSETs of the node's hash only");
    run("HDEL|tg:{@mx1}:node|_stamp");
    run("CONFIG|RESETSTAT");
    OK(before > 0, "HSETs are counted");
    count_total(&n, "example.com", "in_messages 1", 6);
    must(push_step(n.push, &n.now, 100, &err) < 0, "step");
    is_text("HGET|tg:{example.com}:total|in_messages", "3");
    node_remove(&n);
}

/* 1, 0, or minus the larger number that is there. */
static long long script_over(const char *key, const char *number, const char *counters,
                             const char *over)
{
    static const struct script push = {"push", script_push_source};
    struct slice argv[] = {
        slice_str(key), SLICE("_mx1.0000000a"), slice_str(number), slice_str(counters),
        SLICE_NONE,     slice_str(over),        SLICE_NONE,        SLICE_NONE};
    redisReply *r = store_script(store, &push, 1, 8, argv, 1000, &err);
    long long answer = r->type == REDIS_REPLY_INTEGER  ? r->integer
                       : r->type == REDIS_REPLY_STRING ? -atoll(r->str)
                                                       : -1;

    freeReplyObject(r);
    return answer;
}

static long long script(const char *key, const char *number, const char *counters)
{
    return script_over(key, number, counters, "");
}

static void test_order(void)
{
    long long before = hset_calls();

    IS_INT(script("tg:{x}:total", "7", "in_bytes 70"), 1, "first");
    IS_INT(script("tg:{x}:total", "7", "in_bytes 70"), 0, "twice");
    IS_INT(script("tg:{x}:total", "9", "in_bytes 90 in_messages 1"), 1, "newer");
    IS_INT(script("tg:{x}:total", "8", "in_bytes 80"), -9, "late");
    IS_INT(script("tg:{x}:total", "7", "in_bytes 70"), -9, "later");
    is_text("HGET|tg:{x}:total|in_bytes", "90");
    is_text("HGET|tg:{x}:total|_mx1.0000000a", "=9AC");
    is_number("HLEN|tg:{x}:total", 3);
    IS_INT(hset_calls() - before, 2, "one HSET where something changed, none elsewhere");
    run("HSET|tg:{x}:total|in_bytes|1");
    IS_INT(script("tg:{x}:total", "9", "in_bytes 90 in_messages 1"), 1,
           "a plain field was altered");
    is_text("HGET|tg:{x}:total|in_bytes", "90");
    run("HSET|tg:{x}:total|_mx1.0000000a|rubbish");
    IS_INT(script("tg:{x}:total", "9", "in_bytes 90 in_messages 1"), 1, "our share was altered");
    is_text("HGET|tg:{x}:total|_mx1.0000000a", "=9AC");
    run("HSET|tg:{x}:total|_mx1.0000000a|5000 in_bytes 99999");
    IS_INT(script_over("tg:{x}:total", "9", "in_bytes 90", "4999"), -5000,
           "a larger number stays, unless it is the one that is meant");
    IS_INT(script_over("tg:{x}:total", "9", "in_bytes 90 in_messages 1", "5000"), 1, "that one");
    is_text("HGET|tg:{x}:total|in_bytes", "90");
}

static unsigned dice(unsigned sides)
{
    static struct random_source source = {4711};

    return random_below(&source, sides);
}

/* Two nodes count and push in any order, Redis is flushed now and then: the sum is what was
 * counted. */
static void test_two_nodes(void)
{
    static const char *const accounts[] = {"a.example", "b.example", "c.example"};
    static const char *const users[] = {"", "u1@a.example", "u2@a.example"};
    struct node n[2];
    uint64_t total[3][3] = {{0}}, number[2] = {0, 0};
    bool good = true;

    node_open(&n[0], "a.db", "mx1", SCRUB_MS);
    node_open(&n[1], "b.db", "mx2", SCRUB_MS);
    for (int round = 0; round < 400; round++) {
        unsigned who = dice(2), a = dice(3), u = dice(3), amount = 1 + dice(1000);
        char counters[40];

        (void)snprintf(counters, sizeof counters, "in_bytes %u", amount);
        count_into(&n[who],
                   key_of(accounts[a], u == 0 ? ROW_TOTAL : ROW_USERS_MONTH,
                          u == 0 ? "" : "2026-11", users[u]),
                   counters, ++number[who], 0);
        total[a][u] += amount;
        if (dice(3) == 0)
            good = push_step(n[who].push, &n[who].now, 100, &err) >= 0 && good;
        if (dice(40) == 0)
            run("FLUSHALL");
        if (dice(60) == 0)
            run("SCRIPT|FLUSH");
        if (dice(80) == 0)
            node_reopen(&n[who], who == 0 ? "mx1" : "mx2");
    }
    OK(good, "no step failed");
    OK(push_all(&n[0]) && push_all(&n[1]) && push_all(&n[0]), "pushed");
    for (int a = 0; a < 3; a++) {
        for (int u = 0; u < 3; u++) {
            char text[200], want[30];

            (void)snprintf(text, sizeof text, "HGET|tg:{%s}:%s|%s%sin_bytes", accounts[a],
                           u == 0 ? "total" : "users:month:2026-11", users[u], u == 0 ? "" : " ");
            (void)snprintf(want, sizeof want, "%llu", (unsigned long long)total[a][u]);
            is_text(text, want);
        }
    }
    node_remove(&n[0]);
    node_remove(&n[1]);
}

static void test_renamed(void)
{
    struct node n;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "a.example", "in_messages 1", 1);
    count_total(&n, "@mx1", "messages 1", 1);
    OK(push_all(&n), "as mx1");
    node_reopen(&n, "mx2");
    count_total(&n, "a.example", "in_messages 1", 2);
    count_total(&n, "@mx2", "messages 1", 2);
    n.now.counted_through = NOW_S + 5;
    OK(push_all(&n), "as mx2");
    run("FLUSHALL");
    OK(push_all(&n), "and after a loss");
    is_text("HGET|tg:{a.example}:total|in_messages", "2");
    is_text("HGET|tg:{@mx1}:total|messages", "1");
    is_text("HGET|tg:{@mx2}:total|messages", "1");
    is_text("HGET|tg:{@mx1}:node|renamed", "mx2");
    is_text("HGET|tg:{@mx1}:node|pushed_through", "1763730005");
    is_text("HGET|tg:{@mx2}:node|pushed_through", "1763730005");
    is_number("SCARD|tg:nodes", 2);
    node_remove(&n);
}

static void test_expired(void)
{
    struct row_key key = key_of("a.example", ROW_HOUR, "2025-01-01T00", "");
    struct ledger_meta meta;
    struct node n;
    struct row row;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_into(&n, key, "in_messages 1", 1, NOW_S - 10);
    count_total(&n, "a.example", "in_messages 1", 2);
    OK(push_all(&n), "no mail is as late as the clock");
    IS_INT(ledger_row_find(n.ledger, &key, &row, NULL, &err), 1, "so the clock may be wrong");
    is_number("EXISTS|tg:{a.example}:hour:2025-01-01T00", 0);
    meta = *ledger_meta(n.ledger);
    meta.latest_ms = NOW_S * 1000;
    must(ledger_meta_set(n.ledger, &meta, &err), "meta");
    node_reopen(&n, "mx1");
    OK(push_all(&n), "now it is");
    is_number("EXISTS|tg:{a.example}:hour:2025-01-01T00", 0);
    is_number("EXISTS|tg:{a.example}:total", 1);
    IS_INT(ledger_row_find(n.ledger, &key, &row, NULL, &err), 0, "the row has left the ledger");
    node_remove(&n);
}

/* store.keep_*, and a change of them. */
static void test_keep(void)
{
    const int64_t end_s = clock_unix_ms() / 1000 - 86400;
    struct push_config like = {.program = PUSH_MILTER,
                               .keep = {2 * 86400, 3 * 86400, 2 * 86400 + 7200}};
    struct row_key users = key_of("a.example", ROW_USERS_DAY, "2025-11-21", "u@a.example");
    struct ledger_meta meta;
    struct node n;
    struct row row;

    node_open_as(&n, "a.db", "mx1", SCRUB_MS, &like);
    n.now.now_s = end_s + 86400;
    count_into(&n, key_of("a.example", ROW_HOUR, "2025-11-21T10", ""), "in_messages 1", 1,
               end_s + HOUR_KEPT_S);
    count_into(&n, key_of("a.example", ROW_DAY, "2025-11-21", ""), "in_messages 1", 1,
               end_s + DAY_KEPT_S);
    count_into(&n, users, "in_messages 1", 1, end_s + DAY_KEPT_S);
    count_into(&n, key_of("a.example", ROW_MONTH, "2025-11", ""), "in_messages 1", 1, 0);
    OK(push_all(&n), "pushed");
    OK(llabs(time_to_live("tg:{a.example}:hour:2025-11-21T10") - 86400) < 60, "hours");
    OK(llabs(time_to_live("tg:{a.example}:day:2025-11-21") - 2 * 86400) < 60, "days");
    OK(llabs(time_to_live("tg:{a.example}:users:day:2025-11-21") - 93600) < 60, "users' days");
    is_number("TTL|tg:{a.example}:month:2025-11", -1);
    meta = *ledger_meta(n.ledger);
    meta.latest_ms = n.now.now_s * 1000;
    must(ledger_meta_set(n.ledger, &meta, &err), "meta");
    node_close(&n);
    like.keep = (struct push_keep){10 * 86400, 10 * 86400, 3600};
    node_open_as(&n, "a.db", "mx1", SCRUB_MS, &like);
    n.now.now_s = end_s + 86400;
    meta.counted_through = n.now.now_s;
    must(ledger_meta_set(n.ledger, &meta, &err), "meta");
    node_close(&n);
    node_open_as(&n, "a.db", "mx1", SCRUB_MS, &like);
    n.now.now_s = end_s + 86400;
    OK(push_all(&n), "other settings");
    OK(llabs(time_to_live("tg:{a.example}:hour:2025-11-21T10") - 9 * 86400) < 60, "more hours");
    OK(time_to_live("tg:{a.example}:users:day:2025-11-21") <= 3600, "users' days go");
    IS_INT(ledger_row_find(n.ledger, &users, &row, NULL, &err), 0, "from the ledger, too");
    node_remove(&n);
}

/* Rows as the version before wrote them, while a node of it is seen, and after it has gone. */
static void test_older_version(void)
{
    struct node n;
    char line[200];

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "a.example", "in_messages 5", 5);
    count_into(&n, key_of("a.example", ROW_USERS_MONTH, "2025-11", "u@a.example"), "in_messages 5",
               5, 0);
    (void)snprintf(line, sizeof line,
                   "HSET|tg:{a.example}:total|_nodes|_mx1.%s _old.00000009|_mx1.%s|4 in_messages 4|"
                   "_old.00000009|9 in_messages 2 out_messages 1|in_messages|6|out_messages|1",
                   ledger_id(n.ledger), ledger_id(n.ledger));
    run(line);
    run("SADD|tg:nodes|old");
    run("HSET|tg:{@old}:node|seen|1763729990|version|0.1");
    OK(push_all(&n), "beside an older version");
    is_text("HGET|tg:{a.example}:total|in_messages", "7");
    (void)snprintf(line, sizeof line, "HGET|tg:{a.example}:total|_mx1.%s", ledger_id(n.ledger));
    is_text(line, "5 in_messages 5");
    (void)snprintf(line, sizeof line, "HGET|tg:{a.example}:users:month:2025-11|_mx1.%s u@a.example",
                   ledger_id(n.ledger));
    is_text(line, "5 in_messages 5");
    is_text("HGET|tg:{@mx1}:node|_rows", "3");
    run("HSET|tg:{@old}:node|retired|1763729995");
    node_reopen(&n, "mx1");
    OK(push_all(&n), "it has been retired");
    is_text(line, "=5A");
    (void)snprintf(line, sizeof line, "HGET|tg:{a.example}:total|_mx1.%s", ledger_id(n.ledger));
    is_text(line, "=5A5");
    is_text("HGET|tg:{a.example}:total|_old.00000009", "=9A2D");
    is_text("HGET|tg:{a.example}:total|in_messages", "7");
    is_text("HGET|tg:{a.example}:total|_nodes", "");
    run("HSET|tg:{@old}:collect|seen|1763729999");
    node_reopen(&n, "mx1");
    OK(push_all(&n), "an older collector has come");
    is_text(line, "5 in_messages 5");
    is_text("HGET|tg:{a.example}:total|_old.00000009", "9 in_messages 2 out_messages 1");
    run("HSET|tg:{@old}:collect|seen|1763600000");
    node_reopen(&n, "mx1");
    OK(push_all(&n), "and was seen last more than a day ago");
    is_text(line, "=5A5");
    node_remove(&n);
}

static bool is_there(const char *text)
{
    redisReply *r = command("EXISTS|%s", text);
    bool there = r->integer == 1;

    freeReplyObject(r);
    return there;
}

/* pushed_through is not back before all rows are. */
static void lose_many(struct node *n)
{
    int steps = 0, early = 0;
    bool is_back = false;

    run("FLUSHALL");
    push_finish(n->push, false);
    while (!is_back && steps++ < 3000) {
        must(push_step(n->push, &n->now, 1, &err) < 0, "step");
        push_finish(n->push, false);
        is_back = push_through(n->push) != 0 && steps > 1;
        early += is_back && !is_there("tg:{d2599.example}:total");
    }
    OK(is_back && steps > 4, "a loss takes some steps");
    IS_INT(early, 0, "pushed_through waits for the last row");
}

/* More rows than one trip takes. */
static void test_many(void)
{
    struct node n;
    int64_t began_ms, took_ms;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    must(ledger_begin(n.ledger, &err), "begin");
    for (int i = 0; i < 2600; i++) {
        char name[40];

        (void)snprintf(name, sizeof name, "d%d.example", i);
        count_total(&n, name, "in_messages 1 in_bytes 20 out_messages 3 out_bytes 7", 1);
    }
    must(ledger_commit(n.ledger, &err), "commit");
    n.now.rest_times = 1000;
    IS_INT(push_step(n.push, &n.now, 20, &err), 1, "with rests: one trip, and no time is left");
    IS_INT(ledger_dirty_rows(n.ledger), 2600 - TRIP_ROWS_CALM, "the others come later");
    n.now.rest_times = 0;
    began_ms = clock_monotonic_ms();
    OK(push_all(&n), "pushed");
    took_ms = clock_monotonic_ms() - began_ms;
    printf("# 2600 rows pushed, and again by the walk: %lld ms\n", (long long)took_ms);
    is_text("HGET|tg:{d0.example}:total|in_messages", "1");
    is_text("HGET|tg:{d2599.example}:total|in_messages", "1");
    IS_INT(ledger_dirty_rows(n.ledger), 0, "all of them");
    lose_many(&n);
    run("FLUSHALL");
    node_reopen(&n, "mx1");
    n.now.walk_rest_times = 1000;
    IS_INT(push_step(n.push, &n.now, 20, &err), 1, "a walk with rests, at a new connection");
    OK(is_there("tg:{d0.example}:total") && !is_there("tg:{d99.example}:total"), "one trip");
    node_remove(&n);
}

int main(void)
{
    static void (*const tests[])(void) = {test_rows,      test_one_hset,      test_order,
                                          test_two_nodes, test_renamed,       test_expired,
                                          test_keep,      test_older_version, test_many};

    return push_tests_run(tests, sizeof tests / sizeof tests[0]);
}
