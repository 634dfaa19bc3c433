/* The read side against a real redis-server: names, counters, users, nodes, and keys gone wrong. */
#include "t/tap.h"

#include <sysexits.h>

#include "lib/read/read.h"
#include "t/redis/redis_fixture.h"

#define USERS     3000 /* of ten fields: several pages of HSCAN */
#define ACCOUNTS  2000
#define ARENA_MAX ((size_t)64 << 20)

static struct reader reader;
static struct arena arena;
static struct err error;

/* --- writing --------------------------------------------------------------------------------- */

static void send_all(void)
{
    redisReply *replies[20000];
    size_t count = store_pipe_count(reader.store);

    OK(count <= 20000 && store_pipe_run(reader.store, replies, 10000, &error) == 0, "written");
    for (size_t i = 0; i < count; i++)
        freeReplyObject(replies[i]);
}

static void add(const char *command, const char *key, const char *a, const char *b)
{
    const struct slice argv[] = {slice_str(command), slice_str(key), slice_str(a), slice_str(b)};

    store_pipe_add(reader.store, b != NULL ? 4 : 3, argv);
}

static void put(const char *command, const char *key, const char *a, const char *b)
{
    add(command, key, a, b);
    send_all();
}

/* --- reading --------------------------------------------------------------------------------- */

static struct stored_periods months(size_t count)
{
    static struct stored_period items[3] = {{.kind = PERIOD_MONTH, .name = "2026-10"},
                                            {.kind = PERIOD_MONTH, .name = "2026-11"},
                                            {.kind = PERIOD_DAY, .name = "2026-12-01"}};

    return (struct stored_periods){.items = items, .count = count};
}

static struct counter_list bytes_in_and_out(void)
{
    return (struct counter_list){.count = 2, .ids = {COUNTER_IN_BYTES, COUNTER_OUT_BYTES}};
}

struct seen {
    size_t rows;
    uint64_t in, out;
    char names[4096];
    bool stop;
};

static int see(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct seen *s = context;
    size_t used = strlen(s->names);

    s->rows++;
    s->in += sum->value[COUNTER_IN_BYTES];
    s->out += sum->value[COUNTER_OUT_BYTES];
    if (used + name.len + 32 < sizeof s->names)
        (void)snprintf(s->names + used, sizeof s->names - used, "%.*s=%" PRIu64 " ",
                       SLICE_FMT(name), sum->value[COUNTER_IN_BYTES]);
    return s->stop ? err_set(err, EX_SOFTWARE, "enough") : 0;
}

static int counters_of(const char *const *names, size_t count, size_t periods, struct seen *seen)
{
    struct slice items[8];
    const struct name_list accounts = {.items = items, .count = count};
    const struct stored_periods cover = months(periods);
    const struct counter_list counters = bytes_in_and_out();

    for (size_t i = 0; i < count; i++)
        items[i] = slice_str(names[i]);
    return read_counters(&reader, &accounts, &cover, &counters, see, seen, &error);
}

static int users_of(const char *account, size_t periods, struct seen *seen)
{
    struct slice name = slice_str(account);
    const struct name_list accounts = {.items = &name, .count = 1};
    const struct stored_periods cover = months(periods);
    const struct counter_list counters = bytes_in_and_out();

    return read_users(&reader, &accounts, &cover, &counters, see, seen, &error);
}

/* --- the tests ------------------------------------------------------------------------------- */

static void test_empty(void)
{
    struct name_list names;
    struct node_infos nodes;
    struct seen seen = {0};
    bool is_account = true;

    OK(read_schema(&reader, &error) == 0, "an empty store has no other schema");
    OK(read_nodes(&reader, &arena, &names, &error) == 0 && names.count == 0, "no nodes");
    OK(read_accounts(&reader, &arena, &names, &error) == 0 && names.count == 0, "no accounts");
    OK(read_is_account(&reader, SLICE("a.example"), &is_account, &error) == 0 && !is_account,
       "not known");
    OK(read_node_infos(&reader, &arena, &nodes, &error) == 0 && nodes.count == 0 &&
           read_node_infos_last(&nodes) == NULL,
       "no node is the last");
    IS_INT(counters_of((const char *const[]){"a.example"}, 1, 2, &seen), 0, "counters of nothing");
    IS_STR(seen.names, "a.example=0 ", "are 0");
    IS_INT(users_of("a.example", 2, &seen), 0, "users of nothing");
    IS_INT(seen.rows, 1, "are none");
}

