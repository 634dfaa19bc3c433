/* violation_read: what violation_log writes comes back as it was, in order, page by page. */
#include "lib/read/read_violations.h"

#include "lib/redis/link.h"
#include "lib/throttle/violation_log.h"
#include "t/redis/redis_fixture.h"
#include "t/tap.h"

#define MANY 2500 /* more than two pages */

static struct redis_fixture redis;
static struct settings settings;
static char url[160];

static struct violation violation(uint64_t number)
{
    return (struct violation){.time_ms = 1793000000000 + (int64_t)number,
                              .domain = SLICE("example.com"),
                              .user = number % 2 == 0 ? SLICE("alice@example.com") : SLICE_NONE,
                              .scope = number % 2 == 0 ? LIMIT_USER : LIMIT_DOMAIN,
                              .metric = METRIC_BYTES,
                              .max = 600,
                              .used = number,
                              .wanted = 3,
                              .per = SLICE("month"),
                              .window_ms = LIMIT_WINDOW_MONTH,
                              .action = ACTION_HOLD,
                              .retry_after_s = number % 3 == 0 ? -1 : 720,
                              .observed = number % 5 == 0,
                              .soft = number % 7 == 0,
                              .queue_id = SLICE("4jWnX03VvBz1cTBS"),
                              .client = SLICE("192.0.2.1"),
                              .login = number % 4 == 0 ? SLICE("alice") : SLICE_NONE,
                              .sender = SLICE("\"odd one\"@example.com")};
}

static bool is_same(const struct violation *a, const struct violation *b)
{
    return a->time_ms == b->time_ms && slice_equal(a->domain, b->domain) &&
           slice_equal(a->user, b->user) && a->scope == b->scope && a->metric == b->metric &&
           a->max == b->max && a->used == b->used && a->wanted == b->wanted &&
           slice_equal(a->per, b->per) && a->window_ms == b->window_ms && a->action == b->action &&
           (a->soft || a->retry_after_s == b->retry_after_s) && a->observed == b->observed &&
           a->soft == b->soft && slice_equal(a->queue_id, b->queue_id) &&
           slice_equal(a->client, b->client) && slice_equal(a->sender, b->sender) &&
           slice_equal(a->login, b->login);
}

struct counting {
    uint64_t next, faults, most;
    int step;
};

static int count(void *context, const struct violation_entry *entry, struct err *err)
{
    struct counting *c = context;
    struct violation want = violation(c->next);

    (void)err;
    c->faults += !is_same(&entry->v, &want);
    c->next += (uint64_t)c->step;
    return c->most > 0 && --c->most == 0;
}

static void write_all(void)
{
    struct violation_log *log = violation_log_new(&settings, NULL);

    for (uint64_t i = 0; i < MANY; i++) {
        struct violation v = violation(i);

        violation_log_add(log, &v);
    }
    violation_log_free(log);
}

static void test_all(struct reader *r)
{
    struct counting c = {.step = 1};
    struct err err = {0};

    IS_INT(read_violations_forward(r, SLICE_NONE, (struct stream_id){0, 0}, INT64_MAX, count, &c,
                                   &err),
           0, "forward");
    IS_INT(c.next, MANY, "all of them");
    IS_INT(c.faults, 0, "as they were written");
    c = (struct counting){.step = -1, .next = MANY - 1};
    IS_INT(read_violations_backward(r, SLICE_NONE, SIZE_MAX, count, &c, &err), 0, "backward");
    IS_INT(c.next, UINT64_MAX, "all of them");
    IS_INT(c.faults, 0, "the newest first");
    c = (struct counting){.step = -1, .next = MANY - 1};
    IS_INT(read_violations_backward(r, SLICE_NONE, 1001, count, &c, &err), 0, "some of them");
    IS_INT(MANY - 1 - c.next, 1001, "as many as were wanted");
    c = (struct counting){.step = 1, .most = 1500};
    IS_INT(read_violations_forward(r, SLICE_NONE, (struct stream_id){0, 0}, INT64_MAX, count, &c,
                                   &err),
           1, "stopped by who reads");
    IS_INT(c.next, 1500, "there");
}

