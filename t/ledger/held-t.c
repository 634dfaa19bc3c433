#include <pthread.h>
#include <sqlite3.h>
#include <sysexits.h>

#include "lib/core/limit_check.h"
#include "lib/core/period.h"
#include "t/ledger/held_fixture.h"

/*
 * Held messages from the journal's records to those who ask for them, counted when they are
 * released and only once.
 */

#define HOUR_MS INT64_C(3600000)

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
    struct limit_source limits = {.of_holder = limits_of};
    struct held_message *m, one;
    struct limit_checks d;
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
    OK(limit_checks_of_held(&one.record, &limits, &s.arena, &d, &err) == 0 && d.count == 1 &&
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

static bool is_in(struct site *s, uint64_t number, const char *queue)
{
    struct held_message m;

    return held_find(s->held, number, &s->arena, &m, &err) == 1 &&
           slice_equal(m.place, slice_str(queue));
}

/* The queue that a message was seen in, whenever that is learnt. */
static void test_place(void)
{
    struct held_message m;
    struct site s;

    site_open(&s, "mx1");
    (void)hold(&s, "a.example", "Q1", 1000);
    (void)hold(&s, "a.example", "Q2", 1000);
    (void)hold(&s, "a.example", "Q3", 1000);
    place(&s, 1, "/etc/postfix");
    apply(&s);
    OK(is_in(&s, 1, "/etc/postfix"), "the queue, learnt in the batch of the message");
    OK(is_in(&s, 2, ""), "not known");
    place(&s, 2, "/etc/postfix-out");
    apply(&s);
    OK(is_in(&s, 2, "/etc/postfix-out"), "learnt later");
    place(&s, 2, "tollgate-relay");
    apply(&s);
    OK(is_in(&s, 2, "tollgate-relay"), "and again");
    place(&s, 3, "/etc/postfix");
    let_go(&s, RECORD_RELEASE, 3, 6000);
    place(&s, 1, "/etc/other");
    let_go(&s, RECORD_FORGET, 1, 6000);
    place(&s, 1, "/etc/other");
    place(&s, 77, "/etc/postfix");
    apply(&s);
    IS_INT(s.fold.strays, 0, "learnt and released at once");
    OK(held_find(s.held, 1, &s.arena, &m, &err) == 0 &&
           held_find(s.held, 3, &s.arena, &m, &err) == 0,
       "those are gone");
    OK(push_all(&s.node), "pushed");
    is_text("HGET|tg:{a.example}:total|out_messages", "1");
    site_remove(&s);
}

/* A ledger of 0.1.0 has no column for the queue. */
static void test_older(void)
{
    struct site s;
    sqlite3 *db;

    site_open(&s, "mx1");
    (void)hold(&s, "a.example", "Q1", 1000);
    apply(&s);
    must(sqlite3_open_v2(s.node.path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
             sqlite3_exec(db, "ALTER TABLE held DROP COLUMN place", NULL, NULL, NULL) != SQLITE_OK,
         "sqlite");
    (void)sqlite3_close(db);
    held_close(s.held);
    node_reopen(&s.node, "mx1");
    s.held = held_open(redis.dir, &err);
    OK(s.held != NULL && is_in(&s, 1, ""), "a message of an older ledger: its queue is not known");
    place(&s, 1, "/etc/postfix");
    apply(&s);
    OK(is_in(&s, 1, "/etc/postfix"), "and can be learnt");
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
    must(clock_zone_set("UTC", &err), "clock_zone_set");
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

/* Whoever released it may not have told the MTA. */
static void test_released(void)
{
    int64_t now_ms = clock_unix_ms();
    struct held_message *m, one;
    struct site s;

    site_open(&s, "mx1");
    (void)hold(&s, "a.example", "Q1", now_ms - 2 * HOUR_MS);
    (void)hold(&s, "a.example", "Q2", now_ms - 2 * HOUR_MS);
    (void)hold(&s, "a.example", "Q3", now_ms - 2 * HOUR_MS);
    apply(&s);
    let_go(&s, RECORD_RELEASE, 1, now_ms - 1000);
    let_go(&s, RECORD_FORGET, 2, now_ms - 1000);
    let_go(&s, RECORD_RELEASE, 3, now_ms - HOUR_MS - 1000);
    apply(&s);
    OK(list(&s, "a.example", 0, 10, &m) == 1 && m[0].number == 1 && m[0].released,
       "one that was released just now is told of");
    OK(held_find(s.held, 1, &s.arena, &one, &err) == 1 && one.released, "either way");
    IS_INT(held_find(s.held, 2, &s.arena, &one, &err), 0, "not one that was forgotten");
    IS_INT(held_find(s.held, 3, &s.arena, &one, &err), 0, "nor one released long ago");
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
    IS_INT(rows(&s), 2, "held and let go in one batch: Redis may show it all the same");
    let_go(&s, RECORD_FORGET, 2, (NOW_S - 6 * 86400) * 1000);
    (void)hold(&s, "a.example", "Q3", NOW_S * 1000);
    apply(&s);
    OK(push_all(&s.node), "pushed");
    IS_INT(rows(&s), 2, "one that is gone is remembered for a while");
    (void)hold(&s, "a.example", "Q4", (NOW_S + 2 * 86400) * 1000);
    apply(&s);
    s.node.now.now_s = NOW_S + 2 * 86400;
    s.node.now.counted_through = s.node.now.now_s - 1;
    OK(push_all(&s.node), "the clock goes on");
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
    static void (*const tests[])(void) = {test_list,     test_place,  test_older,   test_counts,
                                          test_released, test_pruned, test_damaged, test_threads};

    return push_tests_run(tests, sizeof tests / sizeof tests[0]);
}
