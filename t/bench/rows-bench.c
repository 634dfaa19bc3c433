#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/core/buf.h"
#include "lib/core/counters.h"
#include "lib/ledger/scripts.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/redis/store.h"
#include "lib/sys/clock.h"
#include "t/random.h"

/*
 * What the rows of a fleet take in Redis: domains x days x nodes, pushed by push.lua as nodes do
 * it, and again after they have sealed them. A row has ten counters (in, out, normal priority,
 * sessions) and, each for a part of the domains, local, forwarded and bulk mail and bounces; 13 in
 * the mean. Redis must be empty; the rows stay, so that reports can be tried on them.
 *
 * usage: rows-bench SOCKET DOMAINS DAYS NODES [USERS of a domain and day]
 */

#define TRIP       500
#define TIMEOUT_MS 60000
#define FIRST_DAY  1790812800 /* 2026-10-01 */
#define NODES_MAX  64

static const struct script push_script = {"push", script_push_source};
static struct store *store;
static struct err err;
static struct random_source source = {1};
static bool is_final; /* the shares go into seals */
static size_t pending;

static void must(bool good)
{
    if (good)
        return;
    (void)fprintf(stderr, "rows-bench: %s\n", err.text);
    exit(1);
}

static void trip(void)
{
    redisReply *replies[TRIP + 8];

    must(store_pipe_run(store, replies, TIMEOUT_MS, &err) == 0);
    for (size_t i = 0; i < pending; i++) {
        if (replies[i]->type == REDIS_REPLY_ERROR) {
            (void)err_set(&err, 1, "%s", replies[i]->str);
            must(false);
        }
        freeReplyObject(replies[i]);
    }
    pending = 0;
}

static void add(size_t argc, const struct slice *argv)
{
    store_pipe_add(store, argc, argv);
    if (++pending >= TRIP)
        trip();
}

static uint64_t used_memory(void)
{
    redisReply *r =
        store_command(store, 2, (struct slice[]){SLICE("INFO"), SLICE("memory")}, TIMEOUT_MS, &err);
    const char *at;
    uint64_t bytes;

    must(r != NULL);
    at = strstr(r->str, "used_memory:");
    bytes = at != NULL ? strtoull(at + strlen("used_memory:"), NULL, 10) : 0;
    freeReplyObject(r);
    return bytes;
}

static void group_add(struct buf *b, const char *group, bool recipients, uint64_t messages)
{
    buf_addf(b, "%s%s_messages %" PRIu64, b->len > 0 ? " " : "", group, messages);
    if (recipients)
        buf_addf(b, " %s_recipients %" PRIu64, group, messages + messages / 4);
    buf_addf(b, " %s_bytes %" PRIu64, group, messages * (20000 + random_below(&source, 60000)));
}

static void counters_make(struct buf *b, unsigned domain)
{
    uint64_t in = 5 + random_below(&source, 400), out = 1 + random_below(&source, 200);

    buf_reset(b);
    group_add(b, "in", true, in);
    group_add(b, "out", true, out);
    if (domain % 4 == 0) {
        group_add(b, "local_sent", true, 1 + out / 5);
        group_add(b, "local_received", true, 1 + out / 5);
    }
    if (domain % 6 == 0)
        group_add(b, "forward", true, 1 + in / 10);
    group_add(b, "priority_normal", false, in + out);
    if (domain % 4 < 2)
        group_add(b, "priority_bulk", false, 1 + in / 3);
    if (domain % 4 == 0)
        buf_addf(b, " bounces_received %" PRIu64, 1 + in / 50);
    buf_addf(b, " smtp_in_connections %" PRIu64 " smtp_in_connection_seconds %" PRIu64, in, 3 * in);
}

static void push(const struct buf *key, unsigned node, struct slice counters, struct slice user)
{
    char share[40], number[24];

    (void)snprintf(share, sizeof share, "_mx%u.%08x", node + 1, 0x0badcafeU + node);
    (void)snprintf(number, sizeof number, "%u", 1000000 + random_below(&source, 9000000));
    store_pipe_add_script(store, &push_script, 1, 9,
                          (struct slice[]){buf_slice(key), slice_str(share), slice_str(number),
                                           counters, user, SLICE_NONE, SLICE_NONE, SLICE_NONE,
                                           is_final ? SLICE("final") : SLICE_NONE});
    if (++pending >= TRIP)
        trip();
}

static void expire(const struct buf *key)
{
    add(3, (struct slice[]){SLICE("EXPIREAT"), buf_slice(key), SLICE("2000000000")});
}

struct shape {
    unsigned domains, days, nodes, users;
};

static struct slice day_name(unsigned day, char name[16])
{
    time_t t = FIRST_DAY + (time_t)day * 86400;
    struct tm tm;

    (void)gmtime_r(&t, &tm);
    (void)strftime(name, 16, "%Y-%m-%d", &tm);
    return slice_str(name);
}

static struct slice account_name(unsigned domain, char name[40])
{
    (void)snprintf(name, 40, "customer-%05u.example", domain);
    return slice_str(name);
}

