#include "t/ledger/push_fixture.h"

/* A ledger that was restored from a backup, or has lost its end: each message is counted once. */

/* The ledger's file is as it was when it had counted 5 messages of a.example; after that, `more`
 * was counted and pushed. */
static void restore(struct node *n, const char *more, uint64_t number)
{
    node_open(n, "a.db", "mx1", SCRUB_MS);
    count_total(n, "a.example", "in_messages 5", 5);
    OK(push_all(n), "pushed");
    copy_ledger(n, "backup.db");
    count_total(n, "a.example", more, number);
    OK(push_all(n), "pushed more");
    node_close(n);
    copy_file("backup.db", "a.db");
}

static void test_restored(void)
{
    struct node n;

    restore(&n, "in_messages 2", 7);
    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "a.example", "in_messages 2", 7);
    count_total(&n, "b.example", "in_messages 3", 10);
    OK(push_all_patiently(&n), "pushed from the restored ledger");
    OK(found(&push_findings(n.push)->left, "mx1", "restored"), "reported");
    is_text("HGET|tg:{a.example}:total|in_messages", "9");
    is_text("HGET|tg:{b.example}:total|in_messages", "3");
    count_total(&n, "b.example", "in_messages 1", 11);
    OK(push_all(&n), "and goes on");
    is_text("HGET|tg:{b.example}:total|in_messages", "4");
    run("FLUSHALL");
    OK(push_all(&n), "a loss");
    is_text("HGET|tg:{a.example}:total|in_messages", "9");
    is_text("HGET|tg:{b.example}:total|in_messages", "4");
    node_remove(&n);
}

/* The same, and Redis is away at the start: what is counted before it answers is not mixed with
 * what the backup had. */
static void test_restored_away(void)
{
    struct node n;

    restore(&n, "in_messages 25", 30);
    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "a.example", "in_messages 2", 8);
    node_reopen(&n, "mx1");
    count_total(&n, "a.example", "in_messages 3", 31);
    OK(push_all_patiently(&n), "it answers only in the second run");
    is_text("HGET|tg:{a.example}:total|in_messages", "35");
    node_remove(&n);
}

/* The same, and Redis is emptied before it has heard of the new share: what it had of the old one
 * is lost, too. */
static void test_restored_emptied(void)
{
    struct node n;

    restore(&n, "in_messages 2", 7);
    node_open(&n, "a.db", "mx1", SCRUB_MS);
    must(push_step(n.push, &n.now, 100, &err) < 0, "the share is left");
    OK(found(&push_findings(n.push)->left, "mx1", "restored"), "a new share that nobody knows");
    run("FLUSHALL");
    node_reopen(&n, "mx1");
    OK(push_all(&n) && push_findings(n.push)->losses == 1, "a loss");
    is_text("HGET|tg:{a.example}:total|in_messages", "5");
    node_remove(&n);
}

/* Redis is put back to a time before the share was left. A ledger that is lost now and made again
 * goes on as the share that is named there: until it is the present one, no row goes out. */
static void test_put_back(void)
{
    char line[200];
    struct node n;

    restore(&n, "in_messages 2", 7);
    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "a.example", "in_messages 2", 7);
    OK(push_all_patiently(&n), "pushed under a new share");
    (void)snprintf(line, sizeof line,
                   "HSET|tg:{@mx1}:node|_ledger|%s|_run|other|_stamp|3|_number|8|_since|0",
                   ledger_id(n.ledger));
    run(line);
    count_total(&n, "a.example", "in_messages 10", 8);
    steps_for(&n, 1100);
    is_text("HGET|tg:{a.example}:total|in_messages", "9");
    OK(push_all_patiently(&n), "nobody else writes the hash");
    is_text("HGET|tg:{a.example}:total|in_messages", "19");
    node_remove(&n);
}

/* A power failure took the end of the ledger, the journal has it all: no new share. */
static void test_refolded(void)
{
    struct ledger_share_info share;
    struct node n;

    restore(&n, "in_messages 25", 30);
    journal_next = 31;
    node_open(&n, "a.db", "mx1", SCRUB_MS);
    journal_next = 0;
    n.now.is_caught_up = false;
    count_total(&n, "a.example", "in_messages 10", 15);
    steps_for(&n, 50);
    is_text("HGET|tg:{a.example}:total|in_messages", "30");
    is_text("HGET|tg:{@mx1}:node|_number", "31");
    count_total(&n, "a.example", "in_messages 15", 30);
    n.now.is_caught_up = true;
    count_total(&n, "a.example", "in_messages 1", 31);
    OK(push_all(&n), "pushed after the fold");
    is_text("HGET|tg:{a.example}:total|in_messages", "31");
    OK(!ledger_share_at(n.ledger, 1, &share), "under the same share");
    node_remove(&n);
}

/* The same, and the backup does not know the run that came after it: all that the journal had
 * belongs to the share that is left, so none is begun in the middle of it. */
static void test_refolded_older(void)
{
    struct ledger_share_info share;
    struct node n;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    count_total(&n, "a.example", "in_messages 5", 5);
    OK(push_all(&n), "pushed");
    copy_ledger(&n, "backup.db");
    node_reopen(&n, "mx1");
    count_total(&n, "a.example", "in_messages 25", 30);
    OK(push_all(&n), "and in the next run");
    node_close(&n);
    copy_file("backup.db", "a.db");
    journal_next = 31;
    node_open(&n, "a.db", "mx1", SCRUB_MS);
    journal_next = 0;
    n.now.is_caught_up = false;
    count_total(&n, "a.example", "in_messages 10", 15);
    steps_for(&n, 1100);
    OK(!ledger_share_at(n.ledger, 1, &share), "no new share before the fold is through");
    count_total(&n, "a.example", "in_messages 15", 30);
    n.now.is_caught_up = true;
    count_total(&n, "a.example", "in_messages 1", 31);
    OK(push_all_patiently(&n), "pushed after the fold");
    is_text("HGET|tg:{a.example}:total|in_messages", "31");
    OK(ledger_share_at(n.ledger, 1, &share), "under a new share");
    node_remove(&n);
}

int main(void)
{
    static void (*const tests[])(void) = {test_restored, test_restored_away, test_restored_emptied,
                                          test_put_back, test_refolded,      test_refolded_older};

    return push_tests_run(tests, sizeof tests / sizeof tests[0]);
}
