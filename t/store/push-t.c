#include <stdarg.h>
#include <sysexits.h>

#include "lib/store/amounts.h"
#include "lib/store/link.h"
#include "lib/store/push.h"
#include "lib/store/scripts.h"
#include "lib/sys/clock.h"
#include "t/random.h"
#include "t/store/redis_fixture.h"
#include "t/tap.h"

/*
 * Rows of a ledger pushed to a real Redis: what is there afterwards, whatever was lost, repeated or
 * wrong in between.
 */

#define NOW_S INT64_C(1763730000)

static struct redis_fixture redis;
static struct store *store; /* the test's own connection */
static struct err err;

/* One node: its ledger, its connection, its pusher. */
struct node {
    char path[160];
    struct settings settings;
    struct ledger *ledger;
    struct store *store;
    struct push *push;
    struct push_now now;
};

static void must(int rc, const char *what)
{
    if (rc != 0) {
        printf("Bail out! %s: %s\n", what, err.text);
        exit(1);
    }
}

static struct settings settings_of(char url[128])
{
    struct settings s = {0};

    (void)snprintf(url, 128, "unix://%s", redis.socket);
    s.state_dir = redis.dir;
    s.store.url = url;
    s.store.prefix = "tg";
    s.store.username = s.store.password_file = "";
    s.store.timeout_ms = 1000;
    return s;
}

static void node_open(struct node *n, const char *file, const char *name, int64_t scrub_ms)
{
    static char url[128];
    struct push_config config = {"tg", "0.1", NOW_S, scrub_ms};

    n->settings = settings_of(url);
    (void)snprintf(n->path, sizeof n->path, "%s/%s", redis.dir, file);
    n->ledger = ledger_open(n->path, name, &err);
    must(n->ledger == NULL, "ledger_open");
    n->store = store_new(&n->settings, &err);
    must(n->store == NULL, "store_new");
    n->push = push_new(&config, n->ledger, n->store, &err);
    must(n->push == NULL, "push_new");
    n->now = (struct push_now){.now_s = NOW_S, .counted_through = NOW_S - 1};
}

static void node_close(struct node *n)
{
    push_free(n->push);
    store_free(n->store);
    ledger_close(n->ledger);
}

/* A new program on the same ledger. */
static void node_reopen(struct node *n, const char *name)
{
    const char *file = strrchr(n->path, '/') + 1;
    char copy[64];

    (void)snprintf(copy, sizeof copy, "%s", file);
    node_close(n);
    node_open(n, copy, name, SCRUB_MS);
}

static void node_remove(struct node *n)
{
    char command[600];

    node_close(n);
    (void)snprintf(command, sizeof command, "rm -f %s %s-wal %s-shm", n->path, n->path, n->path);
    must(system(command), "rm");
}

/* Steps until all is there; false with *err where a step fails. */
static bool push_all(struct node *n)
{
    push_finish(n->push);
    for (int i = 0; i < 1000; i++) {
        if (push_step(n->push, &n->now, 100, &err) < 0)
            return false;
        if (push_is_finished(n->push))
            return true;
    }
    return false;
}

/* After a restart of the server: the pause of the connection has to pass. */
static bool push_all_patiently(struct node *n)
{
    for (int i = 0; i < 300; i++) {
        if (push_all(n))
            return true;
        clock_sleep_ms(20);
    }
    return false;
}

static redisReply *command(const char *format, ...) __attribute__((format(printf, 1, 2)));
static redisReply *command(const char *format, ...)
{
    char text[1024];
    struct slice argv[16], rest;
    size_t argc = 0;
    redisReply *reply;
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    rest = slice_str(text);
    while (argc < 16 && slice_cut(&rest, '|', &argv[argc]))
        argc++;
    for (int i = 0; i < 300; i++) {
        reply = store_command(store, argc, argv, 1000, &err);
        if (reply != NULL)
            return reply;
        clock_sleep_ms(20);
    }
    must(1, "command");
    return NULL;
}

static void run(const char *text)
{
    freeReplyObject(command("%s", text));
}

static void is_text(const char *text, const char *want)
{
    redisReply *r = command("%s", text);
    char what[300];

    (void)snprintf(what, sizeof what, "%s: %s", text, want);
    IS_SLICE(reply_text(r), slice_str(want), what);
    freeReplyObject(r);
}

static void is_number(const char *text, long long want)
{
    redisReply *r = command("%s", text);

    IS_INT(r->integer, want, text);
    freeReplyObject(r);
}

