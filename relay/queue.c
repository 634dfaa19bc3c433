#include "relay/queue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/files.h"
#include "lib/sys/lock_file.h"

#define HEAD_MAX_BYTES ((size_t)16 << 20)
#define JOURNAL_BYTES  ((size_t)256 << 20)

bool queue_id_is_valid(struct slice id)
{
    if (id.len == 0 || id.len >= QUEUE_ID_BYTES)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];

        if ((c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z'))
            return false;
    }
    return true;
}

void queue_path(const struct queue *q, const char *where, struct slice id, char *path)
{
    (void)snprintf(path, QUEUE_PATH_BYTES, "%s/%s/%.*s", q->dir, where, SLICE_FMT(id));
}

bool queue_sync(const struct queue *q, const char *where)
{
    char path[QUEUE_PATH_BYTES];

    queue_path(q, where, SLICE_NONE, path);
    return file_sync_dir(path);
}

static int lock(struct queue *q, int64_t wait_ms, struct err *err)
{
    char path[QUEUE_PATH_BYTES];

    (void)snprintf(path, sizeof path, "%s/lock", q->dir);
    q->lock_fd = lock_file_take(path, wait_ms, err);
    if (q->lock_fd < 0)
        return err_prefix(err, "the queue is in use");
    lock_file_sign(q->lock_fd);
    return 0;
}

/* What a crash left unfinished was not answered with 250. */
static void empty_tmp(const struct queue *q)
{
    char path[QUEUE_PATH_BYTES];
    struct dirent *entry;
    DIR *d;

    queue_path(q, "tmp", SLICE_NONE, path);
    d = opendir(path);
    while (d != NULL && (entry = readdir(d)) != NULL) {
        queue_path(q, "tmp", slice_str(entry->d_name), path);
        if (entry->d_name[0] != '.')
            (void)unlink(path);
    }
    if (d != NULL)
        (void)closedir(d);
}

int queue_open_readonly(struct queue *q, const char *dir, struct err *err)
{
    *q = (struct queue){.lock_fd = -1};
    if (snprintf(q->dir, sizeof q->dir, "%s", dir) >= (int)sizeof q->dir)
        return err_set(err, EX_CONFIG, "the path of the queue is too long: %s", dir);
    return 0;
}

int queue_open(struct queue *q, const char *dir, int64_t wait_ms, struct err *err)
{
    static const char *const parts[] = {"/tmp", "/mail", "/hold"};
    char path[QUEUE_PATH_BYTES];

    if (queue_open_readonly(q, dir, err) != 0 || lock(q, wait_ms, err) != 0)
        return -1;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", dir, parts[i]);
        if (file_make_dir(path, 0700, (uid_t)-1, (gid_t)-1, err) != 0) {
            queue_close(q);
            return -1;
        }
    }
    empty_tmp(q);
    return 0;
}

void queue_close(struct queue *q)
{
    if (q->lock_fd >= 0)
        (void)close(q->lock_fd);
    q->lock_fd = -1;
}

const char *queue_tmp(const struct queue *q, struct buf *b)
{
    buf_reset(b);
    buf_addf(b, "%s/tmp", q->dir);
    return b->data;
}

/* 45 bits of time (ms) and 20 random ones, so that a clock that was set back does not give the ids
 * of an earlier process again; within a ms they count on. */
static uint64_t next_number(void)
{
    static _Atomic uint64_t last;
    uint64_t before = atomic_load(&last), n;

    do {
        n = (uint64_t)clock_unix_ms() << 20 | (arc4random() & 0xfffff);
        if (n <= before)
            n = before + 1;
    } while (!atomic_compare_exchange_weak(&last, &before, n));
    return n;
}

static bool is_in(const struct queue *q, const char *where, const char *id)
{
    char path[QUEUE_PATH_BYTES];

    queue_path(q, where, slice_str(id), path);
    return access(path, F_OK) == 0;
}

void queue_new_id(const struct queue *q, char id[QUEUE_ID_BYTES])
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUV";

    do {
        uint64_t n = next_number();

        for (int i = 12; i >= 0; i--) {
            id[i] = digits[n & 31];
            n >>= 5;
        }
        id[13] = '\0';
    } while (is_in(q, "mail", id) || is_in(q, "hold", id));
}

/* --- outcomes -------------------------------------------------------------------------------- */

