#include <sysexits.h>

#include "t/ledger/push_fixture.h"

/* A ledger that was copied, and a Redis that others write to: each message is counted once. */

static struct push_findings *clear(struct node *n)
{
    *push_findings(n->push) = (struct push_findings){0};
    return push_findings(n->push);
}

/* A hand in Redis, at every kind of field. */
static void test_hand(void)
{
    struct node n;
    struct push_findings *f;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "a.example", "in_messages 12", 5);
    count_total(&n, "b.example", "in_messages 2", 6);
    OK(push_all(&n), "pushed");
    run("HSET|tg:{b.example}:total|_mx9.00000009|4 in_messages 40|_nodes|_mx9.00000009");
    {
        char line[200];

        (void)snprintf(line, sizeof line,
                       "HSET|tg:{a.example}:total|_mx1.%s|999999999999 in_messages 5000",
                       ledger_id(n.ledger));
        run(line);
    }
    run("HSET|tg:{a.example}:total|in_messages|77|out_bytes|99999999999|stray|5");
    node_reopen(&n, "mx1");
    f = push_findings(n.push);
    OK(push_all(&n), "the next walk");
    OK(f->undone == 1 && found(&f->undone_first, "tg:{a.example}:total", "999999999999"),
       "the share is reported");
    is_text("HGET|tg:{a.example}:total|in_messages", "12");
    is_text("HGET|tg:{a.example}:total|out_bytes", "0");
    is_text("HGET|tg:{a.example}:total|stray", "0");
    is_text("HGET|tg:{b.example}:total|in_messages", "42");
    run("HDEL|tg:{b.example}:total|_nodes");
    count_total(&n, "b.example", "in_messages 1", 7);
    count_total(&n, "a.example", "in_messages 1", 8);
    OK(push_all(&n), "the list of shares is gone");
    is_text("HGET|tg:{b.example}:total|in_messages", "43");
    run("FLUSHALL");
    OK(push_all(&n), "a loss");
    is_text("HGET|tg:{a.example}:total|in_messages", "13");
    node_remove(&n);
}

#define USERS "tg:{a.example}:users:month:2025-11"

/* The same for users, with a row and without one; in a small hash and in one of several pages. */
static void users_hand(int count)
{
    struct node n, other;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    node_open(&other, "b.db", "mx2", SCRUB_MS);
    count_into(&n, key_of("a.example", ROW_MONTH, "2025-11", ""), "in_messages 12", 5, 0);
    for (int i = 0; i < count; i++) {
        char name[40];

        (void)snprintf(name, sizeof name, "_u%d@a.example.de", i);
        count_into(&n, key_of("a.example", ROW_USERS_MONTH, "2025-11", name), "in_messages 2", 5,
                   0);
    }
    OK(push_all(&n), "pushed");
    count_into(&other, key_of("a.example", ROW_USERS_MONTH, "2025-11", "_u0@a.example.de"),
               "in_messages 1", 5, 0);
    OK(push_all(&other), "by two nodes");
    {
        char line[200];

        (void)snprintf(line, sizeof line, "_mx1.%s _mx2.%s", ledger_id(n.ledger),
                       ledger_id(other.ledger));
        is_text("HGET|" USERS "|_nodes", line);
        (void)snprintf(line, sizeof line,
                       "HSET|" USERS "|_mx2.%s bad@a.example|3 rubbish|bad@a.example in_messages|9",
                       ledger_id(other.ledger));
        run(line);
    }
    run("HINCRBY|" USERS "|_u1@a.example.de out_messages|5");
    run("HINCRBY|" USERS "|_u0@a.example.de in_messages|7");
    run("HSET|" USERS "|none@a.example in_messages|5|_none in_bytes|6|stray|7|_kept|1");
    run("HSET|" USERS "|_mx9.00000009 gone@a.example|3 in_messages 4|gone@a.example in_messages|9");
    node_reopen(&n, "mx1");
    OK(push_all(&n), "the next walk");
    is_number("HEXISTS|" USERS "|_u1@a.example.de out_messages", 0);
    is_text("HGET|" USERS "|_u1@a.example.de in_messages", "2");
    is_text("HGET|" USERS "|_u0@a.example.de in_messages", "3");
    is_number("HEXISTS|" USERS "|none@a.example in_messages", 0);
    is_number("HEXISTS|" USERS "|_none in_bytes", 0);
    is_number("HEXISTS|" USERS "|stray", 0);
    is_text("HGET|" USERS "|_kept", "1");
    is_text("HGET|" USERS "|gone@a.example in_messages", "4");
    is_text("HGET|" USERS "|bad@a.example in_messages", "9");
    is_number("HLEN|" USERS, 1 + 2 * count + 1 + 1 + 2 + 2);
    node_remove(&n);
    node_remove(&other);
    run("FLUSHALL");
}

