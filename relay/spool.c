#include "relay/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/sys/files.h"

void spool_init(struct spool *s, const char *dir)
{
    *s = (struct spool){.dir = dir, .fd = -1};
    buf_init(&s->memory, SPOOL_MEMORY_BYTES);
}

void spool_fini(struct spool *s)
{
    spool_reset(s);
    buf_fini(&s->memory);
}

void spool_reset(struct spool *s)
{
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
    s->len = 0;
    s->failed = false;
    buf_reset(&s->memory);
}

static int open_nameless(const char *dir)
{
    char path[4096];
    int fd;

    if (snprintf(path, sizeof path, "%s/spool-XXXXXX", dir) >= (int)sizeof path)
        return -1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        (void)unlink(path);
    return fd;
}

static void write_out(struct spool *s, struct slice bytes)
{
    s->failed = s->failed || !file_write_fd(s->fd, bytes);
}

void spool_add(struct spool *s, struct slice bytes)
{
    if (s->failed)
        return;
    if (s->fd < 0 && s->memory.len + bytes.len > SPOOL_MEMORY_BYTES) {
        s->fd = open_nameless(s->dir);
        s->failed = s->fd < 0;
        write_out(s, buf_slice(&s->memory));
    }
    if (s->fd >= 0) {
        write_out(s, bytes);
    } else {
        buf_add(&s->memory, bytes);
        s->failed = s->failed || s->memory.failed;
    }
    s->len += bytes.len;
}

ssize_t spool_read(struct spool *s, uint64_t offset, char *into, size_t room)
{
    struct slice rest;
    ssize_t n;

    if (s->fd < 0) {
        rest = slice_to(slice_from(buf_slice(&s->memory), (size_t)offset), room);
        if (rest.len > 0)
            memcpy(into, rest.ptr, rest.len);
        return (ssize_t)rest.len;
    }
    do
        n = pread(s->fd, into, room, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n;
}
