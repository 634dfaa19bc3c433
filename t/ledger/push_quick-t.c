#include <inttypes.h>

#include "lib/ledger/push_fields.h"
#include "lib/ledger/scripts.h"
#include "t/ledger/push_fixture.h"
#include "t/random.h"

/* push_quick.lua: the same calls with it and without leave the same hash and get the same answer;
 * and it is taken where it should be. */

#define SHARES  2
#define AMOUNTS 6
#define ROUNDS  1500

static const char *const share_names[SHARES] = {"_mx1.0000000a", "_mx2.0000000b"};
static const char *const users[] = {"", "alice@a.example", "_bob@a.example"};
static const enum counter used[AMOUNTS] = {COUNTER_IN_MESSAGES,  COUNTER_IN_BYTES,
                                           COUNTER_OUT_MESSAGES, COUNTER_VIOLATIONS_BYTES,
                                           COUNTER_MESSAGES,     COUNTER_SMTP_IN_BLOCKED};
static struct random_source dice_source = {20261130};

static unsigned dice(unsigned sides)
{
    return random_below(&dice_source, sides);
}

/* What is behind the head: push.lua as it is without it. */
static const char *plain_source(void)
{
    const char *share = strstr(script_push_source, "-- How a share stands in a hash");

    must(share == NULL || share == script_push_source, "share.lua in the script");
    return share;
}

struct call {
    const char *share, *user, *over, *flag, *form;
    char counters[512], number[24];
};

/* With the fields for the quick way where it is a push alone, as the pusher does it. */
static redisReply *push(const char *source, const char *key, const struct call *c)
{
    static struct buf names = {.cap_bytes = 65536};
    const struct script script = {"push", source};
    const struct row row = {.key.user = slice_str(c->user), .counters = slice_str(c->counters)};
    struct slice argv[PUSH_FIELDS_AT + PUSH_FIELDS_MAX] = {
        slice_str(key),     slice_str(c->share), slice_str(c->number), slice_str(c->counters),
        slice_str(c->user), slice_str(c->over),  slice_str(c->flag),   slice_str(c->form)};
    bool is_push = c->over[0] == '\0' && c->flag[0] == '\0' && c->form[0] == '\0';
    size_t fields = is_push ? push_fields(&row, &names, argv + PUSH_FIELDS_AT) : 0;
    redisReply *r = store_script(store, &script, 1, PUSH_FIELDS_AT + fields, argv, 1000, &err);

    must(r == NULL, "script");
    return r;
}

static bool is_same_reply(const redisReply *a, const redisReply *b)
{
    return a->type == b->type && a->integer == b->integer &&
           slice_equal(link_reply_text(a), link_reply_text(b));
}

/* Its fields in any order. */
static bool is_same_hash(const char *a, const char *b)
{
    redisReply *x = command("HGETALL|%s", a), *y = command("HGETALL|%s", b);
    bool same = x->elements == y->elements;

    for (size_t i = 0; i < x->elements && same; i += 2) {
        size_t at = 0;

        while (at < y->elements && strcmp(y->element[at]->str, x->element[i]->str) != 0)
            at += 2;
        same = at < y->elements && strcmp(y->element[at + 1]->str, x->element[i + 1]->str) == 0;
    }
    freeReplyObject(x);
    freeReplyObject(y);
    return same;
}

static void counters_make(struct call *c, uint64_t amounts[AMOUNTS])
{
    size_t len = 0;

    for (int i = 0; i < AMOUNTS; i++) {
        if (amounts[i] > 0)
            len += (size_t)snprintf(c->counters + len, sizeof c->counters - len, "%s%s %" PRIu64,
                                    len > 0 ? " " : "", counter_table[used[i]].name, amounts[i]);
    }
}

/* A hand in Redis: both keys are changed. */
static void spoil(const char *user)
{
    static const struct {
        const char *command, *field, *value;
    } hands[] = {{"HDEL", "in_messages", ""},
                 {"HDEL", "messages", ""},
                 {"HSET", "in_bytes", "|rubbish"},
                 {"HSET", "stray", "|5"}};
    unsigned which = dice(4);

    for (int key = 0; key < 2; key++) {
        char line[200];

        (void)snprintf(line, sizeof line, "%s|tg:{x}:%d|%s%s%s%s", hands[which].command, key, user,
                       user[0] != '\0' ? " " : "", hands[which].field, hands[which].value);
        freeReplyObject(command("%s", line));
    }
}