static void test_users_hand(void)
{
    users_hand(3);
    users_hand(3000);
}

/* Both take mail, with the same node name. */
static void test_copied(void)
{
    struct node n, copy;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "a.example", "in_messages 5", 5);
    OK(push_all(&n), "pushed");
    copy_ledger(&n, "copy.db");
    node_reopen(&n, "mx1");
    OK(push_all(&n), "the original starts again");
    node_open(&copy, "copy.db", "mx1", SCRUB_MS);
    for (uint64_t i = 0; i < 4; i++) {
        count_total(&n, "a.example", "in_messages 1", 6 + i);
        count_total(&copy, "a.example", "in_messages 1", 6 + i);
        steps_for(&n, 100);
        steps_for(&copy, 100);
    }
    steps_for(&n, 1100);
    steps_for(&copy, 1100);
    steps_for(&n, 1100);
    is_text("HGET|tg:{a.example}:total|in_messages", "13");
    OK(found(&push_findings(copy.push)->left, "copy", "host of a.db"), "the copy knows it is one");
    OK(found(&push_findings(copy.push)->rival, "mx1", "host of a.db"), "says so");
    OK(found(&push_findings(n.push)->rival, "mx1", "host of copy.db"), "and so does the original");
    OK(clear(&n)->losses + clear(&copy)->losses == 0, "nothing swings");
    node_close(&n);
    count_total(&copy, "a.example", "in_messages 1", 10);
    steps_for(&copy, 7500);
    OK(push_all(&copy), "the original is gone");
    is_text("HGET|tg:{a.example}:total|in_messages", "14");
    is_text("HGET|tg:{@mx1}:node|_host", "host of copy.db");
    copy.now.counted_through = NOW_S + 7;
    OK(push_all(&copy), "and its hash is the copy's");
    is_text("HGET|tg:{@mx1}:node|pushed_through", "1763730007");
    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "a.example", "in_messages 1", 10);
    steps_for(&n, 2600);
    is_text("HGET|tg:{a.example}:total|in_messages", "15");
    node_remove(&n);
    node_remove(&copy);
}

/* A machine that was moved: nobody else writes its hash. */
static void test_moved(void)
{
    struct ledger_share_info share;
    struct node n, moved;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "a.example", "in_messages 5", 5);
    OK(push_all(&n), "pushed");
    copy_ledger(&n, "moved.db");
    node_close(&n);
    node_open(&moved, "moved.db", "mx1", SCRUB_MS);
    count_total(&moved, "a.example", "in_messages 1", 6);
    steps_for(&moved, 100);
    is_text("HGET|tg:{a.example}:total|in_messages", "5");
    steps_for(&moved, 3200);
    is_text("HGET|tg:{a.example}:total|in_messages", "6");
    OK(!ledger_share_at(moved.ledger, 1, &share), "the share goes on");
    OK(push_findings(moved.push)->rival.code == 0, "nobody is suspected");
    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "a.example", "in_messages 1", 6);
    steps_for(&n, 2600);
    OK(found(&push_findings(n.push)->left, "host of moved.db", "share"), "the original comes back");
    is_text("HGET|tg:{a.example}:total|in_messages", "7");
    node_remove(&n);
    node_remove(&moved);
}

/* The share is taken over while the original cannot reach Redis. */
static void test_taken_over(void)
{
    struct node n, copy;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "a.example", "in_messages 5", 5);
    OK(push_all(&n), "pushed");
    copy_ledger(&n, "copy.db");
    count_total(&n, "a.example", "in_messages 2", 7);
    node_open(&copy, "copy.db", "mx1", SCRUB_MS);
    count_total(&copy, "a.example", "in_messages 1", 6);
    steps_for(&copy, 3200);
    is_text("HGET|tg:{a.example}:total|in_messages", "6");
    steps_for(&n, 1100);
    OK(found(&push_findings(n.push)->left, "mx1", "host of copy.db"), "reported");
    is_text("HGET|tg:{a.example}:total|in_messages", "6");
    steps_for(&n, 2600);
    is_text("HGET|tg:{a.example}:total|in_messages", "8");
    is_text("HGET|tg:{@mx1}:node|_host", "host of a.db");
    node_remove(&n);
    node_remove(&copy);
}

