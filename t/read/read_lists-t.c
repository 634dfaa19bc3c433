/* What the collectors write, read from a real redis-server: lists in streams, how far logs are
 * read, gaps and notes. */
#include "t/tap.h"

#include <sysexits.h>

#include "lib/read/read_coverage.h"
#include "lib/read/read_fleet.h"
#include "lib/read/read_lists.h"
#include "t/redis/redis_fixture.h"

#define MANY 2500 /* several pages */

static struct reader reader;
static struct arena arena;
static struct err error;

static void send_all(void)
{
    static redisReply *replies[MANY + 10];
    size_t count = store_pipe_count(reader.store);

    OK(count <= MANY + 10 && store_pipe_run(reader.store, replies, 10000, &error) == 0, "written");
    for (size_t i = 0; i < count; i++)
        freeReplyObject(replies[i]);
}

/* A command, its words separated by `|`. */
static void add(const char *text)
{
    struct slice argv[32], rest = slice_str(text);
    size_t count = 0;

    while (count < 32 && slice_cut(&rest, '|', &argv[count]))
        count++;
    store_pipe_add(reader.store, count, argv);
}

static void put(const char *text)
{
    add(text);
    send_all();
}

/* --- lists ----------------------------------------------------------------------------------- */

struct listed {
    size_t rows;
    int64_t sum_ms;
    struct buf text;
    bool stop;
};

static int see_refusal(void *context, const struct refusal_entry *e, struct err *err)
{
    struct listed *s = context;

    s->rows++;
    s->sum_ms += e->time_ms;
    buf_addf(&s->text, "%d %.*s %.*s %.*s %.*s %.*s %.*s %d\n", (int)e->time_ms, SLICE_FMT(e->node),
             SLICE_FMT(e->provider), SLICE_FMT(e->relay), SLICE_FMT(e->list), SLICE_FMT(e->domain),
             SLICE_FMT(e->text), e->is_greeting);
    return s->stop ? err_set(err, EX_SOFTWARE, "enough") : 0;
}

static int see_anomaly(void *context, const struct anomaly_entry *e, struct err *err)
{
    struct listed *s = context;

    (void)err;
    s->rows++;
    buf_addf(&s->text, "%d %.*s %.*s %.*s %.*s %d %.*s %.*s\n", (int)e->time_ms, SLICE_FMT(e->node),
             SLICE_FMT(e->kind), SLICE_FMT(e->subject), SLICE_FMT(e->metric), (int)e->value,
             SLICE_FMT(e->usual), SLICE_FMT(e->factor));
    return 0;
}

static void refusals_are(int64_t from_ms, int64_t to_ms, const char *want)
{
    struct listed s = {.rows = 0};

    buf_init(&s.text, 1 << 20);
    IS_INT(read_lists_refusals(&reader, from_ms, to_ms, see_refusal, &s, &error), 0, "refusals");
    IS_SLICE(buf_slice(&s.text), slice_str(want), want);
    buf_fini(&s.text);
}

static void test_refusals(void)
{
    refusals_are(0, 100000, "");
    add("XADD|t:refusals|5000-0|node|mx1|time_ms|4000|provider|a.test|relay|mx.a.test|list|x.dnsbl|"
        "domain|example.com|text|554 no|greeting|1");
    add("XADD|t:refusals|5000-1|provider|b.test|of_a_newer_release|1");
    add("XADD|t:refusals|6000-0|node|mx1|time_ms|soon|provider|c.test");
    add("XADD|t:refusals|6000-1|node|mx1|time_ms|5999");
    add("XADD|t:refusals|7000-0|time_ms|6999|provider|d.test|greeting|0|text|550 5.7.1");
    send_all();
    refusals_are(0, 100000,
                 "4000 mx1 a.test mx.a.test x.dnsbl example.com 554 no 1\n"
                 "5000  b.test     0\n"
                 "6999  d.test    550 5.7.1 0\n");
    refusals_are(4001, 6999, "5000  b.test     0\n");
    refusals_are(6999, 7000, "6999  d.test    550 5.7.1 0\n");
    put("DEL|t:refusals");
}

