#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/redis/link.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/settings.h"
#include "t/sim/sim_ask.h"
#include "t/sim/sim_node.h"
#include "t/sim/sim_store.h"

/*
 * Two nodes, their disks, the clock and Redis in one process, and one seed that decides all that
 * happens to them. The code of journal, fold, ledger and push is the real one, and so are SQLite
 * and the scripts.
 *
 * Record i has 2^i bytes: so the bytes of an account tell which records it counts, and messages say
 * whether one counts twice.
 *
 * usage: simulate FIRST COUNT REDIS.LUA     seeds; a line for each that fails, exit status 1
 *        simulate ask REDIS.LUA             t/sim/sim_ask.h
 *        SIM_TRACE=1: what happens, step by step; the files stay
 */

#define NODES       2
#define RECORDS_MAX 50
#define BEGIN_MS    INT64_C(1763730000000)

enum fate { FATE_NONE, FATE_MAYBE, FATE_ACCEPTED };

struct sim_record {
    size_t node;
    int64_t time_ms;
    enum fate fate;
    bool is_synced;
};

struct sim {
    struct random_source random;
    struct sim_node nodes[NODES];
    struct sim_record records[RECORDS_MAX];
    size_t count;
    bool is_traced;
    /* A journal has lost its end, whose records Redis may have; and Redis has lost something after
     * that: rows which only those records had are gone (HACKING, "What cannot be covered"). */
    bool has_lost_records, has_lost_rows;
    char fault[600]; /* "": none */
};

static char base[100];

static void fail(struct sim *m, const char *what, const char *detail)
{
    if (m->fault[0] == '\0')
        (void)snprintf(m->fault, sizeof m->fault, "%s%s%s", what, detail[0] != '\0' ? ": " : "",
                       detail);
}

static void trace(const struct sim *m, const char *what, size_t node, long long value)
{
    if (m->is_traced)
        (void)fprintf(stderr, "  %s %zu %lld\n", what, node, value);
}

/* --- what Redis shows ------------------------------------------------------------------------ */

struct shown {
    uint64_t messages, bytes;
};

static uint64_t number_of(const redisReply *reply)
{
    uint64_t number;

    return slice_number(link_reply_text(reply), &number) ? number : 0;
}

static struct shown shown_in(const char *key, const char *start)
{
    char messages[80], bytes[80];
    struct shown s = {0, 0};
    redisReply *reply;

    (void)snprintf(messages, sizeof messages, "%sin_messages", start);
    (void)snprintf(bytes, sizeof bytes, "%sin_bytes", start);
    reply = sim_store_ask(
        4, (struct slice[]){SLICE("HMGET"), slice_str(key), slice_str(messages), slice_str(bytes)});
    if (reply->type == REDIS_REPLY_ARRAY)
        s = (struct shown){number_of(reply->element[0]), number_of(reply->element[1])};
    freeReplyObject(reply);
    return s;
}

/* The sum over all keys that begin so. */
static struct shown shown_sum(const char *start, const char *user)
{
    redisReply *keys = sim_store_ask(2, (struct slice[]){SLICE("KEYS"), slice_str(start)});
    struct shown sum = {0, 0};

    for (size_t i = 0; i < keys->elements; i++) {
        struct shown one = shown_in(keys->element[i]->str, user);

        sum.messages += one.messages;
        sum.bytes += one.bytes;
    }
    freeReplyObject(keys);
    return sum;
}

static int64_t pushed_through(const char *node)
{
    char key[64];
    redisReply *reply;
    uint64_t through;

    (void)snprintf(key, sizeof key, "tg:{@%s}:node", node);
    reply =
        sim_store_ask(3, (struct slice[]){SLICE("HGET"), slice_str(key), SLICE("pushed_through")});
    through = number_of(reply);
    freeReplyObject(reply);
    return (int64_t)through;
}

/* --- what must be true ----------------------------------------------------------------------- */

