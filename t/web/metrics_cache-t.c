/* Metrics out of a real redis-server: how often it is read, a store that goes and comes back, and
 * which domains have a name. */
#include "t/tap.h"

#include <sysexits.h>
#include <time.h>

#include "lib/redis/keys.h"
#include "lib/sys/clock.h"
#include "t/redis/redis_fixture.h"
#include "web/metrics_cache.h"
#include "web/metrics_domains.h"

#define DAY_MS INT64_C(86400000)

#define DOMAIN_LINE(name, bytes)                                                                   \
    "tollgate_domain_message_bytes_total{domain=\"" name "\",class=\"in\"} " bytes

static struct reader reader;
static struct metrics_cache *cache;
static struct err error;
static struct buf text;
static unsigned trips; /* times that the cache took the reader */
static int64_t unix_ms, monotonic_ms;

/* A command, its words separated by `|`. */
static void put(const char *command)
{
    struct slice argv[32], rest = slice_str(command);
    redisReply *reply;
    size_t count = 0;

    while (count < 32 && slice_cut(&rest, '|', &argv[count]))
        count++;
    reply = store_command(reader.store, count, argv, 10000, &error);
    OK(reply != NULL && reply->type != REDIS_REPLY_ERROR, command);
    freeReplyObject(reply);
}

static struct reader *take(void *context, struct err *err)
{
    (void)context;
    trips++;
    return read_schema(&reader, err) == 0 ? &reader : NULL;
}

static void give(void *context, bool good)
{
    (void)context;
    (void)good;
}

static int get(size_t domains, enum metrics_form form)
{
    const struct metrics_source source = {take, give, NULL, domains, unix_ms, monotonic_ms};

    buf_reset(&text);
    return metrics_cache_get(cache, &source, form, &text, &error);
}

static void shows(size_t domains, const char *line)
{
    char with[512];

    OK(get(domains, METRICS_PROMETHEUS) == 0, "read");
    (void)snprintf(with, sizeof with, "\n%s\n", line);
    OK(strstr(text.data, with) != NULL, line);
}

/* --- how often ------------------------------------------------------------------------------- */

static void test_cache(void)
{
    unsigned before;

    put("SADD|t:nodes|mx1");
    put("HSET|t:{@mx1}:node|version|0.1.0|seen|1000|pushed_through|990");
    put("HSET|t:{@mx1}:total|messages|1");
    shows(0, "tollgate_accepted_messages_total{node=\"mx1\"} 1");
    before = trips;
    put("HSET|t:{@mx1}:total|messages|2");
    monotonic_ms += METRICS_CACHE_MS - 1;
    shows(0, "tollgate_accepted_messages_total{node=\"mx1\"} 1");
    OK(get(0, METRICS_OPENMETRICS) == 0 && strstr(text.data, "# TYPE tollgate_build info") != NULL,
       "in the other form");
    IS_INT(trips, before, "of one reading");
    monotonic_ms += 1;
    shows(0, "tollgate_accepted_messages_total{node=\"mx1\"} 2");
    IS_INT(trips, before + 1, "which is made anew");
}

static void test_away(struct redis_fixture *redis)
{
    redis_fixture_kill(redis);
    monotonic_ms += METRICS_CACHE_MS;
    OK(get(2, METRICS_PROMETHEUS) == -1 && error.code == EX_UNAVAILABLE, "the store is away");
    OK(strstr(text.data, "\ntollgate_up 0\n") != NULL && strstr(text.data, "node=") == NULL &&
           strstr(text.data, "domain=") == NULL,
       "and nothing of before is shown");
    redis_fixture_run(redis, "");
    for (int i = 0; i < 4000 && get(2, METRICS_PROMETHEUS) != 0; i++)
        clock_sleep_ms(20); /* the pause before the next connection */
    OK(strstr(text.data, "\ntollgate_up 1\n") != NULL &&
           strstr(text.data, DOMAIN_LINE(METRICS_OTHER, "0")) != NULL,
       "it is back, empty");
}

static void test_damaged(void)
{
    put("HSET|t:{@mx1}:total|messages|many");
    monotonic_ms += METRICS_CACHE_MS;
    OK(get(0, METRICS_PROMETHEUS) == -1 && error.code == EX_DATAERR &&
           strstr(text.data, "\ntollgate_up 0\n") != NULL,
       "a damaged counter is not shown as another value");
    put("HSET|t:{@mx1}:total|messages|3");
    shows(0, "tollgate_accepted_messages_total{node=\"mx1\"} 3");
}

