#include <pthread.h>
#include <sqlite3.h>
#include <sysexits.h>

#include "lib/core/demand.h"
#include "lib/core/period.h"
#include "lib/store/fold.h"
#include "lib/store/held.h"
#include "lib/store/ledger_held.h"
#include "t/store/push_fixture.h"

/*
 * Held messages from the journal's records to those who ask for them, into Redis and out again,
 * counted when they are released and only once.
 */

#define HOUR_MS INT64_C(3600000)

/* A node that folds records, numbered as the journal does. */
struct site {
    struct node node;
    struct fold fold;
    struct held_messages *held;
    struct arena arena;
    uint64_t number;
};

static void site_open(struct site *s, const char *name)
{
    static const struct fold_config config = {.users = true, .users_max = 10000};

    *s = (struct site){.number = 0};
    node_open(&s->node, "ledger.db", name, SCRUB_MS);
    fold_init(&s->fold, &config, SLICE("@mx1"));
    s->held = held_open(redis.dir, &err);
    must(s->held == NULL, "held_open");
    arena_init(&s->arena, 64 << 20);
}

static void site_remove(struct site *s)
{
    held_close(s->held);
    fold_fini(&s->fold);
    arena_fini(&s->arena);
    node_remove(&s->node);
}

static void apply(struct site *s)
{
    struct journal_position position = {1, s->number, s->number + 1};

    must(fold_apply(&s->fold, s->node.ledger, position, &err), "fold_apply");
}

/* Takes a record into the batch; its number. */
static uint64_t add(struct site *s, struct record r, int64_t time_ms)
{
    r.number = ++s->number;
    r.time_ms = time_ms;
    must(fold_add(&s->fold, s->node.ledger, &r, &err), "fold_add");
    return r.number;
}

/* One recipient of alice's, held in the line of `account`. */
static uint64_t hold(struct site *s, const char *account, const char *queue_id, int64_t time_ms)
{
    struct slice name = slice_str(account);
    struct leg out = {
        .kind = LEG_OUT, .account = name, .messages = 1, .recipients = 1, .bytes = 500};
    struct leg user = out, node = out, all = {.kind = LEG_MESSAGE, .messages = 1, .bytes = 500};
    struct amount stopped = {name, SLICE_NONE, COUNTER_THROTTLED_RECIPIENTS, 1};
    struct leg legs[4], wanted[3];

    user.user = SLICE("alice@example.com");
    node.account = all.account = SLICE(ACCOUNT_NODE);
    legs[0] = wanted[0] = out;
    legs[1] = wanted[1] = user;
    legs[2] = wanted[2] = node;
    legs[3] = all;
    for (size_t i = 0; i < 3; i++)
        wanted[i].sends = true;
    return add(s,
               (struct record){.kind = RECORD_HELD,
                               .queue_id = slice_str(queue_id),
                               .bytes = 500,
                               .legs = legs,
                               .leg_count = 4,
                               .amounts = &stopped,
                               .amount_count = 1,
                               .held_by = name,
                               .client_ip = SLICE("192.0.2.1"),
                               .wanted = wanted,
                               .wanted_count = 3},
               time_ms);
}

static void let_go(struct site *s, enum record_kind kind, uint64_t held_number, int64_t time_ms)
{
    struct record r = {.kind = kind, .queue_id = SLICE("Q"), .held_number = held_number};

    (void)add(s, r, time_ms);
}

static size_t list(struct site *s, const char *account, uint64_t after, size_t limit,
                   struct held_message **messages)
{
    size_t count = 0;

    arena_reset(&s->arena);
    must(held_list(s->held, slice_str(account), after, limit, &s->arena, messages, &count, &err),
         "held_list");
    return count;
}

static int limits_of(void *context, struct slice domain, struct arena *a, struct limit_list *out,
                     struct err *e)
{
    static struct limit l = {
        .scope = LIMIT_USER, .metric = METRIC_BYTES, .max = 1, .action = ACTION_HOLD};

    (void)context;
    (void)domain;
    (void)a;
    (void)e;
    *out = (struct limit_list){&l, 1};
    return 0;
}

