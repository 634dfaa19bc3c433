#include "lib/ledger/adopt.h"
#include "lib/ledger/ledger_seal.h"
#include "t/ledger/push_fixture.h"

/* Rows of a period that is over: what the walks of a fleet make of them, and what undoes it. */

#define NODES    3
#define DAY      "tg:{x.example}:day:2025-11-18"
#define USERS    "tg:{x.example}:users:day:2025-11-18"
#define TODAY    "tg:{x.example}:day:2025-11-21"
#define SCRUB_AT 30
#define COUNTS   "in_messages 2 in_bytes 700 out_messages 1"

static const char *const names[NODES] = {"mx1", "mx2", "mx3"};
static enum push_program program = PUSH_MILTER;

static void fleet_open(struct node *n, size_t i)
{
    struct push_config like = {.program = program, .seal_after_s = PUSH_SEAL_AFTER_S};

    node_open_as(n, names[i], names[i], SCRUB_AT, &like);
}

static void fleet_count(struct node *n, uint64_t number)
{
    static const struct {
        enum row_kind kind;
        const char *period, *user;
    } rows[] = {{ROW_TOTAL, "", ""},
                {ROW_DAY, "2025-11-18", ""},
                {ROW_DAY, "2025-11-21", ""},
                {ROW_USERS_DAY, "2025-11-18", "alice@x.example"}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        count_into(n, key_of("x.example", rows[i].kind, rows[i].period, rows[i].user), COUNTS,
                   number, 0);
}

/* The time of the last record is what rows grow old by. */
static void latest_set(struct node *n)
{
    struct ledger_meta meta = *ledger_meta(n->ledger);

    meta.latest_ms = NOW_S * 1000;
    must(ledger_meta_set(n->ledger, &meta, &err), "meta_set");
}

/* All know each other then. */
static void fleet_start(struct node nodes[NODES])
{
    for (size_t i = 0; i < NODES; i++) {
        fleet_open(&nodes[i], i);
        fleet_count(&nodes[i], 10 * (i + 1));
        latest_set(&nodes[i]);
        OK(push_all(&nodes[i]), "pushed");
    }
    for (size_t i = 0; i < NODES; i++) {
        node_close(&nodes[i]);
        fleet_open(&nodes[i], i);
    }
}

static void fleet_stop(struct node nodes[NODES])
{
    node_remove(&nodes[0]);
    node_remove(&nodes[1]);
    node_remove(&nodes[2]);
}

static long long number_of(const char *text)
{
    redisReply *r = command("%s", text);
    long long number = r->type == REDIS_REPLY_INTEGER  ? r->integer
                       : r->type == REDIS_REPLY_STRING ? atoll(r->str)
                                                       : -1;

    freeReplyObject(r);
    return number;
}

/* Walks until there are so many fields. */
static bool fleet_walk(struct node nodes[NODES], const char *length, long long want)
{
    for (int i = 0; i < 500 && number_of(length) != want; i++) {
        for (size_t k = 0; k < NODES; k++)
            must(push_step(nodes[k].push, &nodes[k].now, 100, &err) < 0, "push_step");
        clock_sleep_ms(5);
    }
    return number_of(length) == want;
}

/* So many walks; what is to happen would have happened. */
static void fleet_walks(struct node nodes[NODES], int walks)
{
    for (int i = 0; i < walks; i++) {
        for (size_t k = 0; k < NODES; k++)
            must(push_step(nodes[k].push, &nodes[k].now, 100, &err) < 0, "push_step");
        clock_sleep_ms(SCRUB_AT + 5);
    }
}

static void test_walks(void)
{
    struct node nodes[NODES];
    redisReply *sealed;

    fleet_start(nodes);
    OK(fleet_walk(nodes, "HLEN|" DAY, 4),
       "a day that is over is sealed: its counters and the seal");
    is_text("HGET|" DAY "|in_messages", "6");
    is_text("HGET|" DAY "|in_bytes", "2100");
    OK(fleet_walk(nodes, "HLEN|" USERS, 5), "and its users");
    is_text("HGET|" USERS "|alice@x.example in_messages", "6");
    is_number("HEXISTS|" TODAY "|_sealed.0", 0);
    is_number("HEXISTS|tg:{x.example}:total|_sealed.0", 0);

    count_into(&nodes[1], key_of("x.example", ROW_DAY, "2025-11-18", ""), "in_messages 1", 50, 0);
    OK(push_all(&nodes[1]), "a late record");
    is_text("HGET|" DAY "|in_messages", "7");
    sealed = command("DUMP|" DAY);
    OK(fleet_walk(nodes, "HLEN|" DAY, 4), "sealed again");
    is_text("HGET|" DAY "|in_messages", "7");

    /* Redis as it was before that, and before the record. */
    freeReplyObject(store_command(store, 5,
                                  (struct slice[]){SLICE("RESTORE"), SLICE(DAY), SLICE("0"),
                                                   link_reply_text(sealed), SLICE("REPLACE")},
                                  1000, &err));
    freeReplyObject(sealed);
    OK(fleet_walk(nodes, "HLEN|" DAY, 4), "an older one is sealed, too");
    is_text("HGET|" DAY "|in_messages", "7");
    run("FLUSHALL");
    fleet_walks(nodes, 12);
    is_text("HGET|" DAY "|in_messages", "7");
    is_text("HGET|" DAY "|in_bytes", "2100");
    is_text("HGET|" USERS "|alice@x.example out_messages", "3");
    fleet_stop(nodes);
}

/* Rows of collectors are sealed like those of milters. */
static void test_collectors(void)
{
    struct node nodes[NODES];

    program = PUSH_COLLECTOR;
    fleet_start(nodes);
    OK(fleet_walk(nodes, "HLEN|" DAY, 4), "a day that is over is sealed");
    is_text("HGET|" DAY "|in_bytes", "2100");
    count_into(&nodes[1], key_of("x.example", ROW_DAY, "2025-11-18", ""), "in_messages 1", 50, 0);
    OK(push_all(&nodes[1]), "a late line");
    is_text("HGET|" DAY "|in_messages", "7");
    OK(fleet_walk(nodes, "HLEN|" DAY, 4), "sealed again");
    is_text("HGET|" DAY "|in_messages", "7");
    fleet_stop(nodes);
    program = PUSH_MILTER;
}

/* A Redis of before a late record, with the seal of then. */
static void test_older_seal(void)
{
    struct node nodes[NODES];
    redisReply *sealed;

    fleet_start(nodes);
    OK(fleet_walk(nodes, "HLEN|" DAY, 4), "sealed");
    sealed = command("DUMP|" DAY);
    for (uint64_t number = 60; number < 64; number++) {
        count_into(&nodes[0], key_of("x.example", ROW_DAY, "2025-11-18", ""), "in_messages 1",
                   number, 0);
        OK(push_all(&nodes[0]), "a late record");
        if (number % 2 == 0)
            fleet_walks(nodes, 4);
    }
    is_text("HGET|" DAY "|in_messages", "10");
    freeReplyObject(store_command(store, 5,
                                  (struct slice[]){SLICE("RESTORE"), SLICE(DAY), SLICE("0"),
                                                   link_reply_text(sealed), SLICE("REPLACE")},
                                  1000, &err));
    freeReplyObject(sealed);
    is_text("HGET|" DAY "|in_messages", "6");
    OK(fleet_walk(nodes, "HGET|" DAY "|in_messages", 10), "all is there again");
    fleet_walks(nodes, 4);
    is_text("HGET|" DAY "|in_messages", "10");
    for (size_t i = 0; i < NODES; i++)
        IS_INT((long long)push_findings(nodes[i].push)->refused, 0, "nothing refused");
    fleet_stop(nodes);
}

/* The ledger was made again without its rows: it says so, and the others go on. */
static void test_unknown(void)
{
    struct node nodes[NODES];

    fleet_start(nodes);
    OK(fleet_walk(nodes, "HLEN|" DAY, 4), "sealed");
    must(ledger_execute(nodes[0].ledger, "DELETE FROM formers; UPDATE rows SET final = 0",
                        "testing", &err),
         "execute");
    count_into(&nodes[0], key_of("x.example", ROW_DAY, "2025-11-18", ""), "in_messages 1", 70, 0);
    fleet_walks(nodes, 2);
    is_text("HGET|" DAY "|in_messages", "6");
    OK(push_findings(nodes[0].push)->refused > 0, "refused");
    OK(strstr(push_findings(nodes[0].push)->refused_first.text, "_sealed.0") != NULL,
       push_findings(nodes[0].push)->refused_first.text);
    run("DEL|" DAY);
    fleet_walks(nodes, 6);
    clock_sleep_ms(SCRUB_AT + 5);
    OK(fleet_walk(nodes, "HGET|" DAY "|in_messages", 7), "deleted, it comes back");
    fleet_stop(nodes);
}

/* Nobody seals what another program could not read. */
static void test_older_program(void)
{
    struct node nodes[NODES];
    char seen[100];

    (void)snprintf(seen, sizeof seen, "HSET|tg:{@old}:node|_rows|2|seen|%lld", (long long)NOW_S);
    run(seen);
    run("SADD|tg:nodes|old");
    fleet_start(nodes);
    fleet_walks(nodes, 6);
    is_number("HEXISTS|" DAY "|_sealed.0", 0);
    run("HSET|tg:{@old}:node|_rows|3");
    for (size_t i = 0; i < NODES; i++) {
        node_close(&nodes[i]);
        fleet_open(&nodes[i], i);
    }
    OK(fleet_walk(nodes, "HLEN|" DAY, 4), "all know seals");
    fleet_stop(nodes);
}

/* A ledger made again of Redis: it cannot know what the seal has of it, and needs not. */
static void test_adopted(void)
{
    struct adopt_source from = {.store = store, .prefix = "tg", .keep = {1, 1, 1}};
    struct row_key key = key_of("x.example", ROW_DAY, "2025-11-18", "");
    struct adopt_result found;
    struct node nodes[NODES];
    struct row row;

    fleet_start(nodes);
    OK(fleet_walk(nodes, "HLEN|" DAY, 4), "sealed");
    OK(fleet_walk(nodes, "HLEN|" USERS, 5), "and its users");
    must(push_all(&nodes[0]) ? 0 : -1, "push_all");
    node_remove(&nodes[0]);
    nodes[0].ledger = ledger_open(nodes[0].path, names[0], &err);
    must(nodes[0].ledger == NULL, "ledger_open");
    must(adopt_rows(nodes[0].ledger, &from, &found, &err), "adopt_rows");
    IS_INT((long long)found.rows, 4, "all rows");
    IS_INT((long long)found.sealed, 2, "two of them in seals");
    must(ledger_row_find(nodes[0].ledger, &key, &row, NULL, &err) != 1, "row_find");
    IS_INT((long long)row.number, 10, "its number is known");
    OK(row.counters.len == 0 && row.is_final, "what it counts is not");
    latest_set(&nodes[0]);
    ledger_close(nodes[0].ledger);
    fleet_open(&nodes[0], 0);
    fleet_walks(nodes, 4);
    is_text("HGET|" DAY "|in_messages", "6");
    count_into(&nodes[0], key, "in_messages 1", 90, 0);
    OK(push_all(&nodes[0]), "a late record");
    is_text("HGET|" DAY "|in_messages", "7");
    OK(fleet_walk(nodes, "HLEN|" DAY, 4), "sealed again");
    is_text("HGET|" DAY "|in_messages", "7");
    is_text("HGET|" USERS "|alice@x.example in_messages", "6");
    fleet_stop(nodes);
}

/* What the ledger keeps. */
static void test_formers(void)
{
    struct row_key key = key_of("x.example", ROW_DAY, "2025-11-18", "");
    struct row row;
    struct node n;
    struct buf text;

    fleet_open(&n, 0);
    buf_init(&text, 4096);
    count_into(&n, key, "in_messages 1", 5, 0);
    count_into(&n, key, "in_messages 1", 6, 0);
    must(ledger_row_find(n.ledger, &key, &row, NULL, &err) != 1, "row_find");
    OK(!row.is_final && !row.has_formers, "as a row begins");
    must(ledger_row_finish(n.ledger, row.id, 5, &err), "row_finish");
    must(ledger_row_find(n.ledger, &key, &row, NULL, &err) != 1, "row_find");
    OK(!row.is_final, "it has changed since");
    must(ledger_row_finish(n.ledger, row.id, 6, &err), "row_finish");
    for (uint64_t number = 7; number < 9; number++)
        count_into(&n, key, "in_messages 1", number, 0);
    must(ledger_row_find(n.ledger, &key, &row, NULL, &err) != 1, "row_find");
    OK(!row.is_final && row.has_formers, "changed");
    must(ledger_formers(n.ledger, row.id, &text, &err), "formers");
    IS_SLICE(buf_slice(&text), SLICE("6 in_messages 2\n"), "only what was final is kept");
    must(ledger_row_delete(n.ledger, row.id, &err), "row_delete");
    buf_reset(&text);
    must(ledger_formers(n.ledger, row.id, &text, &err), "formers");
    IS_INT((long long)text.len, 0, "it goes with the row");
    buf_fini(&text);
    node_remove(&n);
}

int main(void)
{
    static void (*const tests[])(void) = {test_walks,   test_collectors,    test_older_seal,
                                          test_unknown, test_older_program, test_adopted,
                                          test_formers};

    return push_tests_run(tests, sizeof tests / sizeof tests[0]);
}
