/* Preloaded: the monotonic clock stands but for what the program sleeps; it tells each sleep by a
 * byte in the pipe TG_PACE.asleep, and a byte in TG_PACE.awake ends it (t/lib/pace.py). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct timespec slept = {.tv_sec = 1000};

int clock_gettime(clockid_t id, struct timespec *t)
{
    if (id != CLOCK_MONOTONIC)
        return (int)syscall(SYS_clock_gettime, id, t);
    *t = slept;
    return 0;
}

static int pipe_open(const char *end, int flags)
{
    char path[4096];

    (void)snprintf(path, sizeof path, "%s.%s", getenv("TG_PACE"), end);
    return open(path, flags | O_CLOEXEC);
}

int clock_nanosleep(clockid_t id, int flags, const struct timespec *t, struct timespec *left)
{
    char byte = 0;
    int asleep = pipe_open("asleep", O_WRONLY), awake = pipe_open("awake", O_RDONLY);

    (void)id;
    (void)flags;
    (void)left;
    if (write(asleep, &byte, 1) != 1 || read(awake, &byte, 1) != 1)
        abort();
    (void)close(asleep);
    (void)close(awake);
    slept.tv_sec += t->tv_sec + (slept.tv_nsec + t->tv_nsec) / 1000000000;
    slept.tv_nsec = (slept.tv_nsec + t->tv_nsec) % 1000000000;
    return 0;
}
