/* tollgate doctor: the store, its clock, and what the nodes say of themselves in it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/doctor.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/sys/clock.h"

#define PINGS        11
#define TIMEOUT_MS   5000
#define VERSION_MIN  5
#define CLOCK_WARN_S 2
#define CLOCK_FAIL_S 60
#define SEEN_WARN_S  30 /* a node writes its hash every second */
#define RIVAL_S      60 /* so does its rival */
#define OTHER_WARN_S 300
#define LAG_WARN_S   60

/* --- the store ------------------------------------------------------------------------------- */

static redisReply *ask(struct doctor *d, size_t argc, const struct slice *argv, struct err *err)
{
    return store_command(d->cli->store, argc, argv, TIMEOUT_MS, err);
}

/* A field of INFO, empty where it is not there. */
static struct slice info_field(const redisReply *info, const char *name)
{
    struct slice rest = link_reply_text(info), line, key;

    while (slice_cut(&rest, '\n', &line)) {
        line = slice_trim(line);
        if (slice_cut(&line, ':', &key) && slice_equal(key, slice_str(name)))
            return line;
    }
    return SLICE_NONE;
}

static bool info_is(const redisReply *info, const char *name, const char *value)
{
    return slice_equal(info_field(info, name), slice_str(value));
}

/* Without the field nothing is known: the user may not run INFO, or the server has no such field.
 */
static bool is_told(struct doctor *d, const redisReply *info, const char *field, const char *what)
{
    if (info_field(info, field).len > 0)
        return true;
    doctor_say(d, DOCTOR_UNKNOWN, d->server, "%s cannot be checked: %.*s", what,
               SLICE_FMT(info->type == REDIS_REPLY_ERROR ? link_reply_text(info)
                                                         : SLICE("INFO does not tell it")));
    doctor_fix(d, info->type == REDIS_REPLY_ERROR
                      ? "allow the command INFO to store.username (ACL SETUSER ... +info), or look "
                        "with `redis-cli INFO' yourself"
                      : "look into the configuration of the server yourself");
    return false;
}

static void check_version(struct doctor *d, const redisReply *info)
{
    struct slice version = info_field(info, "redis_version"), major;
    struct slice rest = version;
    uint64_t n = 0;

    if (!is_told(d, info, "redis_version", "the version"))
        return;
    if (!slice_cut(&rest, '.', &major) || !slice_number(major, &n)) {
        doctor_say(d, DOCTOR_UNKNOWN, d->server, "the version \"%.*s\" is not a number",
                   SLICE_FMT(version));
        doctor_fix(d, "check that it is compatible with Redis %d or later", VERSION_MIN);
    } else if (n < VERSION_MIN) {
        doctor_say(d, DOCTOR_FAIL, d->server, "Redis %.*s is too old", SLICE_FMT(version));
        doctor_fix(d, "install Redis %d or later, or Valkey", VERSION_MIN);
    } else {
        /* Valkey's redis_version is that of the Redis that it stands for. */
        struct slice valkey = info_field(info, "valkey_version");

        doctor_say(d, DOCTOR_OK, d->server, "%s %.*s at %s", valkey.len > 0 ? "Valkey" : "Redis",
                   SLICE_FMT(valkey.len > 0 ? valkey : version), d->where);
    }
}

static void check_persistence(struct doctor *d, const redisReply *info)
{
    if (info_is(info, "loading", "1")) {
        doctor_say(d, DOCTOR_WARN, d->server, "Redis is loading its data");
        doctor_fix(d, "wait; tollgated continues when it is done");
    } else if (info_is(info, "aof_last_write_status", "err") ||
               info_is(info, "rdb_last_bgsave_status", "err")) {
        doctor_say(d, DOCTOR_FAIL, d->server, "Redis could not write its data to disk");
        doctor_fix(d, "see the log of Redis; usually its disk is full, or its directory belongs to "
                      "another user");
    } else if (!is_told(d, info, "aof_enabled", "persistence")) {
        return;
    } else if (info_is(info, "aof_enabled", "0")) {
        doctor_say(d, DOCTOR_WARN, d->server,
                   "the append-only file is off: after a restart the "
                   "store is empty, or as old as its last snapshot");
        doctor_fix(d,
                   "tollgated writes its counters again within 10 minutes; to keep reports whole: "
                   "redis-cli CONFIG SET appendonly yes, and the same in redis.conf");
    } else {
        doctor_say(d, DOCTOR_OK, d->server, "data is kept in an append-only file");
    }
}

