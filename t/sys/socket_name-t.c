/* socket_name and clock: where sockets are, taken apart; time zones. */
#include "t/tap.h"

#include <sysexits.h>
#include <time.h>

#include "lib/sys/clock.h"
#include "lib/sys/socket_name.h"

static const struct {
    const char *text;
    int family;
    const char *where; /* path or host */
    int port;
} good[] = {
    {"unix:/run/x.sock", SOCKET_UNIX, "/run/x.sock", 0},
    {"local:/run/x:y@z", SOCKET_UNIX, "/run/x:y@z", 0},
    {"inet:8890@127.0.0.1", SOCKET_INET, "127.0.0.1", 8890},
    {"inet:127.0.0.1:8890", SOCKET_INET, "127.0.0.1", 8890},
    {"inet:1@mail.example.com", SOCKET_INET, "mail.example.com", 1},
    {"inet6:65535@::1", SOCKET_INET6, "::1", 65535},
    {"inet6:25@[2001:db8::1]", SOCKET_INET6, "2001:db8::1", 25},
    {"inet6:[2001:db8::1]:25", SOCKET_INET6, "2001:db8::1", 25},
};

static const struct {
    const char *text, *why;
} bad[] = {
    {"", "is not a socket: write \"unix:/path\""},
    {"/run/x", "is not a socket: write \"unix:/path\""},
    {"tcp:1@h", "is not a socket: write \"unix:/path\""},
    {"unix:", "is not an absolute path"},
    {"unix:x", "is not an absolute path"},
    {"unix:/234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
     "90123456789012345678",
     "has at most 107 bytes"},
    {"inet:", "write port (1 to 65535) and host"},
    {"inet:h", "write port (1 to 65535) and host"},
    {"inet:0@h", "write port (1 to 65535) and host"},
    {"inet:65536@h", "write port (1 to 65535) and host"},
    {"inet:1@", "write port (1 to 65535) and host"},
    {"inet:h:", "write port (1 to 65535) and host"},
    {"inet:-1@h", "write port (1 to 65535) and host"},
    {"inet:1@a b", "write port (1 to 65535) and host"},
    {"inet6:::1:25", "write port (1 to 65535) and host"},
};

static void test_good(size_t i, struct arena *arena)
{
    struct socket_name name;
    struct err err = {0};

    if (!OK(socket_name_parse(slice_str(good[i].text), arena, &name, &err) == 0, good[i].text))
        return;
    IS_INT(name.family, good[i].family, "family");
    IS_STR(name.family == SOCKET_UNIX ? name.path : name.host, good[i].where, "where");
    IS_INT(name.port, good[i].port, "port");
}

static void test_bad(size_t i, struct arena *arena)
{
    struct socket_name name;
    struct err err = {0};

    OK(socket_name_parse(slice_str(bad[i].text), arena, &name, &err) == -1 &&
           err.code == EX_CONFIG && strstr(err.text, bad[i].why) != NULL,
       bad[i].text);
}

static void test_zones(void)
{
    const time_t summer = 1783598400; /* 2026-07-09T12:00:00Z */
    struct err err = {0};
    struct tm tm;

    OK(clock_zone_set("Europe/Berlin", &err) == 0, "a zone that is known");
    OK(localtime_r(&summer, &tm) != NULL && tm.tm_hour == 14, "is the process's");
    OK(clock_zone_set("Europe/Atlantis", &err) == -1 && err.code == EX_CONFIG, "one that is not");
    OK(localtime_r(&summer, &tm) != NULL && tm.tm_hour == 14, "changes nothing");
    OK(clock_zone_set("UTC", &err) == 0 && localtime_r(&summer, &tm) != NULL && tm.tm_hour == 12,
       "UTC");
    OK(clock_zone_check("Europe", &err) == -1, "a directory of zones is none");
    OK(clock_zone_check("tzdata.zi", &err) == -1, "nor is another file there");
    OK(clock_zone_check("../zoneinfo/Europe/Berlin", &err) == -1, "nor a way around");
    OK(clock_zone_check("/usr/share/zoneinfo/Europe/Berlin", &err) == -1, "nor a path");
}

static void test_clocks(void)
{
    int64_t begin = clock_monotonic_ms(), unix_ms = clock_unix_ms();

    clock_sleep_ms(20);
    OK(clock_monotonic_ms() - begin >= 20, "a sleep is at least as long as asked for");
    OK(unix_ms / 1000 - (int64_t)time(NULL) <= 1, "the wall clock is in ms");
}

int main(void)
{
    struct arena arena;

    arena_init(&arena, 65536);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        test_good(i, &arena);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        test_bad(i, &arena);
    arena_fini(&arena);
    test_zones();
    test_clocks();
    return tap_done();
}