static struct row_key key_of(const char *account, enum row_kind kind, const char *period,
                             const char *user)
{
    return (struct row_key){slice_str(account), kind, slice_str(period), slice_str(user)};
}

/* Counts as a fold does: adds to the row, or makes it. */
static void count_into(struct node *n, struct row_key key, const char *counters, uint64_t number,
                       int64_t expires_s)
{
    struct tally more = {0};
    struct row row;
    struct buf text;
    int found = ledger_row_find(n->ledger, &key, &row, NULL, &err);

    buf_init(&text, 4096);
    must(amounts_read(slice_str(counters), &more, &err), "amounts_read");
    must(amounts_sum(found == 1 ? row.counters : SLICE_NONE, &more, &text, &err), "amounts_sum");
    if (found == 1)
        must(ledger_row_set(n->ledger, &row, buf_slice(&text), number, &err), "row_set");
    else
        must(ledger_row_add(n->ledger, &key, buf_slice(&text), number, expires_s, &err), "row_add");
    buf_fini(&text);
}

static void count_total(struct node *n, const char *account, const char *counters, uint64_t number)
{
    count_into(n, key_of(account, ROW_TOTAL, "", ""), counters, number, 0);
}

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
    is_number("HLEN|tg:{example.com}:total", 4);
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

/* One HSET for a row that changed, none for one that did not; node's hash aside. */
static void test_one_hset(void)
{
    struct node n;
    long long before;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "example.com", "in_messages 2 in_bytes 100", 5);
    OK(push_all(&n), "pushed");
    run("CONFIG|RESETSTAT");
    node_reopen(&n, "mx1");
    OK(push_all(&n), "pushed by a new program, which walks through all rows");
    before = hset_calls();
    run("HDEL|tg:{@mx1}:node|_stamp");
    run("CONFIG|RESETSTAT");
    OK(before >= 1 && before <= 4, "HSETs of the node's hash only");
    count_total(&n, "example.com", "in_messages 1", 6);
    must(push_step(n.push, &n.now, 100, &err) < 0, "step");
    is_text("HGET|tg:{example.com}:total|in_messages", "3");
    node_remove(&n);
}