/* At any moment: no record counts twice, nor one that was never there. */
static void check_shown(struct sim *m, struct shown s, const char *what)
{
    uint64_t possible = 0;
    char text[120];

    for (size_t i = 0; i < m->count; i++)
        possible |= m->records[i].fate != FATE_NONE ? UINT64_C(1) << i : 0;
    if ((uint64_t)__builtin_popcountll(s.bytes) == s.messages && (s.bytes & ~possible) == 0)
        return;
    (void)snprintf(text, sizeof text, "messages %llu, bytes %llx, possible %llx",
                   (unsigned long long)s.messages, (unsigned long long)s.bytes,
                   (unsigned long long)possible);
    fail(m, what, text);
}

/* What a node says to have pushed is there. */
static void check_through(struct sim *m, struct shown s)
{
    char text[120];

    for (size_t i = 0; i < m->count; i++) {
        const struct sim_record *r = &m->records[i];
        int64_t through = pushed_through(m->nodes[r->node].name);

        if (r->fate != FATE_ACCEPTED || r->time_ms >= through * 1000 || (s.bytes >> i & 1) != 0)
            continue;
        (void)snprintf(text, sizeof text, "record %zu of %lld ms, pushed_through %lld", i,
                       (long long)r->time_ms, (long long)through);
        fail(m, "pushed_through is ahead of what is there", text);
    }
}

/* The row as it stands, for whoever looks for the reason. */
static void trace_row(const struct sim *m)
{
    redisReply *row =
        sim_store_ask(2, (struct slice[]){SLICE("HGETALL"), SLICE("tg:{example.com}:total")});

    for (size_t i = 0; m->is_traced && i + 1 < row->elements; i += 2)
        (void)fprintf(stderr, "    %s = %s\n", row->element[i]->str, row->element[i + 1]->str);
    freeReplyObject(row);
}

static void check_now(struct sim *m)
{
    trace_row(m);
    struct shown s = shown_in("tg:{example.com}:total", "");

    check_shown(m, s, "a figure that cannot be");
    check_through(m, s);
}

/* When all is well again. */
static void check_end(struct sim *m)
{
    static const char *const keys[] = {
        "tg:{example.com}:month:", "tg:{example.com}:day:", "tg:{example.com}:hour:"};
    struct shown total = shown_in("tg:{example.com}:total", "");
    char text[120];

    for (size_t i = 0; i < m->count; i++) {
        if (m->records[i].fate == FATE_ACCEPTED && (total.bytes >> i & 1) == 0) {
            (void)snprintf(text, sizeof text, "record %zu of node %zu", i, m->records[i].node);
            fail(m, "an accepted record is not counted", text);
        }
    }
    for (size_t i = 0; !m->has_lost_rows && i < sizeof keys / sizeof keys[0]; i++) {
        struct shown sum = shown_sum(keys[i], "");

        if (sum.messages != total.messages || sum.bytes != total.bytes)
            fail(m, "the sum of periods is not the total", keys[i]);
    }
    struct shown users = shown_sum("tg:{example.com}:users:month:", "u@example.com ");
    if (!m->has_lost_rows && (users.messages != total.messages || users.bytes != total.bytes))
        fail(m, "the user's figures are not the account's", "");
}

/* --- what happens ---------------------------------------------------------------------------- */

static void append(struct sim *m, size_t node)
{
    struct sim_node *n = &m->nodes[node];
    size_t i = m->count;
    struct leg of_account = {.kind = LEG_IN,
                             .account = SLICE("example.com"),
                             .messages = 1,
                             .recipients = 1,
                             .bytes = UINT64_C(1) << i};
    struct leg legs[2] = {of_account, of_account};
    struct record r = {.bytes = of_account.bytes, .legs = legs, .leg_count = 2};
    struct err err, why;

    if (i == RECORDS_MAX)
        return;
    legs[1].user = SLICE("u@example.com");
    m->records[i] = (struct sim_record){.node = node};
    if (journal_append(n->journal, &r, -1, &err) == 0)
        m->records[i].fate = FATE_ACCEPTED;
    else if (journal_check(n->journal, &why) < 0 && strstr(why.text, "forced") != NULL)
        m->records[i].fate = FATE_MAYBE;
    if (sim_disk_is_dead(n->disk) && m->records[i].fate == FATE_ACCEPTED)
        m->records[i].fate = FATE_MAYBE; /* its client heard nothing */
    m->records[i].time_ms = r.time_ms;
    m->records[i].is_synced = n->sync == SYNC_ALWAYS;
    m->count++;
    trace(m, "append", node, (long long)i);
}

