#include "lib/billing/bill_book.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/billing/bill_mirror.h"
#include "lib/sys/files.h"
#include "lib/sys/lock_file.h"

#define PATH_BYTES   1200
#define LOCK_WAIT_MS 60000
#define CHAINS_BYTES (BILL_CHAIN_BYTES * 8) /* this host's and that of Redis */

/* --- files ----------------------------------------------------------------------------------- */

static void path_of(const struct bill_book *b, struct slice name, const char *ending,
                    char path[PATH_BYTES])
{
    (void)snprintf(path, PATH_BYTES, "%s/periods/%.*s%s", b->settings->state_dir, SLICE_FMT(name),
                   ending);
}

/* ptr NULL: there is none, or this user may not read it (others read what Redis has). */
static int read_file(const struct bill_book *b, const char *path, size_t cap, struct slice *out,
                     struct err *err)
{
    struct buf text;
    int result = 0;

    *out = SLICE_NONE;
    if (access(path, R_OK) != 0)
        return errno == ENOENT || !b->may_write
                   ? 0
                   : err_set(err, EX_NOINPUT, "cannot read %s: %s", path, strerror(errno));
    buf_init(&text, cap);
    result = file_read(path, &text, err);
    if (result == 0)
        *out = arena_copy(b->arena, buf_slice(&text));
    if (result == 0 && out->ptr == NULL)
        result = err_set(err, EX_OSERR, "out of memory");
    buf_fini(&text);
    return result;
}

/* A line that a kill cut off is taken away; it is in Redis, and comes from there. */
static int audit_read(struct bill_book *b, struct err *err)
{
    char path[PATH_BYTES];
    struct slice text;

    path_of(b, SLICE("audit"), "", path);
    if (read_file(b, path, BILL_CHAIN_BYTES, &text, err) != 0)
        return -1;
    if (bill_chain_parse(text, b->arena, &b->chain, err) != 0)
        return err_prefix(err, "%s", path);
    if (b->may_write && b->chain.text_bytes < text.len &&
        truncate(path, (off_t)b->chain.text_bytes) != 0)
        return err_set(err, EX_CANTCREAT, "cannot write %s: %s", path, strerror(errno));
    return 0;
}

static bool append(int fd, struct slice line, int dir)
{
    struct stat st, owner;

    /* Root writes for the account that state_dir belongs to. */
    if (fstat(fd, &st) != 0 || fstat(dir, &owner) != 0 ||
        (geteuid() == 0 && st.st_uid == 0 && owner.st_uid != 0 &&
         fchown(fd, owner.st_uid, owner.st_gid) != 0))
        return false;
    return file_write_fd(fd, line) && fsync(fd) == 0 && fsync(dir) == 0;
}

