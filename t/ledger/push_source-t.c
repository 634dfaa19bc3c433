#include "lib/ledger/ledger_sql.h"
#include "t/ledger/push_fixture.h"

/* A ledger that counts from sources (the collector's), beside that of tollgated: one more share of
 * the same hashes; and its file restored or copied: each line is counted once. */

/* What a collector has: its ledger counts lines, and its source text is the number of the next. */
struct reader {
    struct node node;
    uint64_t line; /* the next */
    unsigned resumed;
    struct push_resume from;
};

static uint64_t line_of(struct slice source)
{
    uint64_t line = 1;

    (void)slice_number(source, &line);
    return line;
}

static int resume(void *context, const struct push_resume *from, struct err *e)
{
    struct reader *r = context;

    r->resumed++;
    r->from = *from;
    r->line = line_of(from->source);
    return ledger_source_set(r->node.ledger, from->source, e);
}

static void reader_open(struct reader *r, const char *file)
{
    struct push_config like = {.program = PUSH_COLLECTOR, .resume = resume, .context = r};
    struct buf text;

    node_open_as(&r->node, file, "mx1", SCRUB_MS, &like);
    buf_init(&text, 100);
    must(ledger_source(r->node.ledger, &text, &err), "source");
    r->line = line_of(buf_slice(&text));
    buf_fini(&text);
}

/* One fold of so many lines, a session and two seconds each, all of `user`. */
static void read_lines(struct reader *r, uint64_t count, const char *user)
{
    struct ledger *l = r->node.ledger;
    uint64_t number = ledger_meta(l)->position.number + (ledger_meta(l)->position.number == 0);
    char counters[100], source[32];
    struct row_key users = key_of("a.example", ROW_USERS_DAY, "2026-11-28", user);
    uint64_t known;
    bool is_new, elsewhere;

    (void)snprintf(counters, sizeof counters, "imap_connections %llu imap_connection_seconds %llu",
                   (unsigned long long)count, (unsigned long long)(2 * count));
    must(ledger_begin(l, &err), "begin");
    is_new = ledger_row_find(l, &users, &(struct row){0}, &elsewhere, &err) == 0 && !elsewhere;
    must(ledger_users_count(l, &users, &known, &err), "users");
    if (is_new)
        must(ledger_users_count_set(l, &users, known + 1, 0, &err), "users");
    count_total(&r->node, "a.example", counters, number);
    count_total(&r->node, "@mx1", counters, number);
    count_into(&r->node, users, counters, number, 0);
    r->line += count;
    (void)snprintf(source, sizeof source, "%llu", (unsigned long long)r->line);
    must(ledger_source_set(l, slice_str(source), &err), "source_set");
    must(ledger_commit(l, &err), "commit");
}

static void backup(struct reader *r)
{
    copy_ledger(&r->node, "backup.db");
}

static void test_two_programs(void)
{
    struct reader r;
    struct node n;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    reader_open(&r, "c.db");
    count_total(&n, "@mx1", "messages 5", 5);
    count_total(&n, "a.example", "in_messages 5", 5);
    read_lines(&r, 7, "u@a.example");
    r.node.now.gauges[PUSH_LINES] = 7;
    r.node.now.gauges[PUSH_GAPS] = 1;
    r.node.now.gauges[PUSH_LOG_FROM] = 1763000000;
    r.node.now.texts[PUSH_SOURCES] = SLICE("file:/var/log/mail.log journal:");
    r.node.now.texts[PUSH_NOTES] = SLICE(">= pop_bytes no %i and %o");
    OK(push_all(&n), "tollgated pushes");
    OK(push_all(&r.node), "the collector pushes");
    is_text("HGET|tg:{@mx1}:total|messages", "5");
    is_text("HGET|tg:{@mx1}:total|imap_connections", "7");
    is_text("HGET|tg:{a.example}:total|in_messages", "5");
    is_text("HGET|tg:{a.example}:total|imap_connection_seconds", "14");
    is_text("HGET|tg:{a.example}:users:day:2026-11-28|u@a.example imap_connections", "7");
    is_text("HGET|tg:{@mx1}:collect|log_through", "1763729999");
    is_text("HGET|tg:{@mx1}:collect|pushed_through", "1763729999");
    is_text("HGET|tg:{@mx1}:collect|lines", "7");
    is_text("HGET|tg:{@mx1}:collect|gaps", "1");
    is_text("HGET|tg:{@mx1}:collect|log_from", "1763000000");
    is_text("HGET|tg:{@mx1}:collect|sources", "file:/var/log/mail.log journal:");
    is_text("HGET|tg:{@mx1}:collect|notes", ">= pop_bytes no %i and %o");
    is_text("HGET|tg:{@mx1}:collect|_source", "8");
    is_number("HEXISTS|tg:{@mx1}:collect|counted_through", 0);
    is_number("HEXISTS|tg:{@mx1}:node|_source", 0);
    is_text("HGET|tg:{@mx1}:node|counted_through", "1763729999");
    OK(push_findings(n.push)->rival.code == 0 && push_findings(r.node.push)->rival.code == 0,
       "neither takes the other for a rival");
    run("FLUSHALL");
    OK(push_all_patiently(&n) && push_all_patiently(&r.node), "after a loss");
    is_text("HGET|tg:{@mx1}:total|messages", "5");
    is_text("HGET|tg:{@mx1}:total|imap_connections", "7");
    is_number("SISMEMBER|tg:nodes|mx1", 1);
    node_remove(&r.node);
    node_remove(&n);
}

