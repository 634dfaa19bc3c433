#include "lib/sys/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static ssize_t read_some(int fd, char *p, size_t size)
{
    ssize_t got;

    do
        got = read(fd, p, size);
    while (got < 0 && errno == EINTR);
    return got;
}

/* At the cap one byte more is asked for, to tell a file that fits from a larger one. */
static int read_all(int fd, const char *path, struct buf *b, struct err *err)
{
    for (;;) {
        size_t left = b->cap_bytes - b->len, want = left < 65536 ? left : 65536;
        char extra, *p = left == 0 ? &extra : buf_space(b, want);
        ssize_t got;

        if (p == NULL)
            return err_set(err, EX_OSERR, "cannot read %s: out of memory", path);
        got = read_some(fd, p, left == 0 ? 1 : want);
        if (got < 0)
            return err_set(err, EX_NOINPUT, "cannot read %s: %s", path, strerror(errno));
        if (got == 0)
            return 0;
        if (left == 0)
            return err_set(err, EX_NOINPUT, "cannot read %s: it is larger than %zu bytes", path,
                           b->cap_bytes);
        b->len += (size_t)got;
        b->data[b->len] = '\0';
    }
}

int file_read(const char *path, struct buf *b, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result;
    struct stat st;

    if (fd < 0)
        return err_set(err, EX_NOINPUT, "cannot read %s: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        result = err_set(err, EX_NOINPUT, "cannot read %s: it is no regular file", path);
    else
        result = read_all(fd, path, b, err);
    (void)close(fd);
    return result;
}