static void test_counters(void)
{
    static const char *const names[] = {"b.example", "a.example", "@mx1"};
    struct seen seen = {0};

    add("HSET", "t:{a.example}:month:2026-10", "in_bytes", "10");
    add("HSET", "t:{a.example}:month:2026-10", "_mx1.0badcafe", "3 in_bytes 10");
    add("HSET", "t:{a.example}:month:2026-10", "throttled_bytes", "77");
    add("HSET", "t:{a.example}:month:2026-11", "in_bytes", "5");
    add("HSET", "t:{a.example}:day:2026-12-01", "in_bytes", "1");
    add("HSET", "t:{b.example}:month:2026-11", "out_bytes", "9007199254740993");
    add("HSET", "t:{@mx1}:month:2026-11", "in_bytes", "15");
    send_all();
    IS_INT(counters_of(names, 3, 3, &seen), 0, "counters over months and a day");
    IS_STR(seen.names, "b.example=0 a.example=16 @mx1=15 ", "one row an account, in its order");
    OK(seen.out == UINT64_C(9007199254740993), "exact beyond 2^53");
    seen = (struct seen){.stop = true};
    OK(counters_of(names, 3, 3, &seen) == -1 && seen.rows == 1 && strcmp(error.text, "enough") == 0,
       "who gets the rows may end it");
}

static void test_users(void)
{
    struct seen seen = {0};
    struct tally sum;
    const struct stored_periods cover = months(2);
    const struct counter_list counters = bytes_in_and_out();
    uint64_t want = 0;

    for (unsigned i = 0; i < USERS; i++) {
        char field[64], value[32];

        (void)snprintf(value, sizeof value, "%u", i);
        (void)snprintf(field, sizeof field, "u%u@a.example in_bytes", i);
        add("HSET", "t:{a.example}:users:month:2026-10", field, value);
        add("HSET", "t:{a.example}:users:month:2026-11", field, "1");
        (void)snprintf(field, sizeof field, "u%u@a.example in_messages", i);
        add("HSET", "t:{a.example}:users:month:2026-10", field, "1");
        (void)snprintf(field, sizeof field, "_mx1.0badcafe u%u@a.example", i);
        add("HSET", "t:{a.example}:users:month:2026-10", field, "5 in_bytes 1");
        want += i + 1;
    }
    add("HSET", "t:{a.example}:users:month:2026-10", "_nodes", "_mx1.0badcafe");
    add("HSET", "t:{a.example}:users:month:2026-11", "_other out_bytes", "7");
    add("HSET", "t:{a.example}:users:month:2026-11", "_under@a.example out_bytes", "8");
    send_all();
    IS_INT(users_of("a.example", 2, &seen), 0, "users");
    IS_INT(seen.rows, USERS + 2, "each once, and no share among them");
    IS_INT(seen.in, want, "with the sum of both months");
    IS_INT(seen.out, 15, "names that begin with _ too");

    OK(read_user(&reader, SLICE("a.example"), SLICE("u17@a.example"), &cover, &counters, &sum,
                 &error) == 0,
       "one user");
    IS_INT(sum.value[COUNTER_IN_BYTES], 18, "has the same");
    OK(read_user(&reader, SLICE("a.example"), SLICE("nobody@a.example"), &cover, &counters, &sum,
                 &error) == 0 &&
           tally_is_empty(&sum),
       "one who is not there has nothing");
}

static void test_names(void)
{
    struct name_list names;
    bool is_account = false, sorted = true;

    for (unsigned i = 0; i < ACCOUNTS; i++) {
        char key[32], name[32];

        (void)snprintf(key, sizeof key, "t:accounts:{%02x}", i % 16);
        (void)snprintf(name, sizeof name, "d%u.example", i);
        add("SADD", key, name, NULL);
    }
    add("SADD", "t:accounts:{03}", "@mx1", NULL);
    add("SADD", "t:nodes", "mx2", NULL);
    add("SADD", "t:nodes", "mx1", NULL);
    send_all();
    OK(read_accounts(&reader, &arena, &names, &error) == 0, "accounts");
    IS_INT(names.count, ACCOUNTS, "all of them, without nodes");
    for (size_t i = 1; i < names.count; i++)
        sorted = sorted && slice_compare(names.items[i - 1], names.items[i]) < 0;
    OK(sorted, "in order, each once");
    OK(read_nodes(&reader, &arena, &names, &error) == 0 && names.count == 2, "nodes");
    IS_SLICE(names.items[0], SLICE("mx1"), "in order");
    put("SADD", "t:accounts:{0a}", "a.example", NULL);
    OK(read_is_account(&reader, SLICE("nobody.example"), &is_account, &error) == 0 && !is_account,
       "no account");
}