static void rows_push(const struct shape *s, unsigned node)
{
    struct buf key, counters;
    char account[40], name[16];

    buf_init(&key, 1024);
    buf_init(&counters, 65536);
    for (unsigned domain = 0; domain < s->domains; domain++) {
        for (unsigned day = 0; day < s->days; day++) {
            buf_reset(&key);
            key_counters(&key, "tg", account_name(domain, account), PERIOD_DAY,
                         day_name(day, name));
            counters_make(&counters, domain);
            push(&key, node, buf_slice(&counters), SLICE_NONE);
            expire(&key);
        }
    }
    trip();
    buf_fini(&key);
    buf_fini(&counters);
}

static void users_push(const struct shape *s, unsigned node)
{
    struct buf key, counters;
    char account[40], name[16], user[64];

    buf_init(&key, 1024);
    buf_init(&counters, 65536);
    for (unsigned i = 0; i < s->domains * s->days * s->users; i++) {
        unsigned day = i / s->users % s->days, domain = i / s->users / s->days;

        buf_reset(&key);
        key_users(&key, "tg", account_name(domain, account), PERIOD_DAY, day_name(day, name));
        (void)snprintf(user, sizeof user, "user%u@%s", i % s->users, account);
        buf_reset(&counters);
        group_add(&counters, "in", true, 1 + random_below(&source, 50));
        group_add(&counters, "out", true, 1 + random_below(&source, 20));
        push(&key, node, buf_slice(&counters), slice_str(user));
    }
    trip();
    buf_fini(&key);
    buf_fini(&counters);
}

/* What reports look at besides: the schema, the nodes, the accounts. */
static void index_write(const struct shape *s)
{
    struct buf key;
    char account[40], node[16];

    buf_init(&key, 1024);
    add(3, (struct slice[]){SLICE("SET"), SLICE("tg:schema"), SLICE("1")});
    for (unsigned i = 0; i < s->nodes; i++) {
        (void)snprintf(node, sizeof node, "mx%u", i + 1);
        add(3, (struct slice[]){SLICE("SADD"), SLICE("tg:nodes"), slice_str(node)});
        buf_reset(&key);
        key_node(&key, "tg", node);
        add(6, (struct slice[]){SLICE("HSET"), buf_slice(&key), SLICE("seen"), SLICE("2000000000"),
                                SLICE("pushed_through"), SLICE("2000000000")});
    }
    for (unsigned i = 0; i < s->domains; i++) {
        buf_reset(&key);
        key_accounts(&key, "tg", account_name(i, account));
        add(3, (struct slice[]){SLICE("SADD"), buf_slice(&key), slice_str(account)});
    }
    trip();
    buf_fini(&key);
}

static void say(const char *what, uint64_t rows, uint64_t bytes, int64_t took_ms)
{
    printf("%-6s %10" PRIu64 " rows %8.1f MB %5.0f bytes a row, pushed in %.1f s\n", what, rows,
           (double)bytes / 1e6, (double)bytes / (double)rows, (double)took_ms / 1000);
}

static void fill_node(const struct shape *s, bool users, unsigned node)
{
    if (users)
        users_push(s, node);
    else
        rows_push(s, node);
}

static void fill(const struct shape *s, bool users)
{
    uint64_t before = used_memory(), rows = (uint64_t)s->domains * s->days * (users ? s->users : 1);
    int64_t began_ms = clock_monotonic_ms();

    struct random_source begin[NODES_MAX];

    for (unsigned node = 0; node < s->nodes; node++) {
        begin[node] = source;
        fill_node(s, users, node);
    }
    say(users ? "users" : "days", rows, used_memory() - before, clock_monotonic_ms() - began_ms);
    began_ms = clock_monotonic_ms();
    is_final = true;
    for (unsigned node = 0; node < s->nodes && s->nodes > 1; node++) {
        source = begin[node]; /* the same figures again */
        fill_node(s, users, node);
    }
    is_final = false;
    if (s->nodes > 1)
        say("sealed", rows, used_memory() - before, clock_monotonic_ms() - began_ms);
}

int main(int argc, char **argv)
{
    struct shape s = {0};
    struct settings settings = {0};
    char url[200];

    if (argc < 5) {
        (void)fprintf(stderr, "usage: rows-bench SOCKET DOMAINS DAYS NODES [USERS]\n");
        return 64;
    }
    if (strtoul(argv[4], NULL, 10) > NODES_MAX) {
        (void)fprintf(stderr, "rows-bench: at most %d nodes\n", NODES_MAX);
        return 64;
    }
    s.domains = (unsigned)strtoul(argv[2], NULL, 10);
    s.days = (unsigned)strtoul(argv[3], NULL, 10);
    s.nodes = (unsigned)strtoul(argv[4], NULL, 10);
    s.users = argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : 0;
    (void)snprintf(url, sizeof url, "unix://%s", argv[1]);
    settings.state_dir = "/nonexistent";
    settings.store.url = url;
    settings.store.prefix = "tg";
    settings.store.username = settings.store.password_file = "";
    settings.store.timeout_ms = 1000;
    store = store_new(&settings, &err);
    must(store != NULL);
    printf("%u domains, %u days, nodes: %u\n", s.domains, s.days, s.nodes);
    fill(&s, false);
    if (s.users > 0)
        fill(&s, true);
    index_write(&s);
    store_free(store);
    return 0;
}
