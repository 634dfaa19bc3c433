#include <sysexits.h>

#include "lib/ledger/ledger_changes.h"
#include "lib/sys/log.h"
#include "lib/throttle/account_change.h"
#include "t/ledger/changes_fixture.h"
#include "t/random.h"

/*
 * What is set at run time comes back after a Redis that lost it, or is an older one; what was
 * removed does not; all copies agree.
 */

#define HOUR  "domain/messages/hour"
#define DAY   "domain/bytes/day"
#define PLAN  "GET|tg:{a.example}:plan"
#define VALUE "HGET|tg:{a.example}:limits|" HOUR

static void sync_both(void)
{
    sync_one(&one);
    sync_one(&two);
}

static struct account_change change_of(const char *holder)
{
    return (struct account_change){
        .store = store, .prefix = "tg", .holder = slice_str(holder), .timeout_ms = 1000};
}

static void set(const char *holder, enum limit_metric metric, const char *per, uint64_t max)
{
    struct account_change c = change_of(holder);
    struct limit l = {.metric = metric, .max = max, .per = slice_str(per), .action = ACTION_DEFER};

    must(account_change_override_set(&c, &l, &err), "override_set");
}

static void unset(const char *holder, const char *name)
{
    struct account_change c = change_of(holder);
    size_t removed;

    must(account_change_override_unset(&c, slice_str(name), &removed, &err), "override_unset");
}

static void plan(const char *holder, const char *name)
{
    struct account_change c = change_of(holder);
    bool removed;

    must(name != NULL ? account_change_plan_set(&c, slice_str(name), &err)
                      : account_change_plan_unset(&c, &removed, &err),
         "plan");
}

/* The copy's value of one name; "-": it has none of it. */
static const char *copy(struct node *n, const char *holder, const char *name)
{
    static char text[200];
    struct ledger_change *list;
    struct arena arena;
    size_t count;

    arena_init(&arena, 1 << 20);
    must(ledger_changes_of(n->ledger, slice_str(holder), &arena, &list, &count, &err), "copy");
    (void)snprintf(text, sizeof text, "-");
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(list[i].name, slice_str(name)))
            (void)snprintf(text, sizeof text, "%.*s", SLICE_FMT(list[i].value));
    }
    arena_fini(&arena);
    return text;
}

/* --- loss ------------------------------------------------------------------------------------ */

static void test_retired(void)
{
    struct account_change c = change_of("@mx3");

    nodes_open();
    run("HSET|tg:{@mx3}:node|seen|1763720000");
    must(account_change_node_retire(&c, NOW_S, &err), "node_retire");
    is_text("HGET|tg:{@mx3}:node|retired", "1763730000");
    sync_both();
    run("FLUSHALL");
    sync_both();
    is_text("HGET|tg:{@mx3}:node|retired", "1763730000");
    run("HDEL|tg:{@mx3}:node|retired");
    run("DEL|tg:{@mx3}:changed");
    sync_one(&two);
    is_text("HGET|tg:{@mx3}:node|retired", "1763730000");
    must(account_change_node_retire(&c, NOW_S + 5, &err), "node_retire");
    sync_both();
    run("FLUSHALL");
    run("HSET|tg:{@mx3}:node|retired|1763730000");
    run("HSET|tg:{@mx3}:changed|retired|1");
    sync_both();
    is_text("HGET|tg:{@mx3}:node|retired", "1763730005");
    nodes_remove();
}

/* Written once, the first one stays, and comes back to a Redis that lost it. */
static void test_adjustments(void)
{
    struct account_change c = change_of("a.example");
    struct adjustment a = {.period = SLICE("2026-11"),
                           .id = SLICE("mx1/7"),
                           .amounts = {[COUNTER_OUT_MESSAGES] = -1},
                           .at_s = NOW_S};
    const char *text = "{\"amounts\":{\"out_messages\":-1},\"reason\":\"\",\"evidence\":\"\","
                       "\"by\":\"\",\"at\":1763730000}";

    nodes_open();
    must(account_change_adjustment_add(&c, &a, &err), "adjustment_add");
    is_text("HGET|tg:{a.example}:adjust|2026-11 mx1/7", text);
    a.at_s++;
    must(account_change_adjustment_add(&c, &a, &err), "adjustment_add");
    is_text("HGET|tg:{a.example}:adjust|2026-11 mx1/7", text);
    set("a.example", METRIC_MESSAGES, "hour", 5);
    is_number("HLEN|tg:{a.example}:limits", 1);
    sync_both();
    run("FLUSHALL");
    sync_one(&two);
    is_text("HGET|tg:{a.example}:adjust|2026-11 mx1/7", text);
    is_number("HLEN|tg:{a.example}:adjust", 1);
    is_number("HLEN|tg:{a.example}:limits", 1);
    nodes_remove();
}

