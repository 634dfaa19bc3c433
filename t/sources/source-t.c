/* Worlds out of file: and redis: sources; changes noticed. */
#include "t/tap.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "t/redis/redis_fixture.h"
#include "t/sources/source_fixture.h"

static struct redis_fixture redis;
static int64_t skew_ms;   /* the clock is ahead by this much */
static int64_t frozen_ms; /* > 0: it stands there, but for the skew */

int64_t __real_clock_monotonic_ms(void);
int64_t __wrap_clock_monotonic_ms(void);

int64_t __wrap_clock_monotonic_ms(void)
{
    return (frozen_ms > 0 ? frozen_ms : __real_clock_monotonic_ms()) + skew_ms;
}
static char url[160];

static void test_files(void)
{
    struct err err = {0};
    struct hosted *w;

    write_file("domains", "\xef\xbb\xbf"
                          "Example.com\n"
                          "# comment\n"
                          ".example.com  example.com   # below\n"
                          "example.net example.com\r\n"
                          "example.org OK\n"
                          "bad..name\n"
                          "a b c\n"
                          "last.example");
    write_file("forwards", "fwd@example.com a@x.org, b@y.org\n"
                           "fwd@example.com c@z.org\n"
                           "@example.net catch@x.org\n"
                           "none@example.com\n"
                           "cmd@example.com |/bin/true, d@x.org\n");
    write_file("logins", "Joe joe@example.com\njim nowhere\n");
    use_sources("file:domains", "file:forwards", "file:logins");
    w = load(&err);
    OK(w != NULL, err.text);
    IS_STR(charged(w, "example.com"), "example.com",
           "a byte order mark is passed over, case folded");
    IS_STR(charged(w, "a.b.example.com"), "example.com", "wildcard with an owner");
    IS_STR(charged(w, "example.net"), "example.com", "an alias domain");
    IS_STR(charged(w, "example.org"), "example.org", "OK is no owner");
    IS_STR(charged(w, "last.example"), "last.example", "a last line without its end");
    IS_STR(targets(w, "fwd@example.com"), "a@x.org b@y.org c@z.org", "targets of two lines add up");
    IS_STR(targets(w, "any@example.net"), "catch@x.org", "catch-all");
    IS_STR(targets(w, "cmd@example.com"), "d@x.org", "a command is no target");
    IS_STR(login(w, "joe"), "joe@example.com", "login");
    OK(strstr(warnings, "/domains:6: ") != NULL, "a bad name is told with its line");
    OK(strstr(warnings, "/domains:7: ") != NULL, "a bad line too");
    OK(strstr(warnings, "/forwards:4: ") != NULL && strstr(warnings, "/logins:2: ") != NULL,
       "in each kind of list");
    OK(!w->domains_asked && !w->forwards_asked && !w->logins_asked && w->popauth_asked,
       "nothing is to be asked");
    hosted_free(w);
}

static void test_order(void)
{
    struct err err = {0};
    struct hosted *w;

    write_file("d1", "x.example one.example\ny.example one.example\n");
    write_file("d2", "x.example two.example\none.example\ntwo.example\n");
    write_file("f1", "a@x.example one@o.org\nb@x.example one@o.org\n");
    write_file("f2", "A@x.example two@o.org\n");
    use_sources("file:d1 file:d2", "file:f1 file:f2", "");
    w = load(&err);
    IS_STR(charged(w, "x.example"), "two.example", "domains: the later source counts");
    IS_STR(charged(w, "y.example"), "one.example", "and the earlier where the later has none");
    IS_STR(targets(w, "a@x.example"), "two@o.org", "forwards: the later source counts");
    IS_STR(targets(w, "b@x.example"), "one@o.org", "and the earlier where the later has none");
    hosted_free(w);
}