int queue_reserve(struct queue_file *f, uint64_t bytes, struct err *err)
{
    int error = posix_fallocate(f->fd, (off_t)f->whole_at, (off_t)bytes);

    if (error == 0)
        return 0;
    return err_set(err, EX_IOERR, "cannot reserve room in the queue file of %.*s: %s",
                   SLICE_FMT(f->envelope.id), strerror(error));
}

int queue_note(struct queue_file *f, struct slice lines, struct err *err)
{
    for (struct slice rest = lines; rest.len > 0;) {
        ssize_t n = pwrite(f->fd, rest.ptr, rest.len, (off_t)f->whole_at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, EX_IOERR, "cannot write the queue file of %.*s: %s",
                           SLICE_FMT(f->envelope.id), strerror(errno));
        f->whole_at += (uint64_t)n;
        rest = slice_from(rest, (size_t)n);
    }
    if (fdatasync(f->fd) != 0)
        return err_set(err, EX_IOERR, "cannot sync the queue file of %.*s: %s",
                       SLICE_FMT(f->envelope.id), strerror(errno));
    return 0;
}

/* --- reading --------------------------------------------------------------------------------- */

/* Appends `len` bytes from `offset` on, or as many as there are. */
static int read_part(int fd, uint64_t offset, size_t len, struct buf *b)
{
    while (len > 0) {
        char *room = buf_space(b, len);
        ssize_t n = room == NULL ? -1 : pread(fd, room, len, (off_t)offset);

        if (n < 0 && (room == NULL || errno != EINTR))
            return -1;
        if (n == 0)
            return 0;
        if (n > 0) {
            b->len += (size_t)n;
            offset += (uint64_t)n;
            len -= (size_t)n;
        }
    }
    return 0;
}

/* The head ends at the first empty line; its length is not known before. */
static int read_head(struct queue_file *f, struct buf *b, struct err *err)
{
    struct slice rest;

    for (;;) {
        size_t before = b->len;

        if (read_part(f->fd, b->len, 8192, b) != 0)
            return err_set(err, EX_IOERR, "cannot read: %s", strerror(errno));
        if (memmem(b->data, b->len, "\n\n", 2) != NULL || b->len == before)
            break;
    }
    arena_reset(&f->arena);
    if (envelope_parse(buf_slice(b), &f->arena, &f->envelope, &rest, err) != 0)
        return -1;
    f->text_at = (uint64_t)(rest.ptr - b->data);
    return 0;
}

/* The next line is written behind the last complete one. */
static int read_journal(struct queue_file *f, struct buf *b, struct err *err)
{
    struct slice journal;
    ptrdiff_t last;
    struct stat st;

    f->whole_at = f->text_at + f->envelope.text_bytes;
    if (fstat(f->fd, &st) != 0 || (uint64_t)st.st_size < f->whole_at)
        return err_set(err, EX_DATAERR, "queue file is truncated");
    if (read_part(f->fd, f->whole_at, (size_t)((uint64_t)st.st_size - f->whole_at), b) != 0)
        return err_set(err, EX_IOERR, "cannot read: %s", b->failed ? "too large" : strerror(errno));
    journal = buf_slice(b);
    last = slice_find_last(journal, '\n');
    envelope_replay(&f->envelope, &f->arena, journal);
    f->whole_at += (uint64_t)(last + 1);
    return 0;
}

static int read_file(struct queue_file *f, struct err *err)
{
    struct buf head, journal;
    int result;

    buf_init(&head, HEAD_MAX_BYTES);
    buf_init(&journal, JOURNAL_BYTES);
    result = read_head(f, &head, err);
    if (result == 0)
        result = read_journal(f, &journal, err);
    buf_fini(&head);
    buf_fini(&journal);
    return result;
}

/* The id is the file's name, whatever the id was when its head was written. */
static int take_name(struct queue_file *f, struct slice id, struct err *err)
{
    f->envelope.id = arena_copy(&f->arena, id);
    return f->envelope.id.ptr != NULL ? 0 : err_set(err, EX_OSERR, "out of memory");
}

