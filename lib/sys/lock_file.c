#include "lib/sys/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"

#define LOOK_AGAIN_MS 50

static int held(int fd, const char *path, struct err *err)
{
    char pid[32] = "";
    ssize_t got = pread(fd, pid, sizeof pid - 1, 0);

    pid[got > 0 ? got : 0] = '\0';
    pid[strspn(pid, "0123456789")] = '\0';
    return err_set(err, EX_TEMPFAIL,
                   "%s is locked by another process (pid %s): stop that one first", path,
                   pid[0] != '\0' ? pid : "unknown");
}

/* flock(2) has no timeout and a library sets no alarm: so it polls. */
static int lock_wait(int fd, const char *path, int64_t wait_ms, struct err *err)
{
    int64_t until = clock_monotonic_ms() + wait_ms;

    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_set(err, EX_OSERR, "cannot lock %s: %s", path, strerror(errno));
        if (clock_monotonic_ms() >= until)
            return held(fd, path, err);
        clock_sleep_ms(LOOK_AGAIN_MS);
    }
    return 0;
}

int lock_file_take(const char *path, int64_t wait_ms, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);

    if (fd < 0)
        return err_set(err, EX_CANTCREAT, "cannot open %s: %s", path, strerror(errno));
    if (lock_wait(fd, path, wait_ms, err) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

void lock_file_sign(int fd)
{
    char pid[32];
    int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());

    if (ftruncate(fd, 0) == 0)
        (void)!pwrite(fd, pid, (size_t)len, 0);
}