static void is_users(struct reader *r, uint64_t want)
{
    struct row_key key = key_of("a.example", ROW_USERS_DAY, "2026-11-28", "");
    uint64_t count = 0;

    must(ledger_users_count(r->node.ledger, &key, &count, &err), "users");
    IS_INT(count, want, "users that have a row");
}

/* The file is as it was after 5 lines of 12; the program reads on while Redis is away, or not. */
static void restored(uint64_t before_push, bool is_new_user)
{
    struct reader r = {.line = 0};

    reader_open(&r, "c.db");
    read_lines(&r, 5, "u@a.example");
    OK(push_all(&r.node), "pushed");
    backup(&r);
    read_lines(&r, 4, "u@a.example");
    read_lines(&r, 3, "v@a.example");
    OK(push_all(&r.node), "pushed more");
    node_close(&r.node);
    copy_file("backup.db", "c.db");
    reader_open(&r, "c.db");
    IS_INT(r.line, 6, "the restored ledger stands where it did");
    if (before_push > 0)
        read_lines(&r, before_push, is_new_user ? "w@a.example" : "u@a.example");
    OK(push_all_patiently(&r.node), "pushed from the restored ledger");
    OK(strstr(push_findings(r.node.push)->left.text, "tollgate-collect") != NULL, "reported");
    IS_INT(r.resumed, 1, "told to resume");
    IS_INT(r.line, 13, "behind what was counted");
    IS_INT(r.from.counted_through, NOW_S - 1, "and to what time");
    is_text("HGET|tg:{a.example}:total|imap_connections", "12");
    is_users(&r, 1);
    read_lines(&r, 8, "u@a.example");
    OK(push_all(&r.node), "and goes on");
    is_text("HGET|tg:{a.example}:total|imap_connections", "20");
    is_text("HGET|tg:{@mx1}:total|imap_connections", "20");
    is_text("HGET|tg:{a.example}:users:day:2026-11-28|u@a.example imap_connections", "17");
    is_text("HGET|tg:{a.example}:users:day:2026-11-28|v@a.example imap_connections", "3");
    is_number("HEXISTS|tg:{a.example}:users:day:2026-11-28|w@a.example imap_connections", 0);
    is_users(&r, 1);
    run("FLUSHALL");
    OK(push_all_patiently(&r.node), "after a loss");
    is_text("HGET|tg:{a.example}:total|imap_connections", "20");
    node_remove(&r.node);
}

static void test_restored(void)
{
    restored(0, false);
    run("FLUSHALL");
    restored(9, false);
    run("FLUSHALL");
    restored(9, true);
}

/* A second collector on a copy, while the first one is stopped for a moment: what the first has
 * counted since its last claim is counted again from where the other one's claim ends. */
static void test_continued_elsewhere(void)
{
    struct reader a = {.line = 0}, b = {.line = 0};

    reader_open(&a, "c.db");
    read_lines(&a, 5, "u@a.example");
    OK(push_all(&a.node), "pushed");
    backup(&a);
    copy_file("backup.db", "d.db");
    reader_open(&b, "d.db");
    for (int i = 0; i < 200 && !push_is_finished(b.node.push); i++) {
        read_lines(&b, 1, "u@a.example");
        OK(push_all_patiently(&b.node), "the copy pushes when nobody else moves");
    }
    OK(b.line > 6, "it has counted");
    node_close(&b.node);
    read_lines(&a, 20, "u@a.example");
    OK(push_all_patiently(&a.node), "the first one goes on");
    IS_INT(a.resumed, 1, "from somewhere else");
    IS_INT(a.line, b.line, "from where the copy was");
    read_lines(&a, 30 - (a.line - 1), "u@a.example");
    OK(push_all_patiently(&a.node), "and pushes");
    is_text("HGET|tg:{a.example}:total|imap_connections", "30");
    node_remove(&a.node);
}

/* Killed between Redis' confirmation and its note in the ledger: nobody else was there. */
static void test_killed_in_between(void)
{
    struct reader r = {.line = 0};

    reader_open(&r, "c.db");
    OK(push_all(&r.node), "pushed");
    node_close(&r.node);
    reader_open(&r, "c.db");
    read_lines(&r, 5, "u@a.example");
    OK(push_all(&r.node), "the next run claims what it counted");
    must(ledger_execute(r.node.ledger,
                        "UPDATE runs SET met = 0 WHERE id = (SELECT max(id) FROM runs)", "undoing",
                        &err),
         "undo");
    node_close(&r.node);
    reader_open(&r, "c.db");
    read_lines(&r, 2, "u@a.example");
    OK(push_all_patiently(&r.node), "the run after it goes on");
    OK(push_findings(r.node.push)->left.code == 0, "under the same share");
    IS_INT(r.resumed, 0, "from where it was");
    is_text("HGET|tg:{a.example}:total|imap_connections", "7");
    node_remove(&r.node);
}

int main(void)
{
    static void (*const tests[])(void) = {test_two_programs, test_restored,
                                          test_continued_elsewhere, test_killed_in_between};

    return push_tests_run(tests, sizeof tests / sizeof tests[0]);
}
