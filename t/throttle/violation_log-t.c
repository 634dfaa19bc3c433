/* violation_log: the streams in a real Redis, and the notify program, once for each limit and
 * window. */
#include "lib/throttle/violation_log.h"

#include <sys/stat.h>
#include <unistd.h>

#include "lib/redis/link.h"
#include "lib/redis/store.h"
#include "lib/sys/clock.h"
#include "t/redis/redis_fixture.h"
#include "t/tap.h"

static struct redis_fixture redis;
static struct settings settings;
static char url[160], program[128], told[128];

static void program_write(void)
{
    FILE *f;

    (void)snprintf(program, sizeof program, "%s/notify", redis.dir);
    (void)snprintf(told, sizeof told, "%s/told", redis.dir);
    f = fopen(program, "w");
    if (f == NULL)
        redis_fixture_die(program);
    (void)fprintf(f,
                  "#!/bin/sh\necho \"$1 $2 $3 $TOLLGATE_LIMIT $TOLLGATE_USED $TOLLGATE_ACTION "
                  "$TOLLGATE_RETRY_AFTER\" >>%s\n",
                  told);
    (void)fclose(f);
    (void)chmod(program, 0700);
}

static struct violation violation(const char *domain, bool crossing)
{
    return (struct violation){.time_ms = clock_unix_ms(),
                              .domain = slice_str(domain),
                              .user = SLICE("alice@example.com"),
                              .scope = LIMIT_USER,
                              .metric = METRIC_RECIPIENTS,
                              .max = 600,
                              .used = 599,
                              .wanted = 3,
                              .per = SLICE("hour"),
                              .window_ms = 3600000,
                              .action = ACTION_DEFER,
                              .retry_after_s = 720,
                              .crossing = crossing,
                              .queue_id = SLICE("4jWnX03VvBz1cTBS"),
                              .client = SLICE("192.0.2.1"),
                              .sender = SLICE("\"odd one\"@example.com")};
}

static long long integer(const char *command, const char *key)
{
    struct store *st = store_new(&settings, NULL);
    redisReply *reply =
        store_command(st, 2, (struct slice[]){slice_str(command), slice_str(key)}, 5000, NULL);
    long long got = reply == NULL ? -1 : reply->integer;

    if (reply != NULL)
        freeReplyObject(reply);
    store_free(st);
    return got;
}

static void test_entry(void)
{
    struct store *st = store_new(&settings, NULL);
    redisReply *reply = store_command(
        st, 4, (struct slice[]){SLICE("XRANGE"), SLICE("tg:violations"), SLICE("-"), SLICE("+")},
        5000, NULL);
    char all[2048] = "";

    if (reply != NULL && reply->elements > 0) {
        const redisReply *fields = reply->element[0]->element[1];

        for (size_t i = 0; i < fields->elements; i++)
            (void)snprintf(all + strlen(all), sizeof all - strlen(all), "%s ",
                           fields->element[i]->str);
    }
    OK(strstr(all, "domain example.com user alice@example.com scope user metric recipients limit "
                   "600/hour used 599 wanted 3 action defer retry_after 720 qid 4jWnX03VvBz1cTBS "
                   "client 192.0.2.1 from \"odd one\"@example.com event violation ") != NULL,
       "an entry has all fields");
    printf("# %s\n", all);
    freeReplyObject(reply);
    store_free(st);
}

static size_t told_lines(char *text, size_t size)
{
    FILE *f = fopen(told, "r");
    size_t len = f == NULL ? 0 : fread(text, 1, size - 1, f), lines = 0;

    text[len] = '\0';
    if (f != NULL)
        (void)fclose(f);
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    return lines;
}

/* The program is not run for what is left when the daemon ends, so it is waited for. */
static void wait_for_told(size_t lines)
{
    int64_t until = clock_monotonic_ms() + 20000;
    char text[4096];

    while (told_lines(text, sizeof text) < lines && clock_monotonic_ms() < until)
        clock_sleep_ms(10);
}

static void test_told(void)
{
    struct violation_log *e = violation_log_new(&settings, NULL);
    struct violation v = violation("example.com", true), soft = v;
    char text[4096];

    soft.soft = true;
    soft.crossing = false;
    violation_log_add(e, &v);
    violation_log_add(e, &v);
    v.crossing = false;
    for (int i = 0; i < 50; i++)
        violation_log_add(e, &v);
    violation_log_add(e, &soft);
    wait_for_told(2);
    violation_log_free(e);
    IS_INT(integer("XLEN", "tg:violations"), 53, "each is in the stream of all");
    IS_INT(integer("XLEN", "tg:{example.com}:violations"), 53, "and in its account's");
    IS_INT(told_lines(text, sizeof text), 2, "the program is run once a limit and window");
    IS_STR(text,
           "violation example.com user/recipients/hour 600/hour 599 defer 720\n"
           "soft example.com user/recipients/hour 600/hour 599 defer \n",
           "with arguments and environment");
    test_entry();
}

static void test_away(void)
{
    struct violation_log *e;
    struct violation v = violation("away.example", false);
    int64_t start;

    (void)kill(redis.pid, SIGSTOP);
    e = violation_log_new(&settings, NULL);
    start = clock_monotonic_ms();
    for (int i = 0; i < VIOLATION_LOG_MAX + 500; i++)
        violation_log_add(e, &v);
    OK(clock_monotonic_ms() - start < 20000, "a store that is away keeps nobody waiting");
    start = clock_monotonic_ms();
    violation_log_free(e);
    OK(clock_monotonic_ms() - start < 20000, "nor the end");
    (void)kill(redis.pid, SIGCONT);
}

int main(void)
{
    redis_fixture_start(&redis);
    (void)snprintf(url, sizeof url, "unix://%s", redis.socket);
    settings.state_dir = "/nonexistent";
    settings.store.url = url;
    settings.store.prefix = "tg";
    settings.store.username = settings.store.password_file = "";
    settings.store.timeout_ms = 1000;
    program_write();
    settings.throttle.notify = program;
    test_told();
    test_away();
    redis_fixture_stop(&redis);
    return tap_done();
}
