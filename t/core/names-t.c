/* The forms of store.url and of source names. */
#include "t/tap.h"

#include "lib/core/source_name.h"
#include "lib/core/store_url.h"

static struct arena arena;

static bool url(const char *text, struct store_url *u, struct err *err)
{
    return store_url_parse(slice_str(text), &arena, u, err) == 0;
}

static void test_good_urls(void)
{
    struct store_url u;
    struct err e = {0};

    OK(url("private:", &u, &e) && u.scheme == STORE_PRIVATE, "private:");
    OK(url("unix:///run/r.sock", &u, &e) && u.scheme == STORE_UNIX, "unix");
    IS_SLICE(u.path, SLICE("/run/r.sock"), "its path");
    OK(url("unix://joe:p%40ss@/run/r%20s?db=7", &u, &e), "unix with all parts");
    IS_SLICE(u.path, SLICE("/run/r s"), "path with a blank");
    IS_SLICE(u.password, SLICE("p@ss"), "password with an @");
    IS_INT(u.db, 7, "database");
    OK(url("redis://h", &u, &e) && u.scheme == STORE_TCP, "host alone");
    IS_SLICE(u.port, SLICE("6379"), "the usual port");
    OK(url("redis://:pw@redis.example.com:6380/2", &u, &e), "host, port, database, password");
    IS_SLICE(u.host, SLICE("redis.example.com"), "host");
    IS_SLICE(u.port, SLICE("6380"), "port");
    IS_SLICE(u.username, SLICE(""), "no user name");
    IS_SLICE(u.password, SLICE("pw"), "password");
    IS_INT(u.db, 2, "database");
    OK(url("redis://[2001:db8::1]:7000/", &u, &e), "IPv6 literal");
    IS_SLICE(u.host, SLICE("2001:db8::1"), "without brackets");
    OK(url("redis://[::1]", &u, &e) && slice_equal(u.port, SLICE("6379")), "IPv6 without port");
}

static void test_bad_urls(void)
{
    static const char *const bad[] = {
        "",
        "private",
        "unix://relative",
        "unix://",
        "unix:///x?database=1",
        "unix:///x?db=",
        "redis://",
        "redis://:6379",
        "redis://h:0",
        "redis://h:65536",
        "redis://h:port",
        "redis://h/x",
        "redis://h/99999999",
        "redis://::1",
        "redis://[::1",
        "redis://[::1]x:1",
        "redis://user@h",
        "redis://:p%4@h",
        "redis://:p%00@h",
        "redis://:p%zz@h",
        "rediss://h",
        "sentinel://h:1/n",
        "cluster://h:1",
        "http://h",
        "memory:",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct store_url u;
        struct err e = {0};

        OK(!url(bad[i], &u, &e) && e.code == 78 && strstr(e.text, "store.url") != NULL, bad[i]);
    }
}

static void test_masked(void)
{
    IS_SLICE(store_url_masked(SLICE("redis://u:p:x@h:1/2"), &arena), SLICE("redis://u:***@h:1/2"),
             "masked");
    IS_SLICE(store_url_masked(SLICE("unix://:p@/s"), &arena), SLICE("unix://:***@/s"), "masked");
    IS_SLICE(store_url_masked(SLICE("redis://h:1"), &arena), SLICE("redis://h:1"),
             "nothing to mask");
    IS_SLICE(store_url_masked(SLICE("private:"), &arena), SLICE("private:"), "nothing to mask");
}

static bool source(const char *text, struct source_name *s, struct err *err)
{
    return source_name_parse(slice_str(text), &arena, s, err) == 0;
}

static void test_good_sources(void)
{
    struct source_name s;
    struct err e = {0};

    OK(source("file:/etc/tollgate/domains", &s, &e) && s.kind == SOURCE_FILE, "file");
    IS_SLICE(s.path, SLICE("/etc/tollgate/domains"), "its path");
    OK(source("redis:tg:my:domains", &s, &e) && s.kind == SOURCE_REDIS, "redis");
    IS_SLICE(s.key, SLICE("tg:my:domains"), "its key");
    OK(source("postfix:/etc/postfix", &s, &e) && s.kind == SOURCE_POSTFIX, "postfix");
    OK(source("socketmap:unix:/run/a:b/s:virt", &s, &e) && s.kind == SOURCE_SOCKETMAP,
       "socketmap on a Unix socket");
    IS_SLICE(s.path, SLICE("/run/a:b/s"), "its path");
    IS_SLICE(s.key, SLICE("virt"), "its map");
    OK(source("socketmap:inet:maps.example.com:7777:virt", &s, &e), "socketmap over TCP");
    IS_SLICE(s.host, SLICE("maps.example.com"), "its host");
    IS_SLICE(s.port, SLICE("7777"), "its port");
    IS_SLICE(s.key, SLICE("virt"), "its map");
    OK(source("socketmap:inet:[::1]:7777:virt", &s, &e), "socketmap over IPv6");
    IS_SLICE(s.host, SLICE("::1"), "its host");
}

static void test_bad_sources(void)
{
    static const char *const bad[] = {
        "",
        "/etc/tollgate/domains",
        "file:",
        "file:relative",
        "File:/x",
        "redis:",
        "postfix:etc",
        "mysql:/etc/x.cf",
        "hash:/etc/aliases",
        "socketmap:/run/x",
        "socketmap:unix:/run/x",
        "socketmap:unix:/run/x:",
        "socketmap:unix:run/x:name",
        "socketmap:inet:h:1",
        "socketmap:inet:h:1:",
        "socketmap:inet:h:x:n",
        "socketmap:inet::1:n",
        "socketmap:inet:[::1]x:1:n",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct source_name s;
        struct err e = {0};

        OK(!source(bad[i], &s, &e) && e.code == 78 && e.text[0] != '\0', bad[i]);
    }
}

int main(void)
{
    arena_init(&arena, 1 << 20);
    test_good_urls();
    test_bad_urls();
    test_masked();
    test_good_sources();
    test_bad_sources();
    arena_fini(&arena);
    return tap_done();
}