static void check_memory(struct doctor *d, const redisReply *info)
{
    struct slice policy = info_field(info, "maxmemory_policy");
    bool limited = !info_is(info, "maxmemory", "0");

    if (!is_told(d, info, "maxmemory_policy", "maxmemory-policy"))
        return;
    if (slice_equal(policy, SLICE("noeviction"))) {
        doctor_say(d, DOCTOR_OK, d->server, "no keys are evicted when memory is full");
        return;
    }
    doctor_say(d, limited ? DOCTOR_FAIL : DOCTOR_WARN, d->server,
               "maxmemory-policy is %.*s: when memory is full, Redis evicts counters",
               SLICE_FMT(policy));
    doctor_fix(d, "redis-cli CONFIG SET maxmemory-policy noeviction, and the same in redis.conf; "
                  "use another Redis for caches");
}

static int compare_ms(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return left < right ? -1 : left > right;
}

static void check_latency(struct doctor *d)
{
    int64_t timeout_ms = d->cli->settings->store.timeout_ms, took[PINGS];
    struct err err = {0};

    for (int i = 0; i < PINGS; i++) {
        int64_t start = clock_monotonic_ms();
        redisReply *reply = ask(d, 1, (const struct slice[]){SLICE("PING")}, &err);

        took[i] = clock_monotonic_ms() - start;
        if (reply == NULL) {
            doctor_say(d, DOCTOR_FAIL, "store", "%s", err.text);
            doctor_fix(d, "check the load of Redis and the network");
            return;
        }
        freeReplyObject(reply);
    }
    qsort(took, PINGS, sizeof took[0], compare_ms);
    doctor_say(d, took[PINGS / 2] * 2 > timeout_ms ? DOCTOR_WARN : DOCTOR_OK, "store",
               "answers within %" PRId64 " ms (store.timeout is %" PRId64 " ms)",
               took[PINGS / 2] + 1, timeout_ms);
    if (took[PINGS / 2] * 2 > timeout_ms)
        doctor_fix(d, "raise store.timeout, or move the store closer");
}

static void check_schema(struct doctor *d)
{
    struct err err = {0};
    struct name_list nodes;

    if (read_schema(&d->cli->reader, &err) != 0) {
        doctor_say(d, DOCTOR_FAIL, "store", "%s", err.text);
        doctor_fix(d, "set another store.prefix, or install the release that wrote the keys");
    } else if (read_nodes(&d->cli->reader, &d->arena, &nodes, &err) != 0) {
        doctor_say(d, DOCTOR_FAIL, "store", "%s", err.text);
        doctor_fix(d, "check the keys that begin with %s:", d->cli->reader.prefix);
    } else {
        doctor_say(d, DOCTOR_OK, "store", "keys of schema 1, prefix %s, %zu node%s",
                   d->cli->reader.prefix, nodes.count, nodes.count == 1 ? "" : "s");
    }
}

/* Looks at one server; `info` is its INFO. */
static void check_server(struct doctor *d, const redisReply *info)
{
    check_version(d, info);
    check_persistence(d, info);
    check_memory(d, info);
}

/* What a server says that is not used as what it is. */
static void check_kind(struct doctor *d, const redisReply *info)
{
    bool is_cluster = store_server_is_of_cluster(d->cli->store);

    if (!is_cluster && info_is(info, "cluster_enabled", "1")) {
        doctor_say(d, DOCTOR_FAIL, "store", "the server belongs to a Redis Cluster");
        doctor_fix(d, "begin store.url with cluster://");
    } else if (!is_cluster && info_is(info, "role", "slave")) {
        doctor_say(d, DOCTOR_FAIL, "store", "the server is a replica, which takes no figures");
        doctor_fix(d, "set store.url to its master (%.*s), or to sentinels",
                   SLICE_FMT(info_field(info, "master_host")));
    }
}