static void tick(struct sim *m, size_t node)
{
    struct sim_node *n = &m->nodes[node];
    struct err err;

    sim_clock_advance(20);
    journal_tick(n->journal, clock_monotonic_ms());
    if (sim_disk_is_dead(n->disk) || journal_check(n->journal, &err) < 0)
        return;
    for (size_t i = 0; i < m->count; i++)
        m->records[i].is_synced = m->records[i].is_synced || m->records[i].node == node;
}

static void start(struct sim *m, size_t node)
{
    struct err err = {0};

    if (sim_node_open(&m->nodes[node], &err) == 0 || sim_disk_is_dead(m->nodes[node].disk))
        return;
    /* A full disk may refuse one start, and not the next. */
    sim_disk_plan(m->nodes[node].disk, SIM_NONE, 0);
    for (int i = 0; i < 4; i++) {
        if (sim_node_open(&m->nodes[node], &err) == 0)
            return;
    }
    fail(m, "no start", err.text);
}

/* After a death the files are as they were then. */
static void revive(struct sim *m, size_t node)
{
    struct sim_node *n = &m->nodes[node];

    while (m->fault[0] == '\0' && (!n->is_open || sim_disk_is_dead(n->disk))) {
        if (n->is_open)
            sim_node_close(n);
        if (sim_disk_is_dead(n->disk)) {
            bool lost = sim_disk_revive(n->disk);

            trace(m, lost ? "power lost" : "killed", node, 0);
            for (size_t i = 0; lost && i < m->count; i++) {
                if (m->records[i].node == node && !m->records[i].is_synced &&
                    m->records[i].fate == FATE_ACCEPTED) {
                    m->records[i].fate = FATE_MAYBE;
                    m->has_lost_records = true;
                }
            }
        }
        start(m, node);
    }
}

static void work(struct sim *m, size_t node, bool pushes)
{
    struct sim_node *n = &m->nodes[node];
    struct err err;
    int rc = 1;

    sim_node_fold(n);
    if (n->folding.is_damaged && !sim_disk_is_dead(n->disk))
        fail(m, "the journal is damaged", n->folding.journal_problem.text);
    for (int i = 0; pushes && rc == 1 && i < 20; i++)
        rc = sim_node_push(n, &err);
    trace(m, pushes ? "fold and push" : "fold", node, rc);
}

static void plan(struct sim *m, size_t node)
{
    enum sim_fault fault = (enum sim_fault)(1 + random_below(&m->random, SIM_FAULTS - 1));
    uint32_t calls = random_below(&m->random, 1u << random_below(&m->random, 8));

    sim_disk_plan(m->nodes[node].disk, fault, calls);
    trace(m, "plan", node, (long long)fault * 1000 + calls);
}

static void server_event(struct sim *m)
{
    uint32_t what = random_below(&m->random, 6);

    trace(m, "redis", what, 0);
    m->has_lost_rows = m->has_lost_rows || (m->has_lost_records && what < 2);
    switch (what) {
    case 0:
        sim_store_flush();
        break;
    case 1:
        sim_store_restore();
        break;
    case 2:
        sim_store_faults(random_below(&m->random, 2) * (5 + random_below(&m->random, 60)));
        break;
    case 3:
        sim_store_deliver();
        break;
    default:
        sim_store_save();
    }
}

