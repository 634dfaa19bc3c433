/* Preloaded: the TG_STEP-th step of tollgate kills it before it is done. Steps are what others can
 * see: written, synced, renamed, unlinked, sent. Programs that it runs are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void step(void)
{
    static atomic_int count;
    const char *at = getenv("TG_STEP");

    if (at != NULL && strcmp(program_invocation_short_name, "tollgate") == 0 &&
        atomic_fetch_add(&count, 1) + 1 == atoi(at))
        (void)raise(SIGKILL);
}

#define REAL(name, type) ((type)dlsym(RTLD_NEXT, name))

ssize_t write(int fd, const void *bytes, size_t len)
{
    if (fd > 2)
        step();
    return REAL("write", ssize_t(*)(int, const void *, size_t))(fd, bytes, len);
}

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    step();
    return REAL("send", ssize_t(*)(int, const void *, size_t, int))(fd, bytes, len, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    step();
    return REAL("sendmsg", ssize_t(*)(int, const struct msghdr *, int))(fd, m, flags);
}

int fsync(int fd)
{
    step();
    return REAL("fsync", int (*)(int))(fd);
}

int fdatasync(int fd)
{
    step();
    return REAL("fdatasync", int (*)(int))(fd);
}

int rename(const char *from, const char *to)
{
    step();
    return REAL("rename", int (*)(const char *, const char *))(from, to);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    step();
    return REAL("renameat", int (*)(int, const char *, int, const char *))(from_dir, from, to_dir,
                                                                           to);
}

int unlink(const char *path)
{
    step();
    return REAL("unlink", int (*)(const char *))(path);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
    step();
    return REAL("pwrite64", ssize_t(*)(int, const void *, size_t, off64_t))(fd, bytes, len, at);
}