static long long script(const char *key, const char *number, const char *counters)
{
    static const struct script push = {"push", script_push_source};
    struct slice argv[] = {slice_str(key), SLICE("_mx1.0000000a"), slice_str(number),
                           slice_str(counters), SLICE_NONE};
    redisReply *r = store_script(store, &push, 1, 5, argv, 1000, &err);
    long long answer = r->type == REDIS_REPLY_INTEGER ? r->integer : -1;

    freeReplyObject(r);
    return answer;
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
    is_text("HGET|tg:{x}:total|_mx1.0000000a", "9 in_bytes 90 in_messages 1");
    is_text("HGET|tg:{x}:total|_nodes", "_mx1.0000000a");
    is_number("HLEN|tg:{x}:total", 4);
    IS_INT(hset_calls() - before, 2, "one HSET where something changed, none elsewhere");
    run("HSET|tg:{x}:total|in_bytes|1");
    IS_INT(script("tg:{x}:total", "9", "in_bytes 90 in_messages 1"), 1,
           "a plain field was altered");
    is_text("HGET|tg:{x}:total|in_bytes", "90");
    run("HSET|tg:{x}:total|_mx1.0000000a|rubbish");
    IS_INT(script("tg:{x}:total", "9", "in_bytes 90 in_messages 1"), 1, "our share was altered");
    is_text("HGET|tg:{x}:total|_mx1.0000000a", "9 in_bytes 90 in_messages 1");
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

static void test_flushed(void)
{
    struct node n, other;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    node_open(&other, "b.db", "mx2", SCRUB_MS);
    count_total(&n, "example.com", "in_messages 2", 5);
    OK(push_all(&other) && push_all(&n), "pushed");
    IS_INT(push_findings(n.push)->losses, 0, "nothing lost so far");
    run("FLUSHALL");
    push_finish(n.push);
    OK(push_step(n.push, &n.now, 100, &err) >= 0, "the step that finds out");
    is_text("HGET|tg:{@mx1}:node|pushed_through", "0");
    is_number("SISMEMBER|tg:nodes|mx2", 1);
    OK(push_all(&n), "the steps that bring it back");
    is_text("HGET|tg:{example.com}:total|in_messages", "2");
    is_text("HGET|tg:{@mx1}:node|pushed_through", "1763729999");
    is_text("GET|tg:schema", "1");
    is_number("SISMEMBER|tg:accounts:{0a}|example.com", 1);
    IS_INT(push_findings(n.push)->losses, 1, "reported");
    run("SREM|tg:nodes|mx2");
    OK(push_all(&n), "written again");
    run("FLUSHALL");
    OK(push_all(&n), "and brought back");
    is_number("SISMEMBER|tg:nodes|mx2", 0);
    node_remove(&n);
    node_remove(&other);
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

static bool found(const struct err *e, const char *one, const char *two)
{
    bool good = strstr(e->text, one) != NULL && strstr(e->text, two) != NULL;

    if (!good)
        printf("# %s\n", e->text);
    return good;
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
    IS_INT(f->refused, 0, "no more trouble");
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

static void test_store_trouble(void)
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

static void test_went_back(void)
{
    struct node n;
    char share[60];
    struct push_findings *f;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    f = push_findings(n.push);
    count_total(&n, "a.example", "in_messages 1", 7);
    (void)snprintf(share, sizeof share, "_mx1.%s", ledger_id(n.ledger));
    freeReplyObject(command("HSET|tg:{a.example}:total|_nodes|%s|%s|9 in_messages 4|in_messages|4",
                            share, share));
    OK(push_all(&n), "pushed");
    is_text("HGET|tg:{a.example}:total|in_messages", "4");
    OK(f->older > 0 && found(&f->older_first, "tg:{a.example}:total", "up to 9"), "reported");
    node_remove(&n);
}

static void test_foreign(void)
{
    struct node n, other;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    node_open(&other, "b.db", "mx1", SCRUB_MS);
    OK(push_all(&n), "one");
    OK(push_findings(n.push)->foreign.code == 0, "alone");
    OK(push_all(&other), "another of that name");
    OK(push_findings(other.push)->foreign.code == 0, "which may be its successor");
    OK(push_all(&n), "but the first is still there");
    OK(found(&push_findings(n.push)->foreign, "mx1", ledger_id(other.ledger)), "reported");
    node_remove(&n);
    node_remove(&other);
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
    struct node n;
    struct ledger_meta meta;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_into(&n, key_of("a.example", ROW_HOUR, "2025-01-01T00", ""), "in_messages 1", 1,
               NOW_S - 10);
    count_total(&n, "a.example", "in_messages 1", 2);
    OK(push_all(&n), "no mail is as late as the clock");
    is_number("EXISTS|tg:{a.example}:hour:2025-01-01T00", 0);
    meta = *ledger_meta(n.ledger);
    meta.latest_ms = NOW_S * 1000;
    must(ledger_meta_set(n.ledger, &meta, &err), "meta");
    node_reopen(&n, "mx1");
    OK(push_all(&n), "now it is");
    is_number("EXISTS|tg:{a.example}:hour:2025-01-01T00", 0);
    is_number("EXISTS|tg:{a.example}:total", 1);
    {
        struct row_key key = key_of("a.example", ROW_HOUR, "2025-01-01T00", "");
        struct row row;

        IS_INT(ledger_row_find(n.ledger, &key, &row, NULL, &err), 0, "the row has left the ledger");
    }
    node_remove(&n);
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
    began_ms = clock_monotonic_ms();
    OK(push_all(&n), "pushed");
    took_ms = clock_monotonic_ms() - began_ms;
    printf("# 2600 rows pushed, and again by the walk: %lld ms\n", (long long)took_ms);
    is_text("HGET|tg:{d0.example}:total|in_messages", "1");
    is_text("HGET|tg:{d2599.example}:total|in_messages", "1");
    IS_INT(ledger_dirty_rows(n.ledger), 0, "all of them");
    node_remove(&n);
}

int main(void)
{
    static void (*const tests[])(void) = {
        test_rows,    test_one_hset, test_order,         test_two_nodes, test_flushed,
        test_scrub,   test_refused,  test_store_trouble, test_schema,    test_went_back,
        test_foreign, test_renamed,  test_expired,       test_many,      test_snapshot,
    };
    struct settings settings;
    char url[128];

    redis_fixture_start(&redis);
    settings = settings_of(url);
    store = store_new(&settings, &err);
    must(store == NULL, "store_new");
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        tests[i]();
        run("FLUSHALL");
    }
    store_free(store);
    redis_fixture_stop(&redis);
    return tap_done();
}