static void test_nodes(void)
{
    struct node_infos nodes;

    add("HSET", "t:{@mx1}:node", "pushed_through", "1795262400");
    add("HSET", "t:{@mx1}:node", "version", "0.1.0");
    add("HSET", "t:{@mx1}:node", "dirty_rows", "12");
    add("HSET", "t:{@mx2}:node", "pushed_through", "1795262300");
    add("HSET", "t:{@mx2}:node", "renamed", "mx1");
    add("HSET", "t:{@mx2}:node", "seen", "-1");
    send_all();
    OK(read_node_infos(&reader, &arena, &nodes, &error) == 0 && nodes.count == 2, "two nodes");
    IS_SLICE(nodes.items[0].version, SLICE("0.1.0"), "a version");
    IS_INT(nodes.items[0].dirty_rows, 12, "a gauge");
    OK(!nodes.items[0].is_renamed && nodes.items[1].is_renamed, "one is a former name");
    IS_INT(nodes.items[1].seen, 0, "what is no time is none");
    OK(read_node_infos_last(&nodes) == &nodes.items[1], "the one that is furthest behind");
    put("HSET", "t:{@mx2}:node", "retired", "1795262500");
    put("HSET", "t:{@mx1}:node", "_rival", "mx9.example.com 1795262390");
    OK(read_node_infos(&reader, &arena, &nodes, &error) == 0 && nodes.items[1].is_retired &&
           read_node_infos_last(&nodes) == &nodes.items[0],
       "nothing waits for one that is retired");
    IS_SLICE(nodes.items[0].rival, SLICE("mx9.example.com"), "another one of the same name");
    IS_INT(nodes.items[0].rival_seen, 1795262390, "and when it said so");
    put("HSET", "t:{@mx2}:node", "seen", "1795262501");
    OK(read_node_infos(&reader, &arena, &nodes, &error) == 0 && !nodes.items[1].is_retired,
       "who is heard of again is back");
    put("SADD", "t:nodes", "mx3", NULL);
    OK(read_node_infos(&reader, &arena, &nodes, &error) == 0 &&
           slice_equal(read_node_infos_last(&nodes)->name, SLICE("mx3")),
       "or never said anything");
}

static void is_named(int result, const char *key, const char *what)
{
    OK(result == -1 && error.code == EX_DATAERR && strstr(error.text, key) != NULL, what);
    if (result == 0 || strstr(error.text, key) == NULL)
        printf("# %d %s\n", result, error.text);
}

static void test_wrong(void)
{
    struct seen seen = {0};
    struct name_list names;
    struct node_infos nodes;

    put("SET", "t:{w.example}:month:2026-10", "x", NULL);
    is_named(counters_of((const char *const[]){"w.example"}, 1, 1, &seen),
             "t:{w.example}:month:2026-10", "counters that are no hash");
    put("HSET", "t:{v.example}:month:2026-10", "in_bytes", "1 2");
    is_named(counters_of((const char *const[]){"v.example"}, 1, 1, &seen), "in_bytes",
             "a counter that is no number");
    put("SET", "t:{w.example}:users:month:2026-10", "x", NULL);
    is_named(users_of("w.example", 1, &seen), "t:{w.example}:users:month:2026-10",
             "users that are no hash");
    put("HSET", "t:{v.example}:users:month:2026-10", "a@v.example in_bytes", "");
    is_named(users_of("v.example", 1, &seen), "a@v.example in_bytes", "a user's that is no number");
    put("SET", "t:{@mx2}:node", "x", NULL);
    is_named(read_node_infos(&reader, &arena, &nodes, &error), "t:{@mx2}:node", "a node's key");
    put("SET", "t:nodes", "x", NULL);
    is_named(read_nodes(&reader, &arena, &names, &error), "t:nodes", "the set of nodes");
    put("SET", "t:accounts:{0f}", "x", NULL);
    is_named(read_accounts(&reader, &arena, &names, &error), "t:accounts:{0f}",
             "a set of accounts");
    put("SET", "t:schema", "2", NULL);
    is_named(read_schema(&reader, &error), "schema 2", "another schema");
}

int main(void)
{
    struct redis_fixture redis;
    struct settings s = {.state_dir = "/nonexistent"};
    char url[160];

    redis_fixture_start(&redis);
    (void)snprintf(url, sizeof url, "unix://%s", redis.socket);
    s.store.url = url;
    s.store.username = "";
    s.store.password_file = "";
    reader = (struct reader){.store = store_new(&s, &error), .prefix = "t"};
    arena_init(&arena, ARENA_MAX);
    test_empty();
    test_counters();
    test_users();
    test_names();
    test_nodes();
    test_wrong();
    arena_fini(&arena);
    store_free(reader.store);
    redis_fixture_stop(&redis);
    return tap_done();
}