/* Only hosted domains have accounts. A transport table has two columns, too. */
static void test_owners(void)
{
    static const struct {
        const char *domain, *charged;
    } cases[] = {
        {"a.example", "a.example"},         {"b.example", "b.example"},
        {"c.example", "own.example"},       {"x.wild.example", "wild.example"},
        {"x.far.example", "x.far.example"}, {"d.example", "s.below.example"},
        {"e.example", "late.example"},      {"f.example", "f.example"},
    };
    struct err err = {0};
    struct hosted *w;

    write_file("d1", "a.example Backend.host\nb.example backend.host\nc.example own.example\n"
                     "own.example\n.wild.example wild.example\n.far.example gone.example\n"
                     "d.example s.below.example\n.below.example\ne.example late.example\n"
                     "f.example f.example.\n");
    write_file("d2", "late.example\n");
    use_sources("file:d1 file:d2", "", "");
    w = load(&err);
    for (size_t i = 0; w != NULL && i < sizeof cases / sizeof cases[0]; i++)
        IS_STR(charged(w, cases[i].domain), cases[i].charged, cases[i].domain);
    OK(strstr(warnings, "/d1:1: the owner backend.host is not hosted: a.example and 1 other domain "
                        "are charged as they appear; add ") != NULL,
       warnings);
    OK(strstr(warnings,
              "/d1:6: the owner gone.example is not hosted: .far.example is charged as it "
              "appears") != NULL,
       "one more, of a wildcard");
    OK(strstr(warnings, "own.example is") == NULL && strstr(warnings, "late") == NULL &&
           strstr(warnings, "below.example is not") == NULL,
       "and no other");
    hosted_free(w);
    use_sources("file:d1 socketmap:inet:127.0.0.1:1:domains", "", "");
    w = load(&err);
    OK(w != NULL && strstr(warnings, "is not hosted") == NULL, "a map may know the owner");
    IS_STR(charged(w, "a.example"), "backend.host", "who is charged then");
    hosted_free(w);
}

/* A table of virtual(5), as it is. */
static void test_continued(void)
{
    struct err err = {0};
    struct hosted *w;

    write_file("virtual", "# forwarders\n"
                          "team@example.com a@x.test,\n"
                          "   b@y.test # the second\n"
                          "\n"
                          "# one more\n"
                          "\tc@z.test\n"
                          "late@example.com\n"
                          "  d@x.test\n"
                          "bad..domain@b..c x@y.test\n"
                          " z@y.test\n"
                          "last@example.com e@x.test,\n"
                          " f@x.test");
    write_file("indented", "  one.example\n  two.example\n");
    use_sources("file:indented", "file:virtual", "");
    w = load(&err);
    OK(w != NULL, err.text);
    IS_STR(targets(w, "team@example.com"), "a@x.test b@y.test c@z.test", "over three lines");
    IS_STR(targets(w, "late@example.com"), "d@x.test", "the first target on the second line");
    IS_STR(targets(w, "last@example.com"), "e@x.test f@x.test", "up to the end of the file");
    OK(strstr(warnings, "/virtual:9: ") != NULL, "a bad entry has the number of its first line");
    IS_STR(charged(w, "two.example"), "two.example", "domains are not continued");
    hosted_free(w);
}

/* Files in which nothing is what it should be are no empty files. */
static void test_wrong_files(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"a.example, b.example\n", "none of its 1 lines"},
        {"a.example smtp:[mx.example] x\nb.example smtp:[mx.example] y\n", "none of its 2 lines"},
        {"a.example\rb.example\r", "CR alone"},
        {"\xff\xfe"
         "a",
         "none of its 1 lines"},
    };
    struct err err = {0};
    struct hosted *w;
    char path[128];
    FILE *out;

    use_sources("file:wrong", "", "");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file("wrong", cases[i].text);
        w = load(&err);
        OK(w == NULL && err.code == EX_DATAERR && strstr(err.text, cases[i].want), err.text);
        hosted_free(w);
    }
    (void)snprintf(path, sizeof path, "%s/wrong", redis.dir);
    out = fopen(path, "w");
    (void)fwrite("\xff\xfe"
                 "a\0.\0b\0\n\0",
                 1, 10, out);
    (void)fclose(out);
    OK(load(&err) == NULL && strstr(err.text, "UTF-16"), err.text);
    write_file("wrong", "a.example, b.example\nc.example\n");
    w = load(&err);
    OK(w != NULL && strstr(warnings, "/wrong:1: ") != NULL, "one good line makes it a list");
    hosted_free(w);
}

static void test_file_faults(void)
{
    char path[128];
    struct err err = {0};

    use_sources("file:missing", "", "");
    OK(load(&err) == NULL && err.code == EX_NOINPUT && strstr(err.text, "/missing"), err.text);
    (void)snprintf(path, sizeof path, "%s/fifo", redis.dir);
    (void)mkfifo(path, 0600);
    use_sources("file:fifo", "", "");
    OK(load(&err) == NULL && strstr(err.text, "regular"), err.text);
    write_file("many", "");
    (void)snprintf(path, sizeof path, "%s/many", redis.dir);
    FILE *out = fopen(path, "w");
    for (int i = 0; i < 1000; i++)
        (void)fputs("a b c\n", out);
    (void)fputs("a.example\n", out);
    (void)fclose(out);
    use_sources("file:many", "", "");
    hosted_free(load(&err));
    OK(strstr(warnings, "900 more") != NULL, "a thousand bad lines give a hundred warnings");
}

