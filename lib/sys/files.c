#include "lib/sys/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
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

/* At the cap one more byte is read, to tell a file that fits from a larger one. */
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
        result = err_set(err, EX_NOINPUT, "cannot read %s: not a regular file", path);
    else
        result = read_all(fd, path, b, err);
    (void)close(fd);
    return result;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int write_failed(const char *path, struct err *err)
{
    return err_set(err, EX_CANTCREAT, "cannot write %s: %s", path, strerror(errno));
}

bool file_write_fd(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t written = write(fd, bytes.ptr, bytes.len);

        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0)
            bytes = slice_from(bytes, (size_t)written);
    }
    return true;
}

/* A new file, with all its bytes on the disk. */
static int file_fill(const char *path, struct slice bytes, mode_t mode, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
    bool good = fd >= 0 && fchmod(fd, mode) == 0 && file_write_fd(fd, bytes) && fsync(fd) == 0;

    if (!good)
        (void)write_failed(path, err);
    if (fd >= 0 && close(fd) != 0 && good)
        good = write_failed(path, err) == 0;
    return good ? 0 : -1;
}

bool file_sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        (void)close(fd);
    return good;
}

/* A rename is on the disk once its directory is. */
static int parent_sync(const char *path, struct err *err)
{
    ptrdiff_t slash = slice_find_last(slice_str(path), '/');
    char dir[PATH_MAX];

    if (slash < 0)
        (void)snprintf(dir, sizeof dir, ".");
    else
        (void)snprintf(dir, sizeof dir, "%.*s", slash == 0 ? 1 : (int)slash, path);
    return file_sync_dir(dir) ? 0 : write_failed(dir, err);
}

int file_write(const char *path, struct slice bytes, mode_t mode, struct err *err)
{
    char made[PATH_MAX];

    if (snprintf(made, sizeof made, "%s.new", path) >= (int)sizeof made)
        return err_set(err, EX_CANTCREAT, "cannot write %s: the name is too long", path);
    if (file_fill(made, bytes, mode, err) != 0) {
        (void)unlink(made);
        return -1;
    }
    if (rename(made, path) != 0) {
        (void)write_failed(path, err);
        (void)unlink(made);
        return -1;
    }
    return parent_sync(path, err);
}

/* --- directories ------------------------------------------------------------------------------ */

/* The directory that a path has led to so far. */
struct dir_walk {
    const char *path;
    size_t len; /* of the path, up to this directory */
    int fd;
    struct stat st;
};

static int walk_failed(const struct dir_walk *w, const char *what, struct err *err)
{
    return err_set(err, EX_CANTCREAT, "%s %.*s: %s", what, (int)w->len, w->path, strerror(errno));
}

/* Goes into a directory there is. Root is not led by another account's links: out of a directory
 * that belongs to another account, root goes into that account's only. */
static int walk_into(struct dir_walk *w, const char *name, int flags, struct err *err)
{
    int fd = openat(w->fd, name, flags | O_DIRECTORY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0) {
        (void)walk_failed(w, "cannot open the directory", err);
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    if (geteuid() == 0 && w->fd >= 0 && w->st.st_uid != 0 && st.st_uid != w->st.st_uid) {
        (void)close(fd);
        return err_set(err, EX_CANTCREAT,
                       "%.*s is in a directory of uid %u but leads to one of uid %u: remove it",
                       (int)w->len, w->path, (unsigned)w->st.st_uid, (unsigned)st.st_uid);
    }
    if (w->fd >= 0)
        (void)close(w->fd);
    w->fd = fd;
    w->st = st;
    return 0;
}

/* Makes it and goes into it. In a directory of another account, what root makes is that account's.
 */
static int walk_make(struct dir_walk *w, const char *name, mode_t mode, uid_t uid, gid_t gid,
                     struct err *err)
{
    int made;

    if (geteuid() == 0 && w->st.st_uid != 0) {
        uid = w->st.st_uid;
        gid = w->st.st_gid;
    }
    made = mkdirat(w->fd, name, 0700);
    if (made != 0 && errno != EEXIST)
        return walk_failed(w, "cannot make the directory", err);
    if (made != 0)
        return walk_into(w, name, O_PATH, err);
    w->st.st_uid = geteuid(); /* lets walk_into go into what was just made */
    if (walk_into(w, name, O_RDONLY | O_NOFOLLOW, err) != 0)
        return -1;
    errno = EPERM; /* it is another one by now */
    if (w->st.st_uid == geteuid() && fchmod(w->fd, mode) == 0 &&
        ((uid == (uid_t)-1 && gid == (gid_t)-1) || fchown(w->fd, uid, gid) == 0) &&
        fstat(w->fd, &w->st) == 0)
        return 0;
    return walk_failed(w, "cannot set owner and mode of", err);
}

static int walk_step(struct dir_walk *w, const char *name, mode_t mode, uid_t uid, gid_t gid,
                     struct err *err)
{
    struct stat st;

    if (fstatat(w->fd, name, &st, 0) == 0)
        return walk_into(w, name, O_PATH, err);
    if (errno != ENOENT)
        return walk_failed(w, "cannot make the directory", err);
    return walk_make(w, name, mode, uid, gid, err);
}

int file_make_dir(const char *path, mode_t mode, uid_t uid, gid_t gid, struct err *err)
{
    struct dir_walk w = {.path = path, .len = 1, .fd = -1};
    struct slice rest = slice_str(path), name;
    int done = walk_into(&w, path[0] == '/' ? "/" : ".", O_PATH, err);
    char part[NAME_MAX + 1];

    while (done == 0 && slice_word(&rest, "/", &name)) {
        struct slice more = rest, next;
        bool is_last = !slice_word(&more, "/", &next);

        w.len = (size_t)(name.ptr - path) + name.len;
        (void)snprintf(part, sizeof part, "%.*s", SLICE_FMT(name));
        if (name.len > NAME_MAX)
            done = err_set(err, EX_CANTCREAT, "cannot make %s: the name is too long", path);
        else
            done = walk_step(&w, part, is_last ? mode : 0755, uid, gid, err);
    }
    if (w.fd >= 0)
        (void)close(w.fd);
    return done;
}

uint64_t file_dir_bytes(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *entry;
    uint64_t bytes = 0;
    struct stat st;

    while (d != NULL && (entry = readdir(d)) != NULL) {
        if (fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            bytes += (uint64_t)st.st_size;
    }
    if (d != NULL)
        (void)closedir(d);
    return bytes;
}

uint64_t file_dir_free(const char *path)
{
    struct statvfs fs;

    return statvfs(path, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : 0;
}