/* --- domains --------------------------------------------------------------------------------- */

/* As tollgated counts: since ever, in the month, on the day. */
static void count(const char *domain, const char *month, const char *day, unsigned bytes)
{
    char command[160];
    struct buf key;

    buf_init(&key, 256);
    key_accounts(&key, "t", slice_str(domain));
    (void)snprintf(command, sizeof command, "SADD|%s|%s", key.data, domain);
    put(command);
    buf_fini(&key);
    (void)snprintf(command, sizeof command, "HINCRBY|t:{%s}:total|in_bytes|%u", domain, bytes);
    put(command);
    (void)snprintf(command, sizeof command, "HINCRBY|t:{%s}:month:%s|in_bytes|%u", domain, month,
                   bytes);
    put(command);
    (void)snprintf(command, sizeof command, "HINCRBY|t:{%s}:day:%s|in_bytes|%u", domain, day,
                   bytes);
    put(command);
}

static void test_domains(void)
{
    count("a.example", "2026-11", "2026-11-20", 100);
    count("b.example", "2026-11", "2026-11-20", 90);
    count("c.example", "2026-11", "2026-11-20", 80);
    count("d.example", "2026-10", "2026-10-20", 500);
    count("c.example", "2026-11", "2026-11-21", 1000); /* today's do not choose */
    unix_ms = INT64_C(1795262400000);                  /* 2026-11-21T12:00:00Z */
    monotonic_ms += METRICS_DOMAINS_MS;
    shows(2, DOMAIN_LINE("a.example", "100"));
    OK(strstr(text.data, DOMAIN_LINE("b.example", "90")) != NULL, "the month's second");
    OK(strstr(text.data, DOMAIN_LINE(METRICS_OTHER, "1580")) != NULL, "all others together");
    OK(strstr(text.data, "c.example") == NULL && strstr(text.data, "d.example") == NULL,
       "without their names");
    count("c.example", "2026-11", "2026-11-21", 1);
    monotonic_ms += METRICS_CACHE_MS;
    shows(2, DOMAIN_LINE(METRICS_OTHER, "1580"));
    monotonic_ms += METRICS_DOMAINS_MS;
    shows(2, DOMAIN_LINE(METRICS_OTHER, "1581"));
    metrics_cache_free(cache);
    cache = metrics_cache_new();
    shows(2, DOMAIN_LINE("b.example", "90"));
    unix_ms += DAY_MS;
    monotonic_ms += METRICS_DOMAINS_MS;
    shows(2, DOMAIN_LINE("c.example", "1081"));
    OK(strstr(text.data, DOMAIN_LINE("a.example", "100")) != NULL &&
           strstr(text.data, "b.example") == NULL,
       "the names change with the day");
    shows(0, "tollgate_accepted_messages_total{node=\"mx1\"} 3");
    monotonic_ms += METRICS_CACHE_MS;
    shows(1, DOMAIN_LINE(METRICS_OTHER, "690"));
    shows(1, DOMAIN_LINE("c.example", "1081"));
}

/* On the first of a month, and right after midnight, what the month before had decides. */
static void test_first_of_month(void)
{
    struct name_list chosen;
    struct arena arena;

    arena_init(&arena, 1 << 20);
    OK(metrics_domains_choose(&reader, 1, 1793491200, &arena, &chosen, &error) == 0 &&
           chosen.count == 1,
       "2026-11-01T00:00:00Z");
    IS_SLICE(chosen.items[0], SLICE("d.example"), "October's largest");
    OK(metrics_domains_choose(&reader, 9, 1798761600, &arena, &chosen, &error) == 0 &&
           chosen.count == 0,
       "2027-01-01: none had traffic in December");
    arena_fini(&arena);
}

int main(void)
{
    struct redis_fixture redis;
    struct settings s = {.state_dir = "/nonexistent"};
    char url[160];

    TG_IGNORE(clock_zone_set("UTC", &error));
    redis_fixture_start(&redis);
    (void)snprintf(url, sizeof url, "unix://%s", redis.socket);
    s.store.url = url;
    s.store.username = "";
    s.store.password_file = "";
    reader = (struct reader){.store = store_new(&s, &error), .prefix = "t"};
    cache = metrics_cache_new();
    buf_init(&text, (size_t)1 << 20);
    test_cache();
    test_damaged();
    test_domains();
    test_first_of_month();
    test_away(&redis);
    buf_fini(&text);
    metrics_cache_free(cache);
    store_free(reader.store);
    redis_fixture_stop(&redis);
    return tap_done();
}
