/* The forms of source names. */
#include "t/tap.h"

#include "lib/core/source_name.h"

static struct arena arena;

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
    test_good_sources();
    test_bad_sources();
    arena_fini(&arena);
    return tap_done();
}