/* Pages; and entries that were written before they happened, by the clock of another machine. */
static void test_many(void)
{
    struct listed s = {.rows = 0};
    char command[200];
    int64_t sum_ms = 0;

    buf_init(&s.text, 1 << 20);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(command, sizeof command,
                       "XADD|t:refusals|%d-0|node|mx1|time_ms|%d|provider|p.test", 10000000 + i,
                       10000000 + i + 60000);
        add(command);
        sum_ms += 10000000 + i + 60000;
    }
    send_all();
    IS_INT(read_lists_refusals(&reader, 10060000, 20000000, see_refusal, &s, &error), 0, "many");
    IS_INT(s.rows, MANY, "each once");
    OK(s.sum_ms == sum_ms, "of all pages");
    s.stop = true;
    s.rows = 0;
    OK(read_lists_refusals(&reader, 10060000, 20000000, see_refusal, &s, &error) == -1 &&
           s.rows == 1 && strcmp(error.text, "enough") == 0,
       "who gets the rows may end it");
    buf_fini(&s.text);
}

static void test_anomalies(void)
{
    struct listed s = {.rows = 0};

    buf_init(&s.text, 1 << 20);
    add("XADD|t:anomalies|5000-0|node|mx1|time_ms|4000|kind|login|subject|bob@example.com|metric|"
        "smtp_in_connections|value|900|usual|12.5|factor|72.0");
    add("XADD|t:anomalies|5000-1|kind|login|metric|messages|value|1");
    send_all();
    IS_INT(read_lists_anomalies(&reader, 0, 100000, see_anomaly, &s, &error), 0, "anomalies");
    IS_SLICE(buf_slice(&s.text),
             SLICE("4000 mx1 login bob@example.com smtp_in_connections 900 12.5 72.0\n"),
             "those with a subject");
    put("SET|t:anomalies|x");
    OK(read_lists_anomalies(&reader, 0, 100000, see_anomaly, &s, &error) == -1 &&
           error.code == EX_DATAERR && strstr(error.text, "t:anomalies") != NULL,
       "a key of another type is named");
    buf_fini(&s.text);
}

/* --- collectors ------------------------------------------------------------------------------ */

static void test_collector(void)
{
    struct collector_info c;

    OK(read_coverage_collector(&reader, SLICE("mx1"), &arena, &c, &error) == 0 && !c.log.is_there &&
           c.log.gap_count == 0,
       "no collector");
    add("HSET|t:{@mx1}:collect|version|0.1.0|started|900|seen|1000|log_from|100|log_through|990|"
        "pushed_through|980|lines|12345|gaps|3|sources|file:/a journal:|notes|"
        ">= pop_bytes no %i\n? imap_bad_commands no exporter\n<= smtp_out_connections\n"
        ">= nonsense x\nno mark\n\n");
    add("HSET|t:{@mx1}:gaps|7|300 400 0 file:/a: lost|2|100 100 5 journal: told|9|300 350 1 b");
    send_all();
    OK(read_coverage_collector(&reader, SLICE("mx1"), &arena, &c, &error) == 0, "a collector");
    IS_SLICE(c.version, SLICE("0.1.0"), "its version");
    IS_SLICE(c.sources, SLICE("file:/a journal:"), "its logs");
    OK(c.log.is_there && c.log.from_s == 100 && c.log.through_s == 980 && c.log_through == 990,
       "what is in Redis counts, not what was read");
    OK(c.lines == 12345 && c.gaps == 3 && c.seen == 1000 && c.started == 900, "its gauges");
    IS_INT(c.log.note_count, 3, "notes of counters that there are");
    OK(coverage_bound_of(&c.log, COUNTER_POP_BYTES) == BOUND_LEAST &&
           coverage_bound_of(&c.log, COUNTER_IMAP_BAD_COMMANDS) == BOUND_UNKNOWN &&
           coverage_bound_of(&c.log, COUNTER_SMTP_OUT_CONNECTIONS) == BOUND_MOST,
       "their bounds");
    IS_SLICE(c.log.notes[0].text, SLICE("no %i"), "and texts");
    IS_INT(c.log.gap_count, 3, "gaps");
    OK(c.log.gaps[0].from_s == 100 && c.log.gaps[0].lost == 5 && c.log.gaps[1].to_s == 350 &&
           c.log.gaps[2].to_s == 400,
       "in order");
    IS_SLICE(c.log.gaps[2].reason, SLICE("file:/a: lost"), "with their reasons");
}