/* Each master of a cluster is looked at by itself. */
static void check_cluster(struct doctor *d)
{
    size_t count = store_server_count(d->cli->store);

    for (size_t i = 0; i < count; i++) {
        struct err err = {0};
        redisReply *info;

        d->where = store_server_choose(d->cli->store, i);
        (void)snprintf(d->server, sizeof d->server, "store %.*s", 80, d->where);
        info = ask(d, 1, (const struct slice[]){SLICE("INFO")}, &err);
        if (info == NULL) {
            doctor_say(d, DOCTOR_FAIL, d->server, "%s", err.text);
            doctor_fix(d, "start it, or let a replica take its place");
            continue;
        }
        check_server(d, info);
        freeReplyObject(info);
    }
}

/* The slots of the cluster are all served, or it is not whole. */
static void check_slots(struct doctor *d)
{
    struct err err = {0};
    redisReply *info = ask(d, 2, (const struct slice[]){SLICE("CLUSTER"), SLICE("INFO")}, &err);
    size_t count = store_server_count(d->cli->store);

    if (info == NULL || info->type == REDIS_REPLY_ERROR) {
        doctor_say(d, DOCTOR_UNKNOWN, "store", "the state of the cluster cannot be read: %.*s",
                   SLICE_FMT(info == NULL ? slice_str(err.text) : link_reply_text(info)));
        doctor_fix(d, "allow the command CLUSTER INFO to store.username (ACL SETUSER ... "
                      "+cluster|info)");
    } else if (info_is(info, "cluster_state", "ok")) {
        doctor_say(d, DOCTOR_OK, "store", "the cluster serves all slots, by %zu masters", count);
    } else {
        doctor_say(d, DOCTOR_FAIL, "store", "the cluster is down: slots have no server");
        doctor_fix(d, "redis-cli --cluster check tells which; start their servers");
    }
    if (info != NULL)
        freeReplyObject(info);
}

static void say_unreachable(struct doctor *d, const struct err *err)
{
    doctor_say(d, DOCTOR_FAIL, "store", "%s", err->text);
    doctor_fix(d, strcmp(d->cli->settings->store.url, "private:") == 0
                      ? "start tollgated, which runs this store; run `tollgate doctor' as root"
                      : "start Redis, or correct store.url; tollgated keeps counting and writes "
                        "its counters later");
}

void doctor_store(struct doctor *d)
{
    struct cli *cli = d->cli;
    struct err err = {0};
    redisReply *info = NULL;

    cli->store = store_new(cli->settings, &err);
    if (cli->store != NULL)
        info = ask(d, 1, (const struct slice[]){SLICE("INFO")}, &err);
    if (info == NULL) {
        say_unreachable(d, &err);
        return;
    }
    d->store_is_there = true;
    d->where = store_where(cli->store);
    (void)snprintf(d->server, sizeof d->server, "store");
    cli->reader = (struct reader){.store = cli->store, .prefix = cli->settings->store.prefix};
    check_kind(d, info);
    if (store_server_is_of_cluster(cli->store)) {
        check_slots(d);
        check_cluster(d);
    } else {
        check_server(d, info);
    }
    freeReplyObject(info);
    check_latency(d);
    check_schema(d);
}

/* --- times ----------------------------------------------------------------------------------- */

/* How long ago, at this moment. */
struct ago {
    char text[32];
};

static struct ago ago(const struct doctor *d, int64_t then_s)
{
    int64_t s = d->now_s > then_s ? d->now_s - then_s : 0;
    struct ago a;

    if (then_s == 0)
        (void)snprintf(a.text, sizeof a.text, "at an unknown time");
    else if (s < 120)
        (void)snprintf(a.text, sizeof a.text, "%" PRId64 " s ago", s);
    else if (s < 7200)
        (void)snprintf(a.text, sizeof a.text, "%" PRId64 " min ago", s / 60);
    else if (s < 172800)
        (void)snprintf(a.text, sizeof a.text, "%" PRId64 " h ago", s / 3600);
    else
        (void)snprintf(a.text, sizeof a.text, "%" PRId64 " days ago", s / 86400);
    return a;
}

