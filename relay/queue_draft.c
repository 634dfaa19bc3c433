#include "relay/queue_draft.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/files.h"

#define COPY_BYTES     65536
#define HEAD_MAX_BYTES ((size_t)16 << 20)

static int copy_body(int fd, struct spool *body)
{
    char *block = malloc(COPY_BYTES);
    ssize_t n = block == NULL ? -1 : 0;

    for (uint64_t at = 0; block != NULL && at < body->len; at += (uint64_t)n) {
        n = spool_read(body, at, block, COPY_BYTES);
        if (n <= 0 || !file_write_fd(fd, (struct slice){block, (size_t)n})) {
            n = -1;
            break;
        }
    }
    free(block);
    return n < 0 ? -1 : 0;
}

/* What a longer draft had beyond this one goes. */
static int cut_here(int fd)
{
    off_t end = lseek(fd, 0, SEEK_CUR);

    return end >= 0 && ftruncate(fd, end) == 0 ? fsync(fd) : -1;
}

static int write_file(int fd, struct envelope *e, struct slice received, struct message *m)
{
    struct buf header, head;
    int result = -1;

    buf_init(&header, HEAD_MAX_BYTES);
    buf_init(&head, HEAD_MAX_BYTES);
    buf_add(&header, received);
    message_add_header(m, &header);
    e->text_bytes = header.len + m->body.len;
    envelope_format(e, &head);
    if (!head.failed && !header.failed && file_write_fd(fd, buf_slice(&head)) &&
        file_write_fd(fd, buf_slice(&header)) && copy_body(fd, &m->body) == 0)
        result = cut_here(fd);
    buf_fini(&header);
    buf_fini(&head);
    return result;
}

static int create_draft(const struct queue *q, struct queue_draft *d, struct slice id,
                        struct err *err)
{
    char path[QUEUE_PATH_BYTES];

    TG_ASSERT(queue_id_is_valid(id));
    queue_path(q, "tmp", id, path);
    d->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (d->fd < 0)
        return err_set(err, EX_CANTCREAT, "cannot create %s: %s", path, strerror(errno));
    memcpy(d->id, id.ptr, id.len);
    d->id[id.len] = '\0';
    return 0;
}

int queue_draft_write(struct queue *q, struct queue_draft *d, struct envelope *e,
                      struct slice received, struct message *m, struct err *err)
{
    if (d->fd < 0 && create_draft(q, d, e->id, err) != 0)
        return -1;
    if (lseek(d->fd, 0, SEEK_SET) == 0 && write_file(d->fd, e, received, m) == 0)
        return 0;
    (void)err_set(err, EX_IOERR, "cannot write %s/tmp/%s: %s", q->dir, d->id, strerror(errno));
    queue_draft_discard(q, d);
    return -1;
}

void queue_draft_discard(const struct queue *q, struct queue_draft *d)
{
    char path[QUEUE_PATH_BYTES];

    if (d->fd < 0)
        return;
    queue_path(q, "tmp", slice_str(d->id), path);
    (void)close(d->fd);
    (void)unlink(path);
    d->fd = -1;
}

/* The draft moves to its place; its id changes while that name is taken. */
static int place_draft(const struct queue *q, struct queue_draft *d, const char *place, char *to)
{
    char from[QUEUE_PATH_BYTES];

    queue_path(q, "tmp", slice_str(d->id), from);
    for (;;) {
        queue_path(q, place, slice_str(d->id), to);
        if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
            return 0;
        if (errno != EEXIST)
            break;
        queue_new_id(q, d->id);
    }
    (void)unlink(from);
    return -1;
}

int queue_draft_commit(struct queue *q, struct queue_draft *d, bool held, struct err *err)
{
    const char *place = held ? "hold" : "mail";
    char to[QUEUE_PATH_BYTES];
    int result = close(d->fd);

    d->fd = -1;
    if (place_draft(q, d, place, to) != 0)
        return err_set(err, EX_IOERR, "cannot rename to %s: %s", to, strerror(errno));
    if (result == 0 && queue_sync(q, place))
        return 0;
    (void)err_set(err, EX_IOERR, "cannot sync %s: %s", to, strerror(errno));
    (void)unlink(to);
    return -1;
}