int queue_load(struct queue *q, struct slice id, struct queue_file *out, struct err *err)
{
    int flags = q->lock_fd < 0 ? O_RDONLY : O_RDWR;
    char path[QUEUE_PATH_BYTES];

    *out = (struct queue_file){.fd = -1};
    if (!queue_id_is_valid(id))
        return err_set(err, EX_NOINPUT, "no such message: %.*s", SLICE_FMT(id));
    queue_path(q, "mail", id, path);
    out->fd = open(path, flags | O_CLOEXEC);
    if (out->fd < 0 && errno == ENOENT) {
        queue_path(q, "hold", id, path);
        out->fd = open(path, flags | O_CLOEXEC);
        out->is_held = true;
    }
    if (out->fd < 0)
        return err_set(err, errno == ENOENT ? EX_NOINPUT : EX_IOERR, "cannot open message %.*s: %s",
                       SLICE_FMT(id), strerror(errno));
    arena_init(&out->arena, HEAD_MAX_BYTES * 2);
    if (read_file(out, err) == 0 && take_name(out, id, err) == 0)
        return 0;
    (void)err_prefix(err, "%s", path);
    queue_unload(out);
    return -1;
}

void queue_unload(struct queue_file *f)
{
    if (f->fd < 0)
        return;
    (void)close(f->fd);
    f->fd = -1;
    arena_fini(&f->arena);
}

ssize_t queue_read(const struct queue_file *f, uint64_t offset, char *into, size_t room)
{
    uint64_t left = offset < f->envelope.text_bytes ? f->envelope.text_bytes - offset : 0;
    ssize_t n;

    if (left < room)
        room = (size_t)left;
    if (room == 0)
        return 0;
    do
        n = pread(f->fd, into, room, (off_t)(f->text_at + offset));
    while (n < 0 && errno == EINTR);
    return n == 0 ? -1 : n; /* the file is shorter than its head says */
}

/* --- the rest -------------------------------------------------------------------------------- */

static int removed(const struct queue *q, const char *where, struct err *err)
{
    if (queue_sync(q, where))
        return 0;
    return err_set(err, EX_IOERR, "cannot sync %s/%s: %s", q->dir, where, strerror(errno));
}

int queue_remove(struct queue *q, struct slice id, struct err *err)
{
    char path[QUEUE_PATH_BYTES];

    if (!queue_id_is_valid(id))
        return err_set(err, EX_NOINPUT, "no such message: %.*s", SLICE_FMT(id));
    queue_path(q, "mail", id, path);
    if (unlink(path) == 0)
        return removed(q, "mail", err);
    queue_path(q, "hold", id, path);
    if (unlink(path) == 0)
        return removed(q, "hold", err);
    return err_set(err, errno == ENOENT ? EX_NOINPUT : EX_IOERR, "cannot remove message %.*s: %s",
                   SLICE_FMT(id), strerror(errno));
}

int queue_hold(struct queue *q, struct slice id, bool hold, struct err *err)
{
    char from[QUEUE_PATH_BYTES], to[QUEUE_PATH_BYTES];

    if (!queue_id_is_valid(id))
        return err_set(err, EX_NOINPUT, "no such message: %.*s", SLICE_FMT(id));
    queue_path(q, hold ? "mail" : "hold", id, from);
    queue_path(q, hold ? "hold" : "mail", id, to);
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) != 0)
        return err_set(err, errno == ENOENT ? EX_NOINPUT : EX_IOERR, "cannot %s message %.*s: %s",
                       hold ? "hold" : "release", SLICE_FMT(id), strerror(errno));
    return queue_sync(q, "mail") && queue_sync(q, "hold")
               ? 0
               : err_set(err, EX_IOERR, "cannot sync %s: %s", q->dir, strerror(errno));
}

static int visible(const struct dirent *entry)
{
    return queue_id_is_valid(slice_str(entry->d_name));
}

static int each_of(struct queue *q, bool held, int (*each)(void *, struct slice, bool), void *user,
                   struct err *err)
{
    char path[QUEUE_PATH_BYTES];
    struct dirent **list = NULL;
    int n, result = 0;

    queue_path(q, held ? "hold" : "mail", SLICE_NONE, path);
    n = scandir(path, &list, visible, alphasort);
    if (n < 0)
        return err_set(err, EX_NOINPUT, "cannot read the queue %s: %s", path, strerror(errno));
    for (int i = 0; i < n; i++) {
        if (result == 0)
            result = each(user, slice_str(list[i]->d_name), held);
        free(list[i]);
    }
    free(list);
    return result;
}

int queue_each(struct queue *q, int (*each)(void *user, struct slice id, bool held), void *user,
               struct err *err)
{
    int result = each_of(q, false, each, user, err);

    return result != 0 ? result : each_of(q, true, each, user, err);
}
