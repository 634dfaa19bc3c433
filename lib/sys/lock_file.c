#include "lib/sys/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
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

static int refused(const char *path, struct err *err)
{
    if (errno == ELOOP)
        return err_set(err, EX_CANTCREAT, "%s is a symbolic link: remove it", path);
    if (errno == EACCES)
        return err_set(err, EX_CANTCREAT,
                       "cannot open %s: permission denied: give it to the account of the daemon "
                       "(chown), or remove it",
                       path);
    return err_set(err, EX_CANTCREAT, "cannot open %s: %s", path, strerror(errno));
}

/* The directory may belong to another account, which could have put a link to any file there. A
 * file that root makes in it is given to that account, so that the daemon can open it without root.
 */
static int check(int fd, int dir, const char *path, struct err *err)
{
    struct stat st, parent;

    if (fstat(fd, &st) != 0 || fstat(dir, &parent) != 0)
        return refused(path, err);
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
        return err_set(err, EX_CANTCREAT, "%s is not a plain file with one name: remove it", path);
    if (geteuid() == 0 && st.st_uid == 0 && parent.st_uid != 0 &&
        fchown(fd, parent.st_uid, parent.st_gid) != 0)
        return refused(path, err);
    return 0;
}

static int open_in(int dir, const char *path, const char *name, struct err *err)
{
    int fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640);

    if (fd < 0)
        return refused(path, err);
    if (check(fd, dir, path, err) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static int open_file(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    char parent[PATH_MAX];
    int dir, fd;

    (void)snprintf(parent, sizeof parent, "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
                   slash == NULL ? "." : path);
    dir = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return refused(path, err);
    fd = open_in(dir, path, slash == NULL ? path : slash + 1, err);
    (void)close(dir);
    return fd;
}

int lock_file_take(const char *path, int64_t wait_ms, struct err *err)
{
    int fd = open_file(path, err);

    if (fd < 0 || lock_wait(fd, path, wait_ms, err) == 0)
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
