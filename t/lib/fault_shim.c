/*
 * Preloaded into a program: counts calls of the system, and makes them fail.
 *
 * TG_FAULTS is a folder. A file CALL in it makes that call fail with EIO, where the file has a text
 * only for paths with that text; each fsync, fdatasync and unlink, and each pwrite to a file *-wal,
 * adds a line to the file `calls`: its name, and the file; one that fails another one. Calls:
 * fsync, fdatasync, accept. A file `ahead` holds by how many seconds time(2) is ahead.
 *
 * `unlink-stop` stops the process before it unlinks such a path, until somebody lets it go on.
 *
 * `pwrite-kill` and `pwrite-fail` hold the number of the pwrite to a file *-wal at which the
 * process is killed, or which fails with ENOSPC.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int at(const char *name, int flags)
{
    const char *folder = getenv("TG_FAULTS");
    char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : "/nonexistent", name);
    return open(path, flags | O_CLOEXEC, 0666);
}

/* One write(2) a line, appended: lines of threads and of processes do not mix. */
static void note(const char *call, const char *file)
{
    char line[400];
    int log = at("calls", O_WRONLY | O_CREAT | O_APPEND);
    int len = snprintf(line, sizeof line, "%s %s\n", call, file);

    (void)!write(log, line, (size_t)len);
    (void)close(log);
}

/* What a file of the folder holds; NULL where there is none. */
static const char *text_of(const char *name, char text[200])
{
    int fd = at(name, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, 199);

    if (fd >= 0)
        (void)close(fd);
    if (n < 0)
        return NULL;
    text[n] = '\0';
    return text;
}

static int fails(const char *call, const char *path)
{
    char text[200];

    if (text_of(call, text) == NULL || strstr(path, text) == NULL)
        return 0;
    errno = EIO;
    return 1;
}

static int sync_fails(const char *call, int fd)
{
    char link[64], target[256] = "";

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    (void)!readlink(link, target, sizeof target - 1);
    note(call, target);
    if (!fails(call, target))
        return 0;
    note("failed", target);
    errno = EIO;
    return 1;
}

int fsync(int fd)
{
    return sync_fails("fsync", fd) ? -1 : ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd)
{
    return sync_fails("fdatasync", fd) ? -1 : ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}

/* The process may die at this one; 1: it is to fail. */
static int write_fails(void)
{
    static atomic_long count;
    long number = atomic_fetch_add(&count, 1) + 1;
    char text[200];

    if (text_of("pwrite-kill", text) != NULL && number == atol(text))
        (void)raise(SIGKILL);
    return text_of("pwrite-fail", text) != NULL && number == atol(text);
}

/* SQLite's write-ahead log: what is in it alone is not in the database yet. */
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at_byte)
{
    char link[64], target[256] = "";

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    (void)!readlink(link, target, sizeof target - 1);
    if (strlen(target) > 4 && strcmp(target + strlen(target) - 4, "-wal") == 0) {
        note("pwrite", target);
        if (write_fails()) {
            errno = ENOSPC;
            return -1;
        }
    }
    return ((ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64"))(
        fd, bytes, count, at_byte);
}

int unlink(const char *path)
{
    if (fails("unlink-stop", path))
        (void)raise(SIGSTOP);
    note("unlink", path);
    return ((int (*)(const char *))dlsym(RTLD_NEXT, "unlink"))(path);
}

/* tollgated's accept(2), too, ends here. */
int accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    return fails("accept", "") ? -1
                               : ((int (*)(int, struct sockaddr *, socklen_t *, int))dlsym(
                                     RTLD_NEXT, "accept4"))(fd, address, len, flags);
}

/* libmilter sleeps longer after each accept(2) that fails, two minutes in all. */
unsigned sleep(unsigned seconds)
{
    return fails("accept", "") ? 0 : ((unsigned (*)(unsigned))dlsym(RTLD_NEXT, "sleep"))(seconds);
}

time_t time(time_t *t)
{
    char text[32] = "";
    int fd = at("ahead", O_RDONLY);
    struct timespec now;

    if (fd >= 0)
        (void)!read(fd, text, sizeof text - 1);
    (void)close(fd);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec += atol(text);
    if (t != NULL)
        *t = now.tv_sec;
    return now.tv_sec;
}