static void event(struct sim *m, size_t node)
{
    uint32_t what = random_below(&m->random, 24);

    if (what < 8) {
        append(m, node);
    } else if (what < 14) {
        work(m, node, what < 13);
    } else if (what < 16) {
        tick(m, node);
    } else if (what == 16) {
        sim_node_trim(&m->nodes[node]);
    } else if (what == 17) {
        sim_clock_advance(random_below(&m->random, 2) == 0 ? random_below(&m->random, 3000)
                                                           : random_below(&m->random, 10000000));
    } else if (what < 20) {
        plan(m, node);
    } else if (what == 20) {
        sim_node_stop(&m->nodes[node]);
        trace(m, "stop", node, 0);
    } else if (what == 21) {
        sim_disk_kill(m->nodes[node].disk, random_below(&m->random, 2) == 0);
    } else {
        server_event(m);
    }
}

static void settle(struct sim *m)
{
    sim_store_faults(0);
    sim_store_deliver();
    for (size_t i = 0; i < NODES; i++) {
        sim_disk_plan(m->nodes[i].disk, SIM_NONE, 0);
        if (!sim_disk_is_dead(m->nodes[i].disk))
            sim_node_close(&m->nodes[i]);
        revive(m, i);
    }
    for (int i = 0; i < 12 && m->fault[0] == '\0'; i++) {
        sim_clock_advance(1000);
        for (size_t k = 0; k < NODES; k++)
            work(m, k, true);
        check_now(m);
    }
}

/* --- a seed ---------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static void sim_begin(struct sim *m, uint64_t seed)
{
    static const char *const names[NODES] = {"mx1", "mx2"};
    static const int syncs[NODES] = {SYNC_ALWAYS, SYNC_TIMED};

    *m = (struct sim){.random = {seed}, .is_traced = getenv("SIM_TRACE") != NULL};
    sim_clock_set(BEGIN_MS);
    sim_store_reset();
    if (mkdir(base, 0700) != 0)
        abort();
    for (size_t i = 0; i < NODES; i++) {
        sim_node_init(&m->nodes[i], base, names[i], syncs[i], &m->random);
        start(m, i);
    }
}

static bool sim_run(struct sim *m, uint64_t seed)
{
    uint32_t events;

    sim_begin(m, seed);
    events = 20 + random_below(&m->random, 80);
    for (uint32_t i = 0; i < events && m->fault[0] == '\0'; i++) {
        size_t node = random_below(&m->random, NODES);

        revive(m, node);
        if (m->fault[0] == '\0')
            event(m, node);
        check_now(m);
    }
    if (m->fault[0] == '\0')
        settle(m);
    if (m->fault[0] == '\0')
        check_end(m);
    for (size_t i = 0; i < NODES; i++)
        sim_node_fini(&m->nodes[i]);
    if (m->fault[0] != '\0' && m->is_traced)
        return false; /* the files stay, to be looked at */
    (void)nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return m->fault[0] == '\0';
}

int main(int argc, char **argv)
{
    static struct sim sim;
    static struct random_source random; /* of the trips; the seed's, too */
    uint64_t first, count, failed = 0;

    if (argc == 3 && strcmp(argv[1], "ask") == 0) {
        sim_store_begin(argv[2], &random);
        return sim_ask_serve();
    }
    if (argc < 4)
        return 64;
    (void)setenv("TZ", "UTC", 1);
    log_open("simulate", LOG_TARGET_STDERR, LOG_MAIL,
             getenv("SIM_TRACE") != NULL ? LOG_DEBUG : LOG_EMERG);
    (void)snprintf(base, sizeof base, "/dev/shm/tg-sim-%d", (int)getpid());
    first = strtoull(argv[1], NULL, 10);
    count = strtoull(argv[2], NULL, 10);
    sim_store_begin(argv[3], &random);
    for (uint64_t seed = first; seed < first + count; seed++) {
        random.state = ~seed;
        if (sim_run(&sim, seed))
            continue;
        failed++;
        printf("seed %llu: %s\n", (unsigned long long)seed, sim.fault);
        (void)fflush(stdout);
    }
    sim_store_end();
    printf("%llu seeds, %llu failed\n", (unsigned long long)count, (unsigned long long)failed);
    return failed == 0 ? 0 : 1;
}
