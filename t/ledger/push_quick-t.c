#include <inttypes.h>

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

static redisReply *push(const char *source, const char *key, const struct call *c)
{
    const struct script script = {"push", source};
    struct slice argv[] = {slice_str(key),         slice_str(c->share), slice_str(c->number),
                           slice_str(c->counters), slice_str(c->user),  slice_str(c->over),
                           slice_str(c->flag),     slice_str(c->form)};
    redisReply *r = store_script(store, &script, 1, 8, argv, 1000, &err);

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

/* The slow way reads all of the hash; the quick one never does. */
static long long hgetalls(void)
{
    redisReply *r = command("INFO|commandstats");
    const char *at = strstr(r->str, "cmdstat_hgetall:calls=");
    long long calls = at == NULL ? 0 : atoll(at + strlen("cmdstat_hgetall:calls="));

    freeReplyObject(r);
    return calls;
}

static void test_taken(void)
{
    struct call c = {.share = share_names[0], .user = "", .over = "", .flag = "", .form = ""};
    long long before;

    (void)snprintf(c.number, sizeof c.number, "10");
    (void)snprintf(c.counters, sizeof c.counters, "in_messages 1 messages 2");
    freeReplyObject(push(script_push_source, "tg:{x}:0", &c));
    before = hgetalls();
    (void)snprintf(c.number, sizeof c.number, "11");
    (void)snprintf(c.counters, sizeof c.counters, "in_messages 3 messages 4");
    freeReplyObject(push(script_push_source, "tg:{x}:0", &c));
    IS_INT(hgetalls(), before, "a row that counts on goes the quick way");
    is_text("HGET|tg:{x}:0|messages", "4");
    is_text("HGET|tg:{x}:0|_mx1.0000000a", "=11AZA");
    (void)snprintf(c.counters, sizeof c.counters, "in_messages 3 messages 4 bytes 9");
    freeReplyObject(push(script_push_source, "tg:{x}:0", &c));
    IS_INT(hgetalls(), before + 1, "a new counter goes the other");
}

int main(void)
{
    static void (*const tests[])(void) = {test_same, test_taken};

    return push_tests_run(tests, sizeof tests / sizeof tests[0]);
}