/* A copy under another name does not say that the original has pushed all. */
static void test_other_name(void)
{
    struct node n, copy;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    n.now.counted_through = 1000;
    count_total(&n, "a.example", "in_messages 5", 5);
    OK(push_all(&n), "pushed");
    copy_ledger(&n, "copy.db");
    node_close(&n);
    node_open(&copy, "copy.db", "mx2", SCRUB_MS);
    count_total(&copy, "a.example", "in_messages 1", 6);
    OK(push_all(&copy) && clear(&copy)->losses == 0, "as mx2, and nothing was lost");
    steps_for(&copy, 1100);
    is_text("HGET|tg:{a.example}:total|in_messages", "6");
    is_text("HGET|tg:{@mx1}:node|pushed_through", "1000");
    is_number("HEXISTS|tg:{@mx1}:node|renamed", 0);
    node_remove(&copy);
    node_open(&n, "a.db", "mx1", SCRUB_MS);
    push_finish(n.push, true);
    OK(push_all(&n), "the original ends in order");
    push_finish(n.push, true);
    steps_for(&n, 1100);
    copy_ledger(&n, "copy.db");
    node_open(&copy, "copy.db", "mx3", SCRUB_MS);
    copy.now.counted_through = NOW_S + 5;
    OK(push_all(&copy), "and is moved under another name");
    is_text("HGET|tg:{@mx1}:node|renamed", "mx3");
    is_text("HGET|tg:{@mx1}:node|pushed_through", "1763730005");
    node_remove(&n);
    node_remove(&copy);
}

/* What is said follows the clock back. */
static void test_clock_back(void)
{
    struct node n;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    n.now.now_s = NOW_S + 40 * 86400;
    n.now.counted_through = n.now.now_s;
    count_total(&n, "a.example", "in_messages 1", 1);
    OK(push_all(&n), "the clock is ahead");
    n.now.now_s = n.now.counted_through = NOW_S;
    count_total(&n, "a.example", "in_messages 1", 2);
    OK(push_all(&n), "and right again");
    is_text("HGET|tg:{@mx1}:node|pushed_through", "1763730000");
    IS_INT(push_through(n.push), NOW_S, "in the ledger too");
    node_remove(&n);
}

static void test_clock_ahead(void)
{
    struct row_key key = key_of("a.example", ROW_HOUR, "2025-11-21T10", "");
    struct ledger_meta meta;
    struct node n;
    struct row row;

    node_open(&n, "a.db", "mx1", 100);
    count_into(&n, key, "in_messages 1", 1, NOW_S + 45 * 86400);
    OK(push_all(&n), "an hour");
    meta = *ledger_meta(n.ledger);
    meta.latest_ms = (NOW_S + 46 * 86400) * 1000;
    must(ledger_meta_set(n.ledger, &meta, &err), "meta");
    n.now.now_s = NOW_S + 46 * 86400;
    steps_for(&n, 500);
    IS_INT(ledger_row_find(n.ledger, &key, &row, NULL, &err), 1,
           "a clock that is ahead, and mail of that time, do not delete it");
    node_remove(&n);
}

static void test_wrong_types(void)
{
    struct node n;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "a.example", "in_messages 1", 1);
    OK(push_all(&n), "pushed");
    run("DEL|tg:nodes|tg:{@mx1}:node");
    run("SET|tg:nodes|x");
    run("SET|tg:{@mx1}:node|x");
    node_reopen(&n, "mx1");
    count_total(&n, "a.example", "in_messages 1", 2);
    steps_for(&n, 100);
    is_text("HGET|tg:{a.example}:total|in_messages", "2");
    OK(found(&push_findings(n.push)->refused_first, "tg:{@mx1}:node", "DEL"), "the hash is named");
    run("DEL|tg:{@mx1}:node");
    clear(&n);
    steps_for(&n, 1100);
    OK(found(&push_findings(n.push)->refused_first, "tg:nodes", "DEL"), "and the set");
    run("DEL|tg:nodes");
    steps_for(&n, 1100);
    is_number("SISMEMBER|tg:nodes|mx1", 1);
    node_remove(&n);
}

static void test_zone(void)
{
    struct node n;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    run("SET|tg:timezone|Asia/Kolkata");
    OK(!push_all(&n) && err.code == EX_CONFIG && found(&err, "Asia/Kolkata", "\"UTC\""),
       "another zone is refused");
    run("DEL|tg:timezone");
    OK(push_all(&n), "the first one to come");
    is_text("GET|tg:timezone", "UTC");
    node_remove(&n);
}

int main(void)
{
    static void (*const tests[])(void) = {
        test_hand,       test_users_hand, test_copied,      test_moved,       test_taken_over,
        test_other_name, test_clock_back, test_clock_ahead, test_wrong_types, test_zone};

    return push_tests_run(tests, sizeof tests / sizeof tests[0]);
}