/* A machine that only runs a collector keeps nobody waiting for its messages. */
static void test_collector_only(void)
{
    struct coverage_nodes n;
    struct node_coverage c;

    add("SADD|t:nodes|mx1|mx2");
    add("HSET|t:{@mx2}:node|version|0.1.0|seen|1000|pushed_through|950");
    send_all();
    OK(read_coverage_nodes(&reader, true, &arena, &n, &error) == 0 && n.nodes.count == 2, "nodes");
    OK(n.nodes.items[0].is_collector_only && !n.nodes.items[1].is_collector_only,
       "one of them counts no messages");
    OK(read_node_infos_last(&n.nodes) == &n.nodes.items[1], "nobody waits for these");
    read_coverage_of(&n, 0, 800, 900, 2000, &c);
    OK(c.milter.nodes == 0 && c.log.nodes == 1 && c.log.covered_s == 100, "its log counts");
    read_coverage_of(&n, 1, 800, 900, 2000, &c);
    OK(c.milter.nodes == 1 && c.log.silent == 1, "the other has no collector");
}

/* --- all nodes, for monitoring --------------------------------------------------------------- */

static const struct fleet_node *fleet_find(const struct fleet *fleet, const char *name)
{
    for (size_t i = 0; i < fleet->count; i++) {
        if (slice_equal(fleet->items[i].info.name, slice_str(name)))
            return &fleet->items[i];
    }
    return NULL;
}

static void test_fleet(void)
{
    const size_t many = 2 * READ_FLEET_AT_ONCE + 5; /* three trips */
    const struct fleet_node *node;
    struct fleet fleet;
    size_t right = 0;
    char text[80];

    OK(read_fleet(&reader, &arena, &fleet, &error) == 0 && fleet.count == 0, "no nodes");
    for (size_t i = 0; i < many; i++) {
        (void)snprintf(text, sizeof text, "SADD|t:nodes|n%zu", i);
        add(text);
        (void)snprintf(text, sizeof text, "HSET|t:{@n%zu}:total|messages|%zu|_n|7 x 1", i, i);
        add(text);
    }
    add("HSET|t:{@n7}:node|version|0.1.0|seen|1000|journal_records|17|dirty_rows|3|disk_free|9|"
        "disk_min|8");
    add("HSET|t:{@n8}:collect|version|0.1.0|seen|900|lines|11|notes|? smtp_in_connections no|"
        "sources_through|899 file:/x|queue_messages|0|reconcile_at|800|reconcile_counted|70|"
        "reconcile_passed_on|6");
    send_all();
    OK(read_fleet(&reader, &arena, &fleet, &error) == 0 && fleet.count == many, "all nodes");
    for (size_t i = 0; i < many; i++) {
        (void)snprintf(text, sizeof text, "n%zu", i);
        node = fleet_find(&fleet, text);
        right += node != NULL && node->total.value[COUNTER_MESSAGES] == i;
    }
    IS_INT(right, many, "each with its counters");
    node = fleet_find(&fleet, "n7");
    OK(node->info.journal_records == 17 && node->info.dirty_rows == 3 && !node->has_collector &&
           node->info.disk_free == 9 && node->info.disk_min == 8 && !node->collector.has_queue,
       "a node's gauges");
    node = fleet_find(&fleet, "n8");
    OK(node->has_collector && node->collector.lines == 11 && node->info.is_collector_only &&
           coverage_bound_of(&node->collector.log, COUNTER_SMTP_IN_CONNECTIONS) == BOUND_UNKNOWN,
       "a collector's, and what it cannot tell");
    OK(slice_equal(node->collector.sources_through, SLICE("899 file:/x")) &&
           node->collector.has_queue && node->collector.queue_messages == 0 &&
           node->collector.reconcile_at == 800 && node->collector.reconcile_counted == 70 &&
           node->collector.reconcile_found[FINDING_PASSED_ON] == 6 &&
           node->collector.reconcile_found[FINDING_MISSED] == 0,
       "its logs, the queue, and what was found");
    put("HSET|t:{@n9}:total|messages|many");
    OK(read_fleet(&reader, &arena, &fleet, &error) == -1 && error.code == EX_DATAERR &&
           strstr(error.text, "t:{@n9}:total") != NULL && fleet.count == 0,
       "what is no number is an error, and no node is given");
    for (size_t i = 0; i < many; i++) {
        (void)snprintf(text, sizeof text, "SREM|t:nodes|n%zu", i);
        add(text);
    }
    send_all();
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
    arena_init(&arena, 4 << 20);
    test_fleet();
    test_refusals();
    test_many();
    test_anomalies();
    test_collector();
    test_collector_only();
    arena_fini(&arena);
    store_free(reader.store);
    redis_fixture_stop(&redis);
    return tap_done();
}
