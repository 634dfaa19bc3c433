#ifndef TG_T_LEDGER_PUSH_FIXTURE_H
#define TG_T_LEDGER_PUSH_FIXTURE_H

#include <stdarg.h>

#include "lib/ledger/amounts.h"
#include "lib/ledger/identity.h"
#include "lib/ledger/ledger_share.h"
#include "lib/ledger/push.h"
#include "lib/ledger/row_sums.h"
#include "lib/redis/link.h"
#include "lib/sys/clock.h"
#include "t/redis/redis_fixture.h"
#include "t/tap.h"

/* Nodes with ledgers, and a real Redis that they push to. One translation unit a test program. */

#define NOW_S INT64_C(1763730000)

static struct redis_fixture redis;
static struct store *store; /* the test's own connection */
static struct err err;
static uint64_t journal_next; /* at a start; 0: the ledger has all of the journal */

/* One node: its ledger, its connection, its pusher. */
struct node {
    char path[160];
    struct settings settings;
    struct ledger *ledger;
    struct store *store;
    struct push *push;
    struct push_now now;
};

static inline void must(int rc, const char *what)
{
    if (rc != 0) {
        printf("Bail out! %s: %s\n", what, err.text);
        exit(1);
    }
}

static inline struct settings settings_of(char url[128])
{
    struct settings s = {0};

    (void)snprintf(url, 128, "unix://%s", redis.socket);
    s.state_dir = redis.dir;
    s.store.url = url;
    s.store.prefix = "tg";
    s.store.username = s.store.password_file = "";
    s.store.timeout_ms = 1000;
    return s;
}

/* `like`: of which program; what it resumes. */
static inline void node_open_as(struct node *n, const char *file, const char *name,
                                int64_t scrub_ms, const struct push_config *like)
{
    static char url[128];
    struct push_config config = *like;

    config.prefix = "tg";
    config.version = "0.1";
    config.timezone = "UTC";
    config.watch_ms = 1500;
    config.started_s = NOW_S;
    config.scrub_ms = scrub_ms;
    if (config.keep.days_s == 0)
        config.keep = (struct push_keep){HOUR_KEPT_S, DAY_KEPT_S, DAY_KEPT_S};
    n->settings = settings_of(url);
    (void)snprintf(n->path, sizeof n->path, "%s/%s", redis.dir, file);
    n->ledger = ledger_open(n->path, name, &err);
    must(n->ledger == NULL, "ledger_open");
    must(identity_renew(&config.identity, &err), "identity_renew");
    (void)snprintf(config.identity.place, sizeof config.identity.place, "%s", file);
    (void)snprintf(config.identity.host, sizeof config.identity.host, "host of %s", file);
    must(ledger_run_begin(n->ledger, slice_str(config.identity.run),
                          journal_next > 0 ? journal_next : ledger_meta(n->ledger)->position.number,
                          &err),
         "ledger_run_begin");
    n->store = store_new(&n->settings, &err);
    must(n->store == NULL, "store_new");
    n->push = push_new(&config, n->ledger, n->store, &err);
    must(n->push == NULL, "push_new");
    n->now = (struct push_now){.now_s = NOW_S, .counted_through = NOW_S - 1, .is_caught_up = true};
}

static inline void node_open(struct node *n, const char *file, const char *name, int64_t scrub_ms)
{
    node_open_as(n, file, name, scrub_ms, &(struct push_config){.program = PUSH_MILTER});
}

static inline void node_close(struct node *n)
{
    push_free(n->push);
    store_free(n->store);
    ledger_close(n->ledger);
}

/* A new program on the same ledger. */
static inline void node_reopen(struct node *n, const char *name)
{
    const char *file = strrchr(n->path, '/') + 1;
    char copy[64];

    (void)snprintf(copy, sizeof copy, "%s", file);
    node_close(n);
    node_open(n, copy, name, SCRUB_MS);
}

static inline void node_remove(struct node *n)
{
    char command[600];

    node_close(n);
    (void)snprintf(command, sizeof command, "rm -f %s %s-wal %s-shm", n->path, n->path, n->path);
    must(system(command), "rm");
}

/* Steps until all is there; false with *err where a step fails. */
static inline bool push_all(struct node *n)
{
    push_finish(n->push, false);
    for (int i = 0; i < 1000; i++) {
        if (push_step(n->push, &n->now, 100, &err) < 0)
            return false;
        if (push_is_finished(n->push))
            return true;
    }
    return false;
}

/* After a restart of the server: the pause of the connection has to pass. */
static inline bool push_all_patiently(struct node *n)
{
    for (int i = 0; i < 300; i++) {
        if (push_all(n))
            return true;
        clock_sleep_ms(20);
    }
    return false;
}