/* --- the clock ------------------------------------------------------------------------------- */

static void say_clock(struct doctor *d, int64_t behind_s, int64_t ahead_s)
{
    int64_t distance = behind_s > ahead_s ? behind_s : ahead_s;
    enum verdict verdict = distance > CLOCK_FAIL_S   ? DOCTOR_FAIL
                           : distance > CLOCK_WARN_S ? DOCTOR_WARN
                                                     : DOCTOR_OK;

    if (distance <= CLOCK_WARN_S) {
        doctor_say(d, verdict, "clock", "the clocks of the store and this machine agree");
        return;
    }
    doctor_say(d, verdict, "clock", "the clock of the store is %" PRId64 " s %s this machine's",
               distance, ahead_s > 0 ? "ahead of" : "behind");
    doctor_fix(d, "enable NTP on both machines (timedatectl set-ntp true)");
}

static void say_zone(struct doctor *d)
{
    time_t now = (time_t)d->now_s;
    char text[64] = "";
    struct tm tm;

    if (localtime_r(&now, &tm) != NULL)
        (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M %Z", &tm);
    doctor_say(d, DOCTOR_OK, "clock", "days and months are those of the time zone %s (now %s)",
               d->cli->settings->timezone, text);
}

/* All nodes of a store count in one time zone. */
static void check_zone(struct doctor *d)
{
    redisReply *reply;
    struct err err;
    struct buf key;

    buf_init(&key, 1024);
    key_timezone(&key, d->cli->reader.prefix);
    reply = ask(d, 2, (const struct slice[]){SLICE("GET"), buf_slice(&key)}, &err);
    buf_fini(&key);
    if (reply != NULL && reply->type == REDIS_REPLY_STRING &&
        !slice_equal(link_reply_text(reply), slice_str(d->cli->settings->timezone))) {
        doctor_say(d, DOCTOR_FAIL, "clock", "the store counts days and months in %.*s, not in %s",
                   SLICE_FMT(link_reply_text(reply)), d->cli->settings->timezone);
        doctor_fix(d, "set timezone = \"%.*s\"", SLICE_FMT(link_reply_text(reply)));
    }
    if (reply != NULL)
        freeReplyObject(reply);
}

static void clock_unknown(struct doctor *d, struct slice why)
{
    doctor_say(d, DOCTOR_UNKNOWN, "clock", "the clock of the store cannot be read: %.*s",
               SLICE_FMT(why));
    doctor_fix(d, d->store_is_there ? "allow the command TIME to store.username (ACL SETUSER ... "
                                      "+time)"
                                    : "fix the store first");
}

void doctor_clock(struct doctor *d)
{
    int64_t before_s, after_s;
    struct err err = {.text = "there is no store"};
    redisReply *reply = NULL;
    uint64_t seconds;

    say_zone(d);
    if (d->store_is_there)
        check_zone(d);
    before_s = clock_unix_ms() / 1000;
    if (d->store_is_there)
        reply = ask(d, 1, (const struct slice[]){SLICE("TIME")}, &err);
    after_s = clock_unix_ms() / 1000;
    if (reply == NULL)
        clock_unknown(d, slice_str(err.text));
    else if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
             slice_number(link_reply_text(reply->element[0]), &seconds))
        say_clock(d, before_s - (int64_t)seconds, (int64_t)seconds - after_s);
    else
        clock_unknown(d, link_reply_text(reply));
    if (reply != NULL)
        freeReplyObject(reply);
}

/* --- nodes ----------------------------------------------------------------------------------- */