static int audit_append(const struct bill_book *b, const struct bill_entry *e, struct err *err)
{
    char path[PATH_BYTES], folder[PATH_BYTES];
    int fd, dir;
    struct buf line;
    bool good;

    path_of(b, SLICE("audit"), "", path);
    path_of(b, SLICE_NONE, "", folder);
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fd = openat(dir, "audit", O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
    buf_init(&line, BILL_CHAIN_BYTES);
    bill_chain_print(e, &line);
    good = dir >= 0 && fd >= 0 && append(fd, buf_slice(&line), dir);
    if (!good)
        (void)err_set(err, EX_CANTCREAT, "cannot write %s: %s", path, strerror(errno));
    buf_fini(&line);
    if (fd >= 0)
        (void)close(fd);
    if (dir >= 0)
        (void)close(dir);
    return good ? 0 : -1;
}

static int write_file(const struct bill_book *b, struct slice month, struct slice file,
                      struct err *err)
{
    char path[PATH_BYTES];

    path_of(b, month, ".csv", path);
    return file_write(path, file, 0440, err);
}

/* --- host and Redis -------------------------------------------------------------------------- */

static int differs(const struct bill_book *b, const struct bill_entry *here,
                   const struct bill_entry *there, struct err *err)
{
    return err_set(err, EX_DATAERR,
                   "%.*s is closed otherwise in %s/periods/audit (%.16s) than in Redis (%.16s): "
                   "keep the one that bills were made of",
                   SLICE_FMT(here->month), b->settings->state_dir, here->hash.ptr, there->hash.ptr);
}

/* What another host has closed. */
static int fetch(struct bill_book *b, const struct bill_entry *e, struct err *err)
{
    size_t at = b->chain.count;
    struct slice file;

    if (bill_chain_add(&b->chain, e, b->arena, err) != 0)
        return -1;
    if (!b->may_write)
        return 0;
    if (bill_mirror_file(b->reader, e, b->arena, &file, err) != 0)
        return -1;
    if (file.ptr == NULL || !bill_chain_matches(&b->chain, at, file))
        return err_set(err, EX_DATAERR,
                       "redis at %s: the file of %.*s is not the one that was closed",
                       store_where(b->reader->store), SLICE_FMT(e->month));
    if (write_file(b, e->month, file, err) != 0)
        return -1;
    return audit_append(b, e, err);
}

/* What Redis has lost. */
static int give_back(struct bill_book *b, size_t i, struct err *err)
{
    struct slice file;

    if (!b->may_write)
        return 0;
    if (bill_book_file(b, i, &file, err) != 0)
        return -1;
    return bill_mirror_add(b->reader, &b->chain.items[i], file, err) < 0 ? -1 : 0;
}

static int meet(struct bill_book *b, struct err *err)
{
    size_t here = b->chain.count;
    struct bill_chain there;

    if (bill_mirror_read(b->reader, b->arena, &there, err) != 0)
        return -1;
    for (size_t i = 0; i < there.count; i++) {
        const struct bill_entry *e = bill_chain_find(&b->chain, there.items[i].month);

        if (e != NULL && !slice_equal(e->hash, there.items[i].hash))
            return differs(b, e, &there.items[i], err);
        if (e == NULL && fetch(b, &there.items[i], err) != 0)
            return -1;
    }
    for (size_t i = 0; i < here; i++) {
        if (bill_chain_find(&there, b->chain.items[i].month) == NULL && give_back(b, i, err) != 0)
            return -1;
    }
    return 0;
}

/* --------------------------------------------------------------------------------------------- */

static int lock(struct bill_book *b, struct err *err)
{
    char path[PATH_BYTES];
    struct stat st;
    bool exists = stat(b->settings->state_dir, &st) == 0;

    path_of(b, SLICE_NONE, "", path);
    if (file_make_dir(path, 0750, exists && geteuid() == 0 ? st.st_uid : (uid_t)-1,
                      exists && geteuid() == 0 ? st.st_gid : (gid_t)-1, err) != 0)
        return -1;
    path_of(b, SLICE("lock"), "", path);
    b->lock = lock_file_take(path, LOCK_WAIT_MS, err);
    if (b->lock < 0)
        return -1;
    lock_file_sign(b->lock);
    return 0;
}

int bill_book_open(struct bill_book *b, const struct settings *s, struct reader *r,
                   struct arena *arena, bool may_write, struct err *err)
{
    *b = (struct bill_book){
        .settings = s, .reader = r, .arena = arena, .may_write = may_write, .lock = -1};
    if ((may_write && lock(b, err) != 0) || audit_read(b, err) != 0 || meet(b, err) != 0) {
        bill_book_close(b);
        return -1;
    }
    return 0;
}

void bill_book_close(struct bill_book *b)
{
    if (b->lock >= 0)
        (void)close(b->lock);
    b->lock = -1;
}

int bill_book_is_closed(const struct settings *s, struct reader *r, struct slice month,
                        bool *is_closed, struct err *err)
{
    struct bill_book book;
    struct arena arena;
    int result;

    arena_init(&arena, CHAINS_BYTES);
    result = bill_book_open(&book, s, r, &arena, false, err);
    if (result == 0) {
        *is_closed = bill_chain_find(&book.chain, month) != NULL;
        bill_book_close(&book);
    }
    arena_fini(&arena);
    return result;
}

int bill_book_file(const struct bill_book *b, size_t i, struct slice *file, struct err *err)
{
    const struct bill_entry *e = &b->chain.items[i];
    char path[PATH_BYTES];

    path_of(b, e->month, ".csv", path);
    if (read_file(b, path, BILL_BYTES, file, err) != 0)
        return -1;
    if (file->ptr == NULL && bill_mirror_file(b->reader, e, b->arena, file, err) != 0)
        return -1;
    if (file->ptr == NULL)
        return err_set(err, EX_NOINPUT,
                       "%s is gone, and Redis has no copy: take it from a backup, or from a host "
                       "that has closed or exported the period",
                       path);
    if (!bill_chain_matches(&b->chain, i, *file))
        return err_set(err, EX_DATAERR,
                       "%s is not the file that was closed (hash %.16s): take it from a backup",
                       path, e->hash.ptr);
    return 0;
}

int bill_book_bill(const struct bill_book *b, size_t i, struct bill *out, struct err *err)
{
    struct slice file;

    if (bill_book_file(b, i, &file, err) != 0)
        return -1;
    return bill_parse(file, b->arena, out, err);
}

int bill_book_draft(const struct bill_book *b, struct slice month, struct slice *file,
                    struct err *err)
{
    char path[PATH_BYTES];

    path_of(b, month, ".csv", path);
    return read_file(b, path, BILL_BYTES, file, err);
}

int bill_book_add(struct bill_book *b, const struct bill_entry *e, struct slice file,
                  struct err *err)
{
    int result;

    if (write_file(b, e->month, file, err) != 0)
        return -1;
    result = bill_mirror_add(b->reader, e, file, err);
    if (result != 0)
        return result < 0 || meet(b, err) != 0 ? -1 : 1;
    if (audit_append(b, e, err) != 0)
        return -1;
    return bill_chain_add(&b->chain, e, b->arena, err);
}