static inline bool found(const struct err *e, const char *one, const char *two)
{
    bool good = strstr(e->text, one) != NULL && strstr(e->text, two) != NULL;

    if (!good)
        printf("# %s\n", e->text);
    return good;
}

static inline void copy_file(const char *from, const char *to)
{
    char line[1000];

    (void)snprintf(line, sizeof line, "cd %s && rm -f %s-* && cp %s %s", redis.dir, to, from, to);
    must(system(line), line);
}

/* A state_dir is copied: the ledger's file, with what is on the disk of it. */
static inline void copy_ledger(struct node *n, const char *to)
{
    must(ledger_sync(n->ledger, &err) == 1 ? 0 : -1, "ledger_sync");
    copy_file(strrchr(n->path, '/') + 1, to);
}

/* Works as long as there is something to do at once, and for that time. */
static inline void steps_for(struct node *n, int64_t ms)
{
    int64_t until_ms = clock_monotonic_ms() + ms;

    bool is_last;

    do { /* at last once more when all of it has passed, however long a step took */
        is_last = clock_monotonic_ms() >= until_ms;
        while (push_step(n->push, &n->now, 50, &err) > 0)
            ;
        clock_sleep_ms(5);
    } while (!is_last);
}

static inline redisReply *command(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline redisReply *command(const char *format, ...)
{
    char text[1024];
    struct slice argv[16], rest;
    size_t argc = 0;
    redisReply *reply;
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    rest = slice_str(text);
    while (argc < 16 && slice_cut(&rest, '|', &argv[argc]))
        argc++;
    for (int i = 0; i < 300; i++) {
        reply = store_command(store, argc, argv, 1000, &err);
        if (reply != NULL)
            return reply;
        clock_sleep_ms(20);
    }
    must(1, "command");
    return NULL;
}

static inline void run(const char *text)
{
    freeReplyObject(command("%s", text));
}

static inline void is_text(const char *text, const char *want)
{
    redisReply *r = command("%s", text);
    char what[300];

    (void)snprintf(what, sizeof what, "%s: %s", text, want);
    IS_SLICE(link_reply_text(r), slice_str(want), what);
    freeReplyObject(r);
}

static inline void is_number(const char *text, long long want)
{
    redisReply *r = command("%s", text);

    IS_INT(r->integer, want, text);
    freeReplyObject(r);
}

static inline struct row_key key_of(const char *account, enum row_kind kind, const char *period,
                                    const char *user)
{
    return (struct row_key){slice_str(account), kind, slice_str(period), slice_str(user)};
}

static inline void position_set(struct node *n, uint64_t number)
{
    struct ledger_meta meta = *ledger_meta(n->ledger);

    if (number <= meta.position.number)
        return;
    meta.position.number = number;
    must(ledger_meta_set(n->ledger, &meta, &err), "meta_set");
}

/* Counts as a fold does: adds to the row, or makes it. */
static inline void count_into(struct node *n, struct row_key key, const char *counters,
                              uint64_t number, int64_t expires_s)
{
    struct tally more = {0};
    struct row row;
    struct buf text;
    int found = ledger_row_find(n->ledger, &key, &row, NULL, &err);

    buf_init(&text, 4096);
    must(amounts_read(slice_str(counters), &more, &err), "amounts_read");
    must(amounts_sum(found == 1 ? row.counters : SLICE_NONE, &more, &text, &err), "amounts_sum");
    if (found == 1)
        must(ledger_row_set(n->ledger, &row, buf_slice(&text), number, &err), "row_set");
    else
        must(ledger_row_add(n->ledger, &key, buf_slice(&text), number, expires_s, &err), "row_add");
    buf_fini(&text);
    position_set(n, number + 1);
}

static inline void count_total(struct node *n, const char *account, const char *counters,
                               uint64_t number)
{
    count_into(n, key_of(account, ROW_TOTAL, "", ""), counters, number, 0);
}

static inline long long time_to_live(const char *key)
{
    redisReply *r = command("TTL|%s", key);
    long long s = r->integer;

    freeReplyObject(r);
    return s;
}

static inline int push_tests_run(void (*const *tests)(void), size_t count)
{
    struct settings settings;
    char url[128];

    redis_fixture_start(&redis);
    settings = settings_of(url);
    store = store_new(&settings, &err);
    must(store == NULL, "store_new");
    for (size_t i = 0; i < count; i++) {
        tests[i]();
        run("FLUSHALL");
    }
    store_free(store);
    redis_fixture_stop(&redis);
    return tap_done();
}

#endif