static void test_list(void)
{
    struct limit_source limits = {.of_domain = limits_of};
    struct held_message *m, one;
    struct demands d;
    struct site s;

    site_open(&s, "mx1");
    (void)hold(&s, "b.example", "Q1", 1000);
    (void)hold(&s, "a.example", "Q2", 5000);
    (void)hold(&s, "b.example", "Q3", 3000);
    IS_INT(list(&s, "", 0, 10, &m), 0, "not there before they are folded");
    apply(&s);
    IS_INT(list(&s, "", 0, 10, &m), 3, "all of them");
    OK(m[0].number == 1 && m[1].number == 2 && m[2].number == 3, "in the order they were held");
    IS_INT(list(&s, "b.example", 0, 10, &m), 2, "those of one account");
    IS_SLICE(m[1].queue_id, SLICE("Q3"), "with queue id");
    IS_SLICE(m[1].account, SLICE("b.example"), "account");
    IS_INT(m[1].time_ms, 3000, "and time");
    IS_INT(list(&s, "b.example", 1, 10, &m), 1, "beyond the first");
    IS_INT(list(&s, "", 0, 2, &m), 2, "as many as asked for");

    IS_INT(held_find(s.held, 2, &s.arena, &one, &err), 1, "one by its number");
    IS_INT(held_find(s.held, 4, &s.arena, &one, &err), 0, "no other");
    OK(demands_of_held(&one.record, &limits, &s.arena, &d, &err) == 0 && d.count == 1 &&
           d.list[0].amount == 500 && d.list[0].stops,
       "it wants again what it wanted");
    IS_SLICE(d.list[0].subject, SLICE("alice@example.com"), "of its user's limit");
    IS_SLICE(one.record.client_ip, SLICE("192.0.2.1"), "from its client");
    let_go(&s, RECORD_FORGET, 1, 6000);
    let_go(&s, RECORD_RELEASE, 2, 6000);
    apply(&s);
    IS_INT(list(&s, "", 0, 10, &m), 1, "those let go are gone");
    IS_INT(held_find(s.held, 2, &s.arena, &one, &err), 0, "for the other way of asking, too");
    site_remove(&s);
}

static void is_counter(const char *kind, int64_t time_ms, const char *field, const char *want)
{
    char text[200], period[PERIOD_TEXT] = "";

    if (time_ms > 0)
        period_name(PERIOD_HOUR, (time_t)(time_ms / 1000), period);
    (void)snprintf(text, sizeof text, "HGET|tg:{a.example}:%s%s|%s", kind, period, field);
    is_text(text, want);
}

/* Counted at the time of the release. */
static void test_counts(void)
{
    int64_t base_ms = clock_unix_ms() / HOUR_MS * HOUR_MS;
    struct site s;

    site_open(&s, "mx1");
    must(zone_set("UTC", &err), "zone_set");
    (void)hold(&s, "a.example", "Q1", base_ms);
    (void)hold(&s, "a.example", "Q2", base_ms);
    apply(&s);
    OK(push_all(&s.node), "pushed");
    is_counter("hour:", base_ms, "throttled_recipients", "2");
    is_counter("hour:", base_ms, "out_messages", "");
    is_text("HGET|tg:{@mx1}:total|messages", "");
    let_go(&s, RECORD_RELEASE, 1, base_ms + 2 * HOUR_MS);
    let_go(&s, RECORD_RELEASE, 1, base_ms + 2 * HOUR_MS);
    let_go(&s, RECORD_FORGET, 2, base_ms + 2 * HOUR_MS);
    apply(&s);
    let_go(&s, RECORD_RELEASE, 1, base_ms + 3 * HOUR_MS);
    let_go(&s, RECORD_RELEASE, 2, base_ms + 3 * HOUR_MS);
    let_go(&s, RECORD_RELEASE, 77, base_ms + 3 * HOUR_MS);
    apply(&s);
    OK(push_all(&s.node), "pushed");
    is_counter("hour:", base_ms + 2 * HOUR_MS, "out_messages", "1");
    is_counter("hour:", base_ms + 2 * HOUR_MS, "out_bytes", "500");
    is_counter("hour:", base_ms, "out_messages", "");
    is_counter("total", 0, "out_messages", "1");
    is_text("HGET|tg:{@mx1}:total|messages", "1");
    IS_INT(s.fold.strays, 4, "what was not held is told");
    OK(strstr(s.fold.stray_first.text, "record 4 ") != NULL, "which");
    site_remove(&s);
}

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

