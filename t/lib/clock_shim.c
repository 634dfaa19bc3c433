/* Preloaded into a program: the wall clock stands at TG_NOW (Unix seconds), or where the file
 * TG_CLOCK says (eight bytes: Unix milliseconds). Deadlines go by the monotonic clock, which runs
 * on. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *clock_file(void)
{
    static const volatile int64_t *clock;
    const char *path = getenv("TG_CLOCK");
    void *place;
    int fd;

    if (clock != NULL || path == NULL)
        return clock;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    place = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *clock, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0)
        (void)close(fd);
    clock = place == MAP_FAILED ? NULL : place;
    return clock;
}

static int64_t now_ms(void)
{
    const volatile int64_t *clock = clock_file();
    const char *text = getenv("TG_NOW");

    if (clock != NULL)
        return *clock;
    return text != NULL ? (int64_t)strtoll(text, NULL, 10) * 1000 : 0;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    int64_t ms;

    if (id != CLOCK_REALTIME)
        return (int)syscall(SYS_clock_gettime, id, t);
    ms = now_ms();
    *t = (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    return 0;
}

int gettimeofday(struct timeval *t, void *zone)
{
    int64_t ms = now_ms();

    (void)zone;
    *t =
        (struct timeval){.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    return 0;
}

time_t time(time_t *t)
{
    time_t now = (time_t)(now_ms() / 1000);

    if (t != NULL)
        *t = now;
    return now;
}
