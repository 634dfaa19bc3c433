/* Preloaded: writes down in the file TG_SYNC_LOG, in order, each fsync and fdatasync with its path,
 * each rename with its new path, each unlink, and the first bytes of what is sent. While the file
 * TG_SYNC_FAIL exists, fsync and fdatasync of paths that contain the file's text fail with EIO. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void note(const char *what, const char *text, size_t len)
{
    char line[1200];
    int fd = open(getenv("TG_SYNC_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    int n = snprintf(line, sizeof line, "%s %.*s\n", what, (int)(len < 1000 ? len : 1000), text);

    if (fd < 0)
        return;
    (void)!write(fd, line, (size_t)n);
    (void)close(fd);
}

static int must_fail(const char *path)
{
    char text[200] = "";
    int fd = getenv("TG_SYNC_FAIL") == NULL ? -1 : open(getenv("TG_SYNC_FAIL"), O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    if (fd >= 0)
        (void)close(fd);
    return n > 0 && strstr(path, text) != NULL;
}

static int sync_fd(const char *what, int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, what);
    char link[64], path[1000] = "";
    ssize_t n;

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    if (must_fail(path)) {
        note("failed", path, n < 0 ? 0 : (size_t)n);
        errno = EIO;
        return -1;
    }
    note(what, path, n < 0 ? 0 : (size_t)n);
    return real(fd);
}

int fsync(int fd)
{
    return sync_fd("fsync", fd);
}

int fdatasync(int fd)
{
    return sync_fd("fdatasync", fd);
}

int renameat2(int old_dir, const char *from, int new_dir, const char *to, unsigned flags)
{
    int (*real)(int, const char *, int, const char *, unsigned) =
        (int (*)(int, const char *, int, const char *, unsigned))dlsym(RTLD_NEXT, "renameat2");
    int result = real(old_dir, from, new_dir, to, flags);

    if (result == 0)
        note("rename", to, strlen(to));
    return result;
}

int rename(const char *from, const char *to)
{
    int (*real)(const char *, const char *) =
        (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    int result = real(from, to);

    if (result == 0)
        note("rename", to, strlen(to));
    return result;
}

int unlink(const char *path)
{
    int (*real)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");

    note("unlink", path, strlen(path));
    return real(path);
}

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    ssize_t (*real)(int, const void *, size_t, int) =
        (ssize_t(*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");

    note("send", bytes, strcspn(bytes, "\r\n") < len ? strcspn(bytes, "\r\n") : len);
    return real(fd, bytes, len, flags);
}