static void test_flushed(void)
{
    nodes_open();
    set("a.example", METRIC_MESSAGES, "hour", 5);
    set("a.example", METRIC_BYTES, "day", 7);
    set("@server", METRIC_MESSAGES, "hour", 9);
    plan("b.example", "small");
    plan("c.example", "large");
    plan("c.example", NULL);
    unset("a.example", DAY);
    sync_one(&one);
    run("FLUSHALL");
    sync_one(&one);
    is_text(VALUE, "max=5 action=defer");
    is_text("HGET|tg:{@server}:limits|" HOUR, "max=9 action=defer");
    is_text("GET|tg:{b.example}:plan", "small");
    is_number("EXISTS|tg:{c.example}:plan", 0);
    is_number("HLEN|tg:{a.example}:limits", 1);
    sync_one(&two);
    IS_STR(copy(&two, "a.example", HOUR), "max=5 action=defer", "another node learns it");
    IS_STR(copy(&two, "a.example", DAY), "", "with what was removed");
    nodes_remove();
}

/* Back to the state of some time ago: each value with the version that it had. */
static void test_older(void)
{
    redisReply *dump;

    nodes_open();
    set("a.example", METRIC_MESSAGES, "hour", 5);
    set("a.example", METRIC_BYTES, "day", 7);
    plan("a.example", "small");
    sync_one(&one);
    run("COPY|tg:{a.example}:limits|old:limits");
    run("COPY|tg:{a.example}:changed|old:changed");
    set("a.example", METRIC_MESSAGES, "hour", 50);
    unset("a.example", DAY);
    plan("a.example", "large");
    sync_one(&one);
    run("RENAME|old:limits|tg:{a.example}:limits");
    run("RENAME|old:changed|tg:{a.example}:changed");
    run("SET|tg:{a.example}:plan|small");
    sync_one(&one);
    is_text(VALUE, "max=50 action=defer");
    is_text(PLAN, "large");
    dump = command("HEXISTS|tg:{a.example}:limits|" DAY);
    IS_INT(dump->integer, 0, "what was removed since does not come back");
    freeReplyObject(dump);
    nodes_remove();
}

/* Set anew between the loss and the node's next look: that is newer, the rest comes back. */
static void test_set_after_loss(void)
{
    nodes_open();
    set("a.example", METRIC_MESSAGES, "hour", 5);
    set("a.example", METRIC_BYTES, "day", 7);
    plan("a.example", "small");
    sync_both();
    run("FLUSHALL");
    set("a.example", METRIC_MESSAGES, "hour", 6);
    run("SET|tg:{a.example}:plan|typed");
    sync_both();
    is_text(VALUE, "max=6 action=defer");
    is_text("HGET|tg:{a.example}:limits|" DAY, "max=7 action=defer");
    is_text(PLAN, "typed");
    sync_both();
    IS_STR(copy(&one, "a.example", "plan"), "typed", "the copies have it");
    IS_STR(copy(&two, "a.example", HOUR), "max=6 action=defer", "both of them");
    nodes_remove();
}

/* A node that was away when something was removed brings it back for a moment at most. */
static void test_away(void)
{
    nodes_open();
    set("a.example", METRIC_MESSAGES, "hour", 5);
    plan("a.example", "small");
    sync_both();
    unset("a.example", HOUR);
    plan("a.example", "large");
    sync_one(&one);
    run("FLUSHALL");
    sync_one(&two);
    sync_one(&one);
    sync_one(&two);
    is_number("HEXISTS|tg:{a.example}:limits|" HOUR, 0);
    is_text(PLAN, "large");
    IS_STR(copy(&two, "a.example", HOUR), "", "the removal is newer, in every copy");
    nodes_remove();
}

/* --- written without tollgate ---------------------------------------------------------------- */

static void test_by_hand(void)
{
    nodes_open();
    run("SADD|tg:accounts:{00}|h.example");
    run("HSET|tg:{h.example}:limits|" HOUR "|max=1");
    run("SET|tg:{h.example}:plan|small");
    run("HSET|tg:{@client}:limits|" HOUR "|max=2");
    sync_one(&one);
    run("FLUSHALL");
    sync_one(&one);
    is_text("HGET|tg:{h.example}:limits|" HOUR, "max=1");
    is_text("GET|tg:{h.example}:plan", "small");
    is_text("HGET|tg:{@client}:limits|" HOUR, "max=2");
    run("HSET|tg:{h.example}:limits|" HOUR "|max=3");
    run("DEL|tg:{h.example}:plan");
    sync_one(&one);
    run("FLUSHALL");
    sync_one(&one);
    is_text("HGET|tg:{h.example}:limits|" HOUR, "max=3");
    is_number("EXISTS|tg:{h.example}:plan", 0);
    nodes_remove();
}

static void test_wrong_type(void)
{
    nodes_open();
    set("a.example", METRIC_MESSAGES, "hour", 5);
    set("b.example", METRIC_MESSAGES, "hour", 5);
    sync_one(&one);
    run("FLUSHALL");
    run("SET|tg:{a.example}:limits|x");
    sync_one(&one);
    is_text("HGET|tg:{b.example}:limits|" HOUR, "max=5 action=defer");
    is_text("GET|tg:{a.example}:limits", "x");
    nodes_remove();
}