/* The walk of every ten minutes finds what is missing. */
static void test_scrub(void)
{
    struct site s;
    redisReply *r;

    site_open(&s, "mx1");
    push_free(s.node.push);
    s.node.push =
        push_new(&(struct push_config){"tg", "0.1", NOW_S, 50}, s.node.ledger, s.node.store, &err);
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

static size_t rows(struct site *s)
{
    struct held_row row;
    size_t count = 0;

    ledger_held_walk_start(s->node.ledger, HELD_WALK_ALL, 0, 100);
    while (ledger_held_walk_next(s->node.ledger, &row, &err) == 1)
        count++;
    ledger_walk_end(s->node.ledger);
    return count;
}

static void test_pruned(void)
{
    struct site s;
    uint64_t first;

    site_open(&s, "mx1");
    first = hold(&s, "a.example", "Q1", (NOW_S - 8 * 86400) * 1000);
    (void)hold(&s, "a.example", "Q2", (NOW_S - 8 * 86400) * 1000);
    let_go(&s, RECORD_FORGET, first, (NOW_S - 8 * 86400) * 1000);
    apply(&s);
    IS_INT(rows(&s), 1, "held and let go in one batch: the ledger never has it");
    let_go(&s, RECORD_FORGET, 2, (NOW_S - 6 * 86400) * 1000);
    (void)hold(&s, "a.example", "Q3", NOW_S * 1000);
    apply(&s);
    OK(push_all(&s.node), "pushed");
    IS_INT(rows(&s), 2, "one that is gone is remembered for a while");
    (void)hold(&s, "a.example", "Q4", (NOW_S + 2 * 86400) * 1000);
    apply(&s);
    s.node.now.now_s = NOW_S + 2 * 86400;
    node_reopen(&s.node, "mx1");
    s.node.now.now_s = NOW_S + 2 * 86400;
    OK(push_all(&s.node), "two days later");
    IS_INT(rows(&s), 2, "then not any more");
    site_remove(&s);
}

static void outside_sql(struct site *s, const char *sql)
{
    sqlite3 *db;

    OK(sqlite3_open(s->node.path, &db) == SQLITE_OK &&
           sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK,
       sql);
    (void)sqlite3_close(db);
}

static void test_damaged(void)
{
    struct record release = {.kind = RECORD_RELEASE, .number = 2, .held_number = 1};
    struct held_message *m;
    struct site s;
    size_t count;

    site_open(&s, "mx1");
    (void)hold(&s, "a.example", "Q1", 1000);
    apply(&s);
    outside_sql(&s, "UPDATE held SET body = x'0203'");
    OK(fold_add(&s.fold, s.node.ledger, &release, &err) == -1 && err.code == EX_DATAERR,
       "a damaged message is not released");
    OK(held_list(s.held, SLICE_NONE, 0, 9, &s.arena, &m, &count, &err) == -1 &&
           err.code == EX_DATAERR,
       "nor listed");
    fold_reset(&s.fold);
    held_close(s.held);
    outside_sql(&s, "DROP TABLE held");
    node_reopen(&s.node, "mx1");
    s.held = held_open(redis.dir, &err);
    OK(s.held != NULL, "a ledger from before gets its table");
    OK(held_open("/nowhere", &err) == NULL && err.code == EX_NOINPUT, "no ledger at all");
    site_remove(&s);
}

struct listing {
    struct held_messages *held;
    bool is_over, is_bad;
    unsigned times;
};

static void *list_on(void *arg)
{
    struct listing *l = arg;
    struct arena arena;

    arena_init(&arena, 8 << 20);
    while (!__atomic_load_n(&l->is_over, __ATOMIC_ACQUIRE)) {
        struct held_message *m;
        struct err e;
        size_t count;

        arena_reset(&arena);
        if (held_list(l->held, SLICE_NONE, 0, 1000, &arena, &m, &count, &e) != 0)
            l->is_bad = true;
        (void)__atomic_add_fetch(&l->times, 1, __ATOMIC_ACQ_REL);
    }
    arena_fini(&arena);
    return NULL;
}

/* Whoever lists is not in the way of the fold, nor the other way round. */
static void test_threads(void)
{
    struct listing l = {.is_over = false};
    pthread_t threads[2];
    struct site s;

    site_open(&s, "mx1");
    l.held = s.held;
    for (int i = 0; i < 2; i++)
        must(pthread_create(&threads[i], NULL, list_on, &l), "pthread_create");
    for (unsigned i = 0; i < 100 || __atomic_load_n(&l.times, __ATOMIC_ACQUIRE) < 100; i++) {
        uint64_t number = hold(&s, "a.example", "Q1", 1000);

        apply(&s);
        let_go(&s, RECORD_RELEASE, number, 2000);
        apply(&s);
    }
    __atomic_store_n(&l.is_over, true, __ATOMIC_RELEASE);
    for (int i = 0; i < 2; i++)
        (void)pthread_join(threads[i], NULL);
    OK(!l.is_bad && s.fold.strays == 0, "listed by two threads while it changes");
    IS_INT(ledger_sync(s.node.ledger, &err), 1, "nobody holds the ledger");
    site_remove(&s);
}

int main(void)
{
    static void (*const tests[])(void) = {test_list,    test_counts, test_shown,   test_reused,
                                          test_scrub,   test_many,   test_refused, test_pruned,
                                          test_damaged, test_threads};

    return push_tests_run(tests, sizeof tests / sizeof tests[0]);
}