static void say_lag(struct doctor *d, const struct node_info *n, const char *what, int64_t through)
{
    if (through == 0) {
        doctor_say(d, DOCTOR_WARN, "node", "%.*s does not report until when it has %s",
                   SLICE_FMT(n->name), what);
        doctor_fix(d, "see its log");
    } else if (d->now_s - through > LAG_WARN_S) {
        doctor_say(d, DOCTOR_WARN, "node",
                   "%.*s has %s only until %s (%" PRId64 " rows are waiting)", SLICE_FMT(n->name),
                   what, ago(d, through).text, n->dirty_rows);
        doctor_fix(d, "wait if it has just been started; otherwise see its log");
    } else {
        doctor_say(d, DOCTOR_OK, "node", "%.*s has %s until %s", SLICE_FMT(n->name), what,
                   ago(d, through).text);
    }
}

static void check_rival(struct doctor *d, const struct node_info *n)
{
    if (n->rival.len == 0 || d->now_s - n->rival_seen > RIVAL_S)
        return;
    doctor_say(d, DOCTOR_FAIL, "node",
               "%.*s is the node name of another tollgated, too (on %.*s); no period becomes "
               "complete",
               SLICE_FMT(n->name), SLICE_FMT(n->rival));
    doctor_fix(d, "set another node name there, and give it a state_dir of its own");
}

static void check_own(struct doctor *d, const struct node_info *n)
{
    if (d->now_s - n->seen > SEEN_WARN_S) {
        doctor_say(d, DOCTOR_FAIL, "node", "%.*s last reported %s", SLICE_FMT(n->name),
                   ago(d, n->seen).text);
        doctor_fix(d, "start tollgated on this machine; if it is running, its log says why it "
                      "cannot reach the store");
        return;
    }
    say_lag(d, n, "counted", n->counted_through);
    say_lag(d, n, "reported", n->pushed_through);
    check_rival(d, n);
}

static void check_other(struct doctor *d, const struct node_info *n)
{
    if (d->now_s - n->seen <= OTHER_WARN_S) {
        doctor_say(d, DOCTOR_OK, "node", "%.*s reported %s", SLICE_FMT(n->name),
                   ago(d, n->seen).text);
        return;
    }
    doctor_say(d, DOCTOR_WARN, "node", "%.*s last reported %s; periods since then are incomplete",
               SLICE_FMT(n->name), ago(d, n->seen).text);
    doctor_fix(d, "start it; or, if it is gone for good: tollgate node retire %.*s",
               SLICE_FMT(n->name));
}

/* Without the store each process allows itself its part of a limit. */
static void check_node_count(struct doctor *d, size_t count)
{
    const struct settings *s = d->cli->settings;

    if (s->store.on_failure != ON_FAILURE_LOCAL || count <= (size_t)s->store.nodes)
        return;
    doctor_say(d, DOCTOR_WARN, "store",
               "%zu nodes share this store, but store.nodes is %" PRId64
               ": while Redis is away, they let more pass than the limits allow",
               count, s->store.nodes);
    doctor_fix(d, "set store.nodes to %zu on each node", count);
}

void doctor_nodes(struct doctor *d)
{
    struct slice own = slice_str(d->cli->settings->node);
    struct node_infos nodes;
    struct err err = {.text = "there is no store"};
    bool found = false;
    size_t working = 0; /* without those that have another name now, and those gone for good */

    if (!d->store_is_there || read_node_infos(&d->cli->reader, &d->arena, &nodes, &err) != 0) {
        doctor_say(d, DOCTOR_UNKNOWN, "node", "the nodes cannot be read: %s", err.text);
        doctor_fix(d, "fix the store first");
        return;
    }
    for (size_t i = 0; i < nodes.count; i++) {
        const struct node_info *n = &nodes.items[i];
        bool works = !n->is_renamed && !n->is_retired && !n->is_collector_only &&
                     n->pushed_through <= d->now_s;

        working += works;
        if (slice_equal(n->name, own) && !n->is_collector_only) {
            found = true;
            check_own(d, n);
        } else if (works) {
            check_other(d, n);
        }
    }
    check_node_count(d, working);
    if (!found) {
        doctor_say(d, DOCTOR_FAIL, "node", "%s has never reported to this store",
                   d->cli->settings->node);
        doctor_fix(d,
                   "start tollgated on this machine; if it is running, restart it: `node' or "
                   "`store' in %s has changed since it started",
                   d->cli->config);
    }
}