/* --- noticing -------------------------------------------------------------------------------- */

/* Steps until the copy has that value, at most a minute. */
static bool learns(struct changes *c, const char *name, const char *want)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;

    while (clock_monotonic_ms() < until_ms) {
        must(changes_step(c, &err) < 0, "changes_step");
        if (strcmp(copy(&one, "a.example", name), want) == 0)
            return true;
        clock_sleep_ms(10);
    }
    return false;
}

static bool comes_back(struct changes *c, const char *get, const char *want)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;
    bool is_there = false;

    while (!is_there && clock_monotonic_ms() < until_ms) {
        redisReply *r;

        must(changes_step(c, &err) < 0, "changes_step");
        r = command("%s", get);
        is_there = slice_equal(link_reply_text(r), slice_str(want));
        freeReplyObject(r);
        clock_sleep_ms(10);
    }
    return is_there;
}

static void test_noticed(void)
{
    struct changes *c;

    nodes_open();
    c = changes_new("tg", one.ledger, one.store, &err);
    must(c == NULL, "changes_new");
    while (changes_step(c, &err) > 0)
        ;
    set("a.example", METRIC_MESSAGES, "hour", 5);
    OK(learns(c, HOUR, "max=5 action=defer"), "a change is noticed");
    unset("a.example", HOUR);
    OK(learns(c, HOUR, ""), "and a removal");
    plan("a.example", "small");
    OK(learns(c, "plan", "small"), "and a plan");
    run("FLUSHALL");
    OK(comes_back(c, PLAN, "small"), "a loss is noticed over the same connection");
    run("CONFIG|SET|appendonly|no");
    redis_fixture_kill(&redis);
    redis_fixture_run(&redis, "");
    while (changes_step(c, &err) < 0)
        clock_sleep_ms(50);
    OK(comes_back(c, PLAN, "small"), "and a server that comes back empty");
    changes_free(c);
    nodes_remove();
}

/* More at once than one look at the index takes. */
static void test_many(void)
{
    char holder[40], get[80];

    nodes_open();
    for (int i = 0; i < 2500; i++) {
        (void)snprintf(holder, sizeof holder, "d%d.example", i);
        plan(holder, "small");
    }
    sync_one(&one);
    run("FLUSHALL");
    sync_one(&one);
    for (int i = 0; i < 2500; i += 499) {
        (void)snprintf(get, sizeof get, "GET|tg:{d%d.example}:plan", i);
        is_text(get, "small");
    }
    nodes_remove();
}

/* --- any order of things --------------------------------------------------------------------- */

static void any_step(struct random_source *r)
{
    static const char *const holders[] = {"a.example", "b.example"};
    const char *holder = holders[random_below(r, 2)];

    switch (random_below(r, 8)) {
    case 0:
        run("FLUSHALL");
        break;
    case 1:
        unset(holder, HOUR);
        break;
    case 2:
        plan(holder, random_below(r, 3) == 0 ? NULL : "small");
        break;
    case 3:
    case 4:
        set(holder, METRIC_MESSAGES, "hour", random_below(r, 1000));
        break;
    default:
        sync_one(random_below(r, 2) == 0 ? &one : &two);
    }
}

static bool agree(const char *holder, const char *name, const char *get)
{
    char copies[2][200];
    redisReply *reply = command("%s", get);
    bool same;

    (void)snprintf(copies[0], sizeof copies[0], "%s", copy(&one, holder, name));
    (void)snprintf(copies[1], sizeof copies[1], "%s", copy(&two, holder, name));
    same = strcmp(copies[0], copies[1]) == 0 &&
           slice_equal(link_reply_text(reply),
                       strcmp(copies[0], "-") == 0 ? SLICE_NONE : slice_str(copies[0]));
    freeReplyObject(reply);
    return same;
}

static void test_random(void)
{
    struct random_source r = {7};
    size_t good = 0;

    nodes_open();
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 12; i++)
            any_step(&r);
        sync_both();
        sync_both();
        good += agree("a.example", HOUR, VALUE) && agree("a.example", "plan", PLAN) &&
                agree("b.example", HOUR, "HGET|tg:{b.example}:limits|" HOUR);
    }
    IS_INT(good, 100, "after any order of changes, losses and looks, all agree");
    nodes_remove();
}

int main(void)
{
    static void (*const tests[])(void) = {
        test_flushed, test_retired,    test_adjustments, test_older, test_set_after_loss, test_away,
        test_by_hand, test_wrong_type, test_noticed,     test_many,  test_random};

    log_open("changes-t", LOG_TARGET_STDERR, 0, LOG_ERR);
    return push_tests_run(tests, sizeof tests / sizeof tests[0]);
}