static void test_last(struct reader *r)
{
    struct violation_list list;
    struct stream_id newest, id;
    struct counting c = {.step = 1, .next = MANY - 1};
    struct arena arena;
    struct err err = {0};

    arena_init(&arena, 1 << 20);
    IS_INT(read_violations_last(r, SLICE("example.com"), 5, &arena, &list, &err), 0,
           "the last five");
    IS_INT(list.count, 5, "are five");
    for (size_t i = 0; i < list.count; i++) {
        struct violation want = violation(MANY - 5 + i);

        OK(is_same(&list.items[i].v, &want), "the oldest of them first");
    }
    IS_INT(read_violations_newest(r, SLICE("example.com"), &newest, &err), 0, "the newest");
    OK(newest.ms == list.items[4].id.ms && newest.sequence == list.items[4].id.sequence,
       "is the last");
    id = list.items[3].id;
    IS_INT(read_violations_wait(r, SLICE("example.com"), &id, 5000, count, &c, &err), 0,
           "waiting for what is there");
    IS_INT(c.next, MANY, "one");
    OK(id.ms == newest.ms && id.sequence == newest.sequence, "and the place is that of the newest");
    IS_INT(read_violations_wait(r, SLICE("example.com"), &id, 10, count, &c, &err), 0,
           "waiting for nothing");
    IS_INT(c.next, MANY, "gives nothing");
    IS_INT(read_violations_last(r, SLICE("example.net"), 5, &arena, &list, &err), 0,
           "no such stream");
    IS_INT(list.count, 0, "is empty");
    IS_INT(read_violations_newest(r, SLICE("example.net"), &id, &err), 0, "and has");
    OK(id.ms == 0 && id.sequence == 0, "no newest");
    arena_fini(&arena);
}

/* A violation, but for one field. */
static void foreign_add(struct reader *r, struct slice field, struct slice value)
{
    store_pipe_add(r->store, 9,
                   (struct slice[]){SLICE("XADD"), SLICE("tg:{a.example}:violations"), SLICE("*"),
                                    SLICE("domain"), SLICE("a.example"), SLICE("limit"),
                                    SLICE("5/hour"), field, value});
}

/* Entries of others, and a key of another type. */
static void test_foreign(struct reader *r)
{
    struct counting c = {.step = 1};
    struct err err = {0};

    foreign_add(r, SLICE("limit"), SLICE("many"));
    foreign_add(r, SLICE("retry_after"), SLICE("soon"));
    foreign_add(r, SLICE("time_ms"), SLICE("99999999999999999999"));
    store_pipe_add(r->store, 3,
                   (struct slice[]){SLICE("SET"), SLICE("tg:{b.example}:violations"), SLICE("x")});
    redisReply *replies[4];

    if (store_pipe_run(r->store, replies, 5000, &err) != 0)
        redis_fixture_die(err.text);
    for (int i = 0; i < 4; i++)
        freeReplyObject(replies[i]);
    IS_INT(read_violations_forward(r, SLICE("a.example"), (struct stream_id){0, 0}, INT64_MAX,
                                   count, &c, &err),
           0, "what is no violation");
    IS_INT(c.next, 0, "is ignored");
    IS_INT(read_violations_forward(r, SLICE("b.example"), (struct stream_id){0, 0}, INT64_MAX,
                                   count, &c, &err),
           -1, "what is no stream");
    OK(strstr(err.text, "tg:{b.example}:violations") != NULL, "is an error that names it");
}

int main(void)
{
    struct reader r = {.prefix = "tg"};

    redis_fixture_start(&redis);
    (void)snprintf(url, sizeof url, "unix://%s", redis.socket);
    settings.store.url = url;
    settings.store.prefix = "tg";
    settings.store.username = settings.store.password_file = "";
    settings.store.timeout_ms = 5000;
    settings.throttle.notify = "";
    write_all();
    r.store = store_new(&settings, NULL);
    test_all(&r);
    test_last(&r);
    test_foreign(&r);
    store_free(r.store);
    redis_fixture_stop(&redis);
    return tap_done();
}