static void command(const char *text)
{
    struct slice rest = slice_str(text), argv[16];
    struct err err = {0};
    struct store *st = store_new(&settings, &err);
    size_t argc = 0;
    redisReply *r;

    while (slice_word(&rest, " ", &argv[argc]))
        argc++;
    r = store_command(st, argc, argv, 5000, &err);
    if (r == NULL || r->type == REDIS_REPLY_ERROR)
        printf("# %s: %s\n", text, r != NULL ? r->str : err.text);
    freeReplyObject(r);
    store_free(st);
}

static void test_redis(void)
{
    struct err err = {0};
    struct hosted *w;

    command("SADD set example.com example.net");
    command("HSET hash example.org example.com example.info OK");
    command("HSET fwd a@example.com x@x.org,y@y.org");
    command("HSET log joe joe@example.com");
    use_sources("redis:set redis:hash", "redis:fwd redis:nothing", "redis:log");
    w = load(&err);
    OK(w != NULL, err.text);
    IS_STR(charged(w, "example.net"), "example.net", "a set");
    IS_STR(charged(w, "example.org"), "example.com", "a hash");
    IS_STR(charged(w, "example.info"), "example.info", "a hash without an owner");
    IS_STR(targets(w, "a@example.com"), "x@x.org y@y.org", "forwarders");
    IS_STR(login(w, "JOE"), "joe@example.com", "logins");
    OK(strstr(warnings, "redis:nothing") != NULL, "a missing key of forwarders is a warning");
    hosted_free(w);
    command("EVAL "
            "for\ti=1,20000\tdo\tredis.call('HSET','big','u'..i..'@example.com','t'..i..'@x.org')"
            "end 0");
    use_sources("redis:set", "redis:big", "");
    w = load(&err);
    OK(w != NULL, err.text);
    IS_INT(w->forwards.count, 20000, "all of a large hash");
    IS_STR(targets(w, "u19999@example.com"), "t19999@x.org", "each once");
    hosted_free(w);
}

static void test_redis_faults(void)
{
    struct err err = {0};

    command("LPUSH list x");
    use_sources("redis:list", "", "");
    OK(load(&err) == NULL && err.code == EX_DATAERR && strstr(err.text, "list"), err.text);
    use_sources("redis:nothing", "", "");
    OK(load(&err) == NULL && err.code == EX_UNAVAILABLE && strstr(err.text, "nothing"), err.text);
    use_sources("socketmap:unix:/x:d", "socketmap:inet:h:1:f", "socketmap:unix:/x:l");
    struct hosted *w = load(&err);
    OK(w != NULL && w->domains_asked && w->forwards_asked && w->logins_asked,
       "a map is asked, not listed");
    hosted_free(w);
}

/* Looks now, and again after the rest. */
static enum source_state look_twice(struct source_watch *w)
{
    enum source_state first = source_watch_look(w);

    if (first != SOURCES_WRITTEN)
        return first;
    skew_ms += 2000;
    return source_watch_look(w);
}

static void test_watch(void)
{
    struct err err = {0};
    struct source_watch *w;

    write_file("w1", "a.example\n");
    use_sources("file:w1 file:w2", "redis:watched", "");
    w = source_watch_new(&settings, NULL, &err);
    OK(w != NULL, "a watch");
    OK(source_watch_look(w) == SOURCES_SAME, "nothing has changed");
    write_file("w1", "a.example\nb.example\n");
    OK(source_watch_look(w) == SOURCES_WRITTEN, "a file is being written");
    skew_ms += 1999;
    OK(source_watch_look(w) == SOURCES_WRITTEN, "and does not rest yet");
    skew_ms += 1;
    OK(source_watch_look(w) == SOURCES_CHANGED, "it rests");
    OK(source_watch_look(w) == SOURCES_SAME, "it is reported once");
    write_file("w2", "c.example\n");
    OK(look_twice(w) == SOURCES_CHANGED, "a file has appeared");
    command("HSET watched a@example.com x@x.org");
    skew_ms += 3000;
    OK(source_watch_look(w) == SOURCES_SAME, "Redis is not looked at each time");
    skew_ms += 8000;
    OK(look_twice(w) == SOURCES_CHANGED, "but after 10 s");
    skew_ms += 11000;
    OK(source_watch_look(w) == SOURCES_SAME, "it is reported once");
    command("HSET watched a@example.com y@x.org");
    redis_fixture_kill(&redis);
    skew_ms += 11000;
    OK(source_watch_look(w) == SOURCES_SAME, "what cannot be looked at has not changed");
    redis_fixture_run(&redis, "");
    skew_ms += 11000;
    OK(look_twice(w) == SOURCES_CHANGED, "Redis came back empty");
    source_watch_free(w);
}

