#include "lib/sys/clock.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

static int64_t read_ms(clockid_t id)
{
    struct timespec t;

    (void)clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_unix_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

int64_t clock_monotonic_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void clock_sleep_us(int64_t us)
{
    struct timespec t = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};

    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) != 0)
        continue;
}

void clock_sleep_ms(int64_t ms)
{
    clock_sleep_us(ms * 1000);
}

/* Compiled zones (tzfile(5)) begin with this; the directory holds lists and licences as well. */
static bool is_zone_file(const char *path)
{
    char magic[4];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, magic, sizeof magic);

    if (fd >= 0)
        (void)close(fd);
    return got == (ssize_t)sizeof magic && memcmp(magic, "TZif", sizeof magic) == 0;
}

/* The C library silently treats an unknown zone as UTC, so the zone's file is checked. */
int clock_zone_check(const char *name, struct err *err)
{
    char path[512];

    if (strcmp(name, "UTC") == 0)
        return 0;
    if (name[0] != '\0' && name[0] != '/' && strstr(name, "..") == NULL &&
        snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name) < (int)sizeof path &&
        is_zone_file(path))
        return 0;
    return err_set(err, EX_CONFIG,
                   "unknown time zone \"%s\": use a name of /usr/share/zoneinfo such as "
                   "\"Europe/Berlin\" (package tzdata), or \"UTC\"",
                   name);
}

int clock_zone_set(const char *name, struct err *err)
{
    if (clock_zone_check(name, err) != 0)
        return -1;
    if (setenv("TZ", strcmp(name, "UTC") == 0 ? "UTC0" : name, 1) != 0)
        return err_set(err, EX_OSERR, "cannot set the time zone: out of memory");
    tzset();
    return 0;
}