/* One share counts most of the time, so that the quick way is the usual one. */
static bool round_run(uint64_t amounts[SHARES][AMOUNTS], uint64_t number[SHARES], const char *user)
{
    unsigned s = dice(40) == 0 ? 1 : 0;
    struct call c = {.share = share_names[s],
                     .user = user,
                     .over = "",
                     .flag = dice(20) == 0 ? "sweep" : "",
                     .form = dice(200) == 0 ? "names" : ""};
    redisReply *with, *without;
    bool same;

    if (dice(50) == 0)
        spoil(user);
    if (dice(4) > 0) {
        amounts[s][dice(dice(30) == 0 ? AMOUNTS : 4)] += 1 + random_next(&dice_source) % 100000;
        number[s] += 1 + dice(3);
    }
    (void)snprintf(c.number, sizeof c.number, "%" PRIu64, number[s] - (dice(10) == 0 ? 1 : 0));
    counters_make(&c, amounts[s]);
    with = push(script_push_source, "tg:{x}:0", &c);
    without = push(plain_source(), "tg:{x}:1", &c);
    same = is_same_reply(with, without) && is_same_hash("tg:{x}:0", "tg:{x}:1");
    if (!same)
        printf("# %s %s %s: %s\n", c.share, c.number, c.flag, c.counters);
    freeReplyObject(with);
    freeReplyObject(without);
    return same;
}

static void test_same(void)
{
    for (size_t u = 0; u < sizeof users / sizeof users[0]; u++) {
        uint64_t amounts[SHARES][AMOUNTS] = {{0}}, number[SHARES] = {95, 5};
        bool same = true;

        for (int i = 0; i < ROUNDS && same; i++) {
            if (dice(100) == 0)
                run("DEL|tg:{x}:0|tg:{x}:1"); /* one share alone again */
            same = round_run(amounts, number, users[u]);
        }
        OK(same, users[u][0] != '\0' ? users[u] : "an account");
        run("DEL|tg:{x}:0|tg:{x}:1");
    }
}

static long long calls_of(const char *name)
{
    redisReply *r = command("INFO|commandstats");
    char text[40];
    const char *at;
    long long calls;

    (void)snprintf(text, sizeof text, "cmdstat_%s:calls=", name);
    at = strstr(r->str, text);
    calls = at == NULL ? 0 : atoll(at + strlen(text));
    freeReplyObject(r);
    return calls;
}

/* The slow way reads all of an account's hash, and of a user's what it has counted; the quick one
 * neither. */
static long long slow_calls(void)
{
    return calls_of("hgetall") + calls_of("hmget");
}

static void push_step_of(struct call *c, const char *number, const char *counters)
{
    (void)snprintf(c->number, sizeof c->number, "%s", number);
    (void)snprintf(c->counters, sizeof c->counters, "%s", counters);
    freeReplyObject(push(script_push_source, "tg:{x}:0", c));
}

static void test_taken(void)
{
    for (int i = 0; i < 2; i++) {
        struct call c = {
            .share = share_names[0], .user = users[i], .over = "", .flag = "", .form = ""};
        long long before;

        push_step_of(&c, "9", "in_messages 1 messages 2");
        before = slow_calls();
        push_step_of(&c, "11", "in_messages 3 messages 4"); /* a number of more digits */
        IS_INT(slow_calls(), before, "a row that counts on goes the quick way");
        push_step_of(&c, "11", "in_messages 3 messages 4 bytes 9");
        OK(slow_calls() > before, "a new counter goes the other");
    }
    is_text("HGET|tg:{x}:0|messages", "4");
    is_text("HGET|tg:{x}:0|_mx1.0000000a", "=11AZAZB");
    is_text("HGET|tg:{x}:0|alice@a.example bytes", "9");
}

/* The pusher's own calls: first rows, which get their time, then the same as they count on. */
static void test_pusher(void)
{
    const int64_t later = clock_unix_ms() / 1000 + 86400;
    const struct row_key rows[] = {
        key_of("a.example", ROW_TOTAL, "", ""), key_of("a.example", ROW_DAY, "2026-11-21", ""),
        key_of("a.example", ROW_USERS_DAY, "2026-11-21", "alice@a.example")};
    long long before = 0;
    struct node n;

    node_open(&n, "a.db", "mx1", SCRUB_MS);
    OK(push_all(&n), "the walk of a new connection is over");
    for (uint64_t number = 9; number <= 10; number++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
            count_into(&n, rows[i], "in_messages 1 in_bytes 50", number, i > 0 ? later : 0);
        before = number == 10 ? calls_of("hgetall") : 0;
        OK(push_all(&n), "pushed");
    }
    IS_INT(calls_of("hgetall"), before, "rows that count on go the quick way");
    is_text("HGET|tg:{a.example}:total|in_bytes", "100");
    is_text("HGET|tg:{a.example}:day:2026-11-21|in_bytes", "100");
    is_text("HGET|tg:{a.example}:users:day:2026-11-21|alice@a.example in_bytes", "100");
    is_number("TTL|tg:{a.example}:total", -1);
    OK(time_to_live("tg:{a.example}:day:2026-11-21") > 86000, "a day goes some time");
    OK(time_to_live("tg:{a.example}:users:day:2026-11-21") > 86000, "a day's users, too");
    node_remove(&n);
}

int main(void)
{
    static void (*const tests[])(void) = {test_same, test_taken, test_pusher};

    return push_tests_run(tests, sizeof tests / sizeof tests[0]);
}
