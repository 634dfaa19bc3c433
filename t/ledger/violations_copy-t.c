#include <sysexits.h>

#include "lib/ledger/ledger_violations.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "t/ledger/changes_fixture.h"

/*
 * Violations come back, into the stream of all and into those of their accounts, in their order,
 * each once.
 */

#define ALL "tg:violations"
#define OF  "tg:{a.example}:violations"

/* As lib/throttle/violation_log writes one. */
static void add(const char *holder, int used)
{
    char text[300];

    for (int i = 0; i < 2; i++) {
        if (i == 0)
            (void)snprintf(text, sizeof text, "XADD|tg:{%s}:violations|*|domain|%s|used|%d", holder,
                           holder, used);
        else
            (void)snprintf(text, sizeof text, "XADD|" ALL "|*|domain|%s|used|%d", holder, used);
        run(text);
    }
}

/* The values of `used`, in the stream's order: "1 2 3". */
static const char *used_in(const char *key)
{
    static char text[4096];
    redisReply *r = command("XRANGE|%s|-|+", key);
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < r->elements && len < sizeof text; i++) {
        const redisReply *words = r->element[i]->element[1];

        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i > 0 ? " " : "",
                                words->element[words->elements - 1]->str);
    }
    freeReplyObject(r);
    return text;
}

/* Ids of a stream begin with the millisecond. What is older than the loss has an earlier one. */
static void let_a_millisecond_pass(void)
{
    clock_sleep_ms(2);
}

static void test_flushed(void)
{
    nodes_open();
    add("a.example", 1);
    add("@client:192.0.2.1", 2);
    add("a.example", 3);
    sync_one(&one);
    sync_one(&two);
    run("FLUSHALL");
    let_a_millisecond_pass();
    add("a.example", 4);
    sync_one(&one);
    IS_STR(used_in(ALL), "1 2 3 4", "lost and written since, in order");
    IS_STR(used_in(OF), "1 3 4", "the account's own");
    IS_STR(used_in("tg:{@client:192.0.2.1}:violations"), "2", "and a client's");
    sync_one(&two);
    sync_one(&one);
    IS_STR(used_in(ALL), "1 2 3 4", "another node adds none again");
    IS_STR(used_in(OF), "1 3 4", "nor to the account's");
    add("a.example", 5);
    IS_STR(used_in(OF), "1 3 4 5", "new ones follow");
    sync_one(&one);
    run("FLUSHALL");
    sync_one(&two);
    sync_one(&one);
    IS_STR(used_in(ALL), "1 2 3 4 5", "what one node did not see the other has");
    IS_STR(used_in(OF), "1 3 4 5", "in the account's, too");
    nodes_remove();
}

/* A Redis of some time ago. */
static void test_older(void)
{
    nodes_open();
    add("a.example", 1);
    add("a.example", 2);
    run("COPY|" ALL "|old:all");
    run("COPY|" OF "|old:of");
    add("a.example", 3);
    add("a.example", 4);
    sync_one(&one);
    run("RENAME|old:all|" ALL);
    run("RENAME|old:of|" OF);
    let_a_millisecond_pass();
    add("a.example", 5);
    sync_one(&one);
    IS_STR(used_in(ALL), "1 2 3 4 5", "an older stream is filled up");
    IS_STR(used_in(OF), "1 2 3 4 5", "and the account's");
    nodes_remove();
}

static void test_wrong_type(void)
{
    nodes_open();
    add("a.example", 1);
    add("b.example", 2);
    sync_one(&one);
    run("FLUSHALL");
    run("SET|" OF "|x");
    sync_one(&one);
    IS_STR(used_in(ALL), "1 2", "a key of another type stops no other");
    is_text("GET|" OF, "x");
    run("FLUSHALL");
    run("SET|" ALL "|x");
    sync_one(&one);
    is_text("GET|" ALL, "x");
    nodes_remove();
}

static void fill(int count)
{
    for (int i = 0; i < count; i += 500) {
        redisReply *replies[500];

        for (int n = 0; n < 500; n++) {
            char used[16];

            (void)snprintf(used, sizeof used, "%d", i + n);
            store_pipe_add(store, 7,
                           (struct slice[]){SLICE("XADD"), SLICE(ALL), SLICE("*"), SLICE("domain"),
                                            SLICE("a.example"), SLICE("used"), slice_str(used)});
        }
        must(store_pipe_run(store, replies, 5000, &err), "fill");
        for (int n = 0; n < 500; n++)
            freeReplyObject(replies[n]);
    }
}

/* Streams are trimmed by whole nodes of some hundred entries. */
static void is_about(const char *text, long long want)
{
    redisReply *r = command("%s", text);

    OK(r->integer >= want && r->integer < want + 200, text);
    freeReplyObject(r);
}

static void test_many(void)
{
    int64_t began_ms;
    int64_t count;

    nodes_open();
    fill(25000);
    sync_one(&one);
    must(ledger_violations_count(one.ledger, &count, &err), "count");
    IS_INT(count, LEDGER_VIOLATIONS_MAX, "the copy keeps the newest");
    is_number("XLEN|" ALL, 25000);
    run("FLUSHALL");
    began_ms = clock_monotonic_ms();
    sync_one(&one);
    printf("# restored in %lld ms\n", (long long)(clock_monotonic_ms() - began_ms));
    is_number("XLEN|" ALL, LEDGER_VIOLATIONS_MAX);
    is_about("XLEN|" OF, 1000);
    nodes_remove();
}

int main(void)
{
    static void (*const tests[])(void) = {test_flushed, test_older, test_wrong_type, test_many};

    log_open("violations_copy-t", LOG_TARGET_STDERR, 0, LOG_ERR);
    return push_tests_run(tests, sizeof tests / sizeof tests[0]);
}