/* A key that changes all the time is reported, unlike a file. */
static void test_restless(void)
{
    struct err err = {0};
    struct source_watch *w;
    bool reported = false;

    write_file("w1", "a.example\n");
    use_sources("file:w1", "redis:watched", "");
    w = source_watch_new(&settings, NULL, &err);
    for (int i = 0; i < 10; i++) {
        write_file("w1", i % 2 == 0 ? "" : "a.example\n");
        skew_ms += 1000;
        reported = reported || source_watch_look(w) != SOURCES_WRITTEN;
    }
    OK(!reported, "a file that is written again and again does not rest");
    skew_ms += 2000;
    OK(source_watch_look(w) == SOURCES_CHANGED, "it does once it is left alone");
    for (int i = 0; i < 10 && !reported; i++) {
        char text[64];

        (void)snprintf(text, sizeof text, "HSET watched a@example.com y%d@x.org", i);
        command(text);
        skew_ms += 11000;
        reported = source_watch_look(w) == SOURCES_CHANGED;
    }
    OK(reported, "a key that never rests is read all the same");
    source_watch_free(w);
}

/* Changes that only one of the facts tells. */
static void test_facts(void)
{
    struct timespec before[2];
    char path[128], moved[128];
    struct err err = {0};
    struct source_watch *w;
    struct stat st;

    write_file("w1", "a.example\n");
    (void)snprintf(path, sizeof path, "%s/w1", redis.dir);
    (void)snprintf(moved, sizeof moved, "%s/w2", redis.dir);
    use_sources("file:w1", "", "");
    w = source_watch_new(&settings, NULL, &err);
    (void)stat(path, &st);
    before[0] = st.st_atim;
    before[1] = st.st_mtim;
    (void)usleep(20000); /* the kernel's times have steps */
    write_file("w1", "b.example\n");
    (void)utimensat(AT_FDCWD, path, before, 0);
    OK(look_twice(w) == SOURCES_CHANGED, "same size and mtime, written in place");
    write_file("w2", "c.example\n");
    (void)utimensat(AT_FDCWD, moved, before, 0);
    (void)rename(moved, path);
    OK(look_twice(w) == SOURCES_CHANGED, "another file in its place");
    (void)unlink(path);
    OK(look_twice(w) == SOURCES_CHANGED, "gone");
    source_watch_free(w);
}

/* What is loaded is what rested: neither newer, nor changed while it was read. */
static void test_still(void)
{
    struct err err = {0};
    struct source_watch *first, *second;

    write_file("w1", "a.example\nb.example\n");
    write_file("w2", "c.example\n");
    use_sources("file:w1", "", "");
    first = source_watch_new(&settings, NULL, &err);
    OK(source_watch_still(first, &err) == 0, "nothing happened meanwhile");
    write_file("w1", "a.example\n");
    OK(source_watch_still(first, &err) != 0 && err.code == EX_TEMPFAIL &&
           strstr(err.text, "/w1\" was written"),
       err.text);
    use_sources("file:w1 file:w2", "", "");
    second = source_watch_new(&settings, first, &err);
    OK(source_watch_still(second, &err) != 0, "a new watch goes by what the old one saw last");
    OK(look_twice(second) == SOURCES_CHANGED && source_watch_still(second, &err) == 0,
       "until it has rested");
    source_watch_free(first);
    source_watch_free(second);
}

int main(void)
{
    redis_fixture_start(&redis);
    (void)snprintf(url, sizeof url, "unix://%s", redis.socket);
    settings.state_dir = source_dir = redis.dir;
    settings.store.url = url;
    settings.store.prefix = "tg";
    settings.store.username = settings.store.password_file = "";
    settings.store.timeout_ms = 5000;
    settings.hosted.default_domain = "";
    settings.accounting.spam_header = "";
    settings.accounting.delimiter = "+";
    test_files();
    test_order();
    test_owners();
    test_continued();
    test_wrong_files();
    test_file_faults();
    test_redis();
    test_redis_faults();
    frozen_ms = __real_clock_monotonic_ms();
    test_watch();
    test_restless();
    test_facts();
    test_still();
    redis_fixture_stop(&redis);
    return tap_done();
}
