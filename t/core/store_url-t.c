/* The forms of store.url. */
#include "t/tap.h"

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
    IS_SLICE(u.hosts[0].port, SLICE("6379"), "the usual port");
    OK(url("redis://:pw@redis.example.com:6380/2", &u, &e), "host, port, database, password");
    IS_SLICE(u.hosts[0].host, SLICE("redis.example.com"), "host");
    IS_SLICE(u.hosts[0].port, SLICE("6380"), "port");
    IS_SLICE(u.username, SLICE(""), "no user name");
    IS_SLICE(u.password, SLICE("pw"), "password");
    IS_INT(u.db, 2, "database");
    OK(url("redis://[2001:db8::1]:7000/", &u, &e), "IPv6 literal");
    IS_SLICE(u.hosts[0].host, SLICE("2001:db8::1"), "without brackets");
    OK(url("redis://[::1]", &u, &e) && slice_equal(u.hosts[0].port, SLICE("6379")),
       "IPv6 without port");
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
        "redis://h,i",
        "rediss://",
        "sentinel://h:1",
        "sentinel://h:1/",
        "sentinel://h:1,/n",
        "sentinel:///n",
        "sentinel://h:1/n/x",
        "sentinel://h:1/n%zz",
        "cluster://",
        "cluster://h:1/0",
        "cluster://h:1,,i:2",
        "cluster://h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h",
        "rediss+unix:///x",
        "clusters://h",
        "http://h",
        "memory:",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct store_url u;
        struct err e = {0};

        OK(!url(bad[i], &u, &e) && e.code == 78 && strstr(e.text, "store.url") != NULL, bad[i]);
    }
}

static void test_fleets(void)
{
    struct store_url u;
    struct err e = {0};

    OK(url("rediss://h:1/3", &u, &e) && u.scheme == STORE_TCP && u.tls, "TLS");
    IS_INT(u.db, 3, "its database");
    OK(url("sentinel://joe:p%2Fw@a,[::1]:5,c:7/my%20mail/4", &u, &e), "sentinels");
    OK(u.scheme == STORE_SENTINEL && !u.tls && u.host_count == 3 && u.db == 4, "without TLS");
    IS_SLICE(u.hosts[0].port, SLICE("26379"), "a sentinel's usual port");
    IS_SLICE(u.hosts[1].host, SLICE("::1"), "an address");
    IS_SLICE(u.hosts[2].port, SLICE("7"), "a port");
    IS_SLICE(u.master, SLICE("my mail"), "the master's name");
    IS_SLICE(u.password, SLICE("p/w"), "password");
    OK(url("rediss+sentinel://a/m", &u, &e) && u.scheme == STORE_SENTINEL && u.tls, "with TLS");
    OK(url("cluster://:pw@a:1,b/", &u, &e) && u.scheme == STORE_CLUSTER && !u.tls, "cluster");
    IS_INT(u.host_count, 2, "its hosts");
    IS_SLICE(u.hosts[1].port, SLICE("6379"), "a server's usual port");
    OK(url("rediss+cluster://a", &u, &e) && u.scheme == STORE_CLUSTER && u.tls, "with TLS");
}

static void test_masked(void)
{
    IS_SLICE(store_url_masked(SLICE("rediss+cluster://u:p@a,b:1"), &arena),
             SLICE("rediss+cluster://u:***@a,b:1"), "masked");
    IS_SLICE(store_url_masked(SLICE("redis://u:p:x@h:1/2"), &arena), SLICE("redis://u:***@h:1/2"),
             "masked");
    IS_SLICE(store_url_masked(SLICE("unix://:p@/s"), &arena), SLICE("unix://:***@/s"), "masked");
    IS_SLICE(store_url_masked(SLICE("redis://h:1"), &arena), SLICE("redis://h:1"),
             "nothing to mask");
    IS_SLICE(store_url_masked(SLICE("private:"), &arena), SLICE("private:"), "nothing to mask");
}

int main(void)
{
    arena_init(&arena, 65536);
    test_good_urls();
    test_bad_urls();
    test_fleets();
    test_masked();
    arena_fini(&arena);
    return tap_done();
}
