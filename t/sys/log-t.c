/* log: escaping, quoting, bounds, lines on stderr. */
#include "t/tap.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/sys/log.h"

static void is_line(struct slice value, const char *want)
{
    struct buf b;

    buf_init(&b, LOG_LINE_BYTES);
    log_format(&b, "event", (const struct log_field[]){LOG_TEXT("k", value)}, 1);
    IS_SLICE(buf_slice(&b), slice_str(want), want);
    buf_fini(&b);
}

static void test_values(void)
{
    is_line(SLICE("plain-4jW.x@example.com"), "event k=plain-4jW.x@example.com");
    is_line(SLICE(""), "event k=\"\"");
    is_line(SLICE_NONE, "event k=\"\"");
    is_line(SLICE("two words"), "event k=\"two words\"");
    is_line(SLICE("a=b"), "event k=\"a=b\"");
    is_line(SLICE("say \"hi\""), "event k=\"say \\\"hi\\\"\"");
    is_line(SLICE("back\\slash"), "event k=\"back\\\\slash\"");
    is_line(SLICE("x\r\nevent forged=1"), "event k=\"x\\x0d\\x0aevent forged=1\"");
    is_line(SLICE("nul\0byte"), "event k=\"nul\\x00byte\"");
    is_line(SLICE("\x1b[31m"), "event k=\"\\x1b[31m\"");
    is_line(SLICE("\x7f"), "event k=\"\\x7f\"");
}

static void test_utf8(void)
{
    is_line(SLICE("j\xc3\xb6rg@b\xc3\xbc"
                  "cher.test"),
            "event k=j\xc3\xb6rg@b\xc3\xbc"
            "cher.test");
    is_line(SLICE("\xe2\x82\xac\xf0\x9f\x93\xac"), "event k=\xe2\x82\xac\xf0\x9f\x93\xac");
    is_line(SLICE("\xc2\x85"), "event k=\"\\xc2\\x85\"");
    is_line(SLICE("a\xe2\x80\xaeg"), "event k=\"a\\xe2\\x80\\xaeg\"");
    is_line(SLICE("\xd8\x9c\xe2\x81\xa9"), "event k=\"\\xd8\\x9c\\xe2\\x81\\xa9\"");
    is_line(SLICE("\xff\xfe"), "event k=\"\\xff\\xfe\"");
    is_line(SLICE("\xc3"), "event k=\"\\xc3\"");
    is_line(SLICE("\xc0\xaf"), "event k=\"\\xc0\\xaf\"");
    is_line(SLICE("\xe0\x80\xaf"), "event k=\"\\xe0\\x80\\xaf\"");
    is_line(SLICE("\xed\xa0\x80"), "event k=\"\\xed\\xa0\\x80\"");
    is_line(SLICE("\xf5\x80\x80\x80"), "event k=\"\\xf5\\x80\\x80\\x80\"");
}

static void test_numbers(void)
{
    struct buf b;

    buf_init(&b, LOG_LINE_BYTES);
    log_format(&b, "e", (const struct log_field[]){LOG_NUM("a", -5), LOG_NUM("b", INT64_MAX)}, 2);
    IS_SLICE(buf_slice(&b), SLICE("e a=-5 b=9223372036854775807"), "numbers");
    buf_fini(&b);
}

static void test_bounds(void)
{
    char *large = malloc(100000);
    struct log_field fields[] = {LOG_NUM("first", 1),
                                 LOG_TEXT("large", ((struct slice){large, 100000})),
                                 LOG_NUM("last", 2)};
    struct log_field many[10];
    struct buf b;

    memset(large, '\n', 100000);
    buf_init(&b, LOG_LINE_BYTES);
    log_format(&b, "e", fields, 3);
    OK(b.len < 2200 && strstr(b.data, "...\" last=2") != NULL,
       "a large value is cut, the next stays");
    buf_reset(&b);
    for (size_t i = 0; i < 10; i++)
        many[i] = fields[1];
    log_format(&b, "e", many, 10);
    OK(b.len <= LOG_LINE_BYTES && !b.failed, "a line is bounded");
    IS_STR(b.data + b.len - 8, " cut=yes", "and says that it was cut");
    OK(strstr(b.data, "...\" cut=yes") != NULL, "between two fields");
    buf_fini(&b);
    buf_init(&b, 20);
    log_format(&b, "an event with a long name", fields, 1);
    OK(b.len <= 20, "even the event is bounded");
    buf_fini(&b);
    free(large);
}

static void *log_many(void *arg)
{
    for (int i = 0; i < 500; i++)
        log_event(LOG_INFO, "tick", LOG_NUM("n", i), LOG_STR("who", (const char *)arg));
    return NULL;
}

/* In a child whose stderr is a pipe: what 4 threads wrote must be whole lines. */
static void child(int fd)
{
    pthread_t threads[4];

    (void)dup2(fd, STDERR_FILENO);
    log_event(LOG_NOTICE, "early", LOG_NUM("n", 1));
    log_open("tollgated", LOG_TARGET_STDERR, LOG_MAIL, LOG_INFO);
    log_plain(LOG_DEBUG, "not wanted");
    for (int i = 0; i < 4; i++)
        (void)pthread_create(&threads[i], NULL, log_many, (void *)"a thread");
    for (int i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    _exit(0);
}

static bool is_good_line(const char *line)
{
    int year, month, day, hour, minute, second, ms, zone, pid, n, end = 0;

    return sscanf(line,
                  "%4d-%2d-%2dT%2d:%2d:%2d.%3d%5d tollgated[%d] info: tick n=%d who=\"a thread\"%n",
                  &year, &month, &day, &hour, &minute, &second, &ms, &zone, &pid, &n, &end) == 10 &&
           end > 0 && line[end] == '\n';
}

static void test_stderr(void)
{
    int pipes[2], good = 0, bad = 0, status;
    char line[256];
    pid_t pid;
    FILE *in;

    if (!OK(pipe(pipes) == 0, "pipe"))
        return;
    (void)fflush(NULL);
    pid = fork();
    if (pid == 0)
        child(pipes[1]);
    (void)close(pipes[1]);
    in = fdopen(pipes[0], "r");
    OK(in != NULL && fgets(line, sizeof line, in) != NULL && strstr(line, "] notice: early n=1\n"),
       "before log_open lines go to stderr");
    while (in != NULL && fgets(line, sizeof line, in) != NULL) {
        if (is_good_line(line))
            good++;
        else
            bad++;
    }
    IS_INT(good, 2000, "whole lines with time and level from four threads");
    IS_INT(bad, 0, "and no other");
    if (in != NULL)
        (void)fclose(in);
    OK(waitpid(pid, &status, 0) == pid && status == 0, "the child ended well");
}

int main(void)
{
    test_values();
    test_utf8();
    test_numbers();
    test_bounds();
    test_stderr();
    return tap_done();
}
