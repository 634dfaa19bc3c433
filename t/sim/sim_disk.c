#include "t/sim/sim_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t/sim/sim_open.h"

#define DISKS_MAX 4
#define FILES_MAX 256
#define MADE_MAX  32
#define PATH_ROOM SIM_PATH_ROOM

/* A change that is not on the disk yet. */
struct change {
    struct change *next;
    off_t offset; /* -1: cut to `len` */
    size_t len;
    char bytes[];
};

struct file {
    char path[PATH_ROOM];
    ino_t inode;
    char *synced; /* what was on the disk at the last sync; NULL: to be read from
                     the file */
    size_t synced_len, synced_room;
    bool is_named; /* on the disk */
    struct change *first, **last;
};

struct sim_disk {
    char dir[PATH_ROOM];
    struct random_source *random;
    struct file files[FILES_MAX];
    size_t count;
    enum sim_fault fault;
    uint32_t calls, fails; /* until the fault; writes that fail yet */
    uint32_t seen;         /* calls */
    bool is_dead, has_lost_power;
    char made[MADE_MAX][PATH_ROOM]; /* files that are new since it died */
    size_t made_count;
};

static struct sim_disk *disks[DISKS_MAX];

/* --- the real calls
 * -------------------------------------------------------------------------- */

#define REAL(name, type) ((type)sim_real(name))

typedef ssize_t (*write_call)(int, const void *, size_t);
typedef ssize_t (*pwrite_call)(int, const void *, size_t, off_t);
typedef int (*cut_call)(int, off_t);
typedef int (*sync_call)(int);
typedef int (*unlink_call)(const char *);

static ssize_t real_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    static pwrite_call call;

    if (call == NULL)
        call = REAL("pwrite64", pwrite_call);
    return call(fd, bytes, len, at);
}

/* --- disks and files
 * ------------------------------------------------------------------------- */

struct sim_disk *sim_disk_new(const char *dir, struct random_source *random)
{
    struct sim_disk *d = calloc(1, sizeof *d);
    size_t i = 0;

    while (disks[i] != NULL)
        i++;
    if (d == NULL || i >= DISKS_MAX)
        abort();
    (void)snprintf(d->dir, sizeof d->dir, "%s/", dir);
    d->random = random;
    disks[i] = d;
    return d;
}

static void changes_free(struct file *f)
{
    while (f->first != NULL) {
        struct change *next = f->first->next;

        free(f->first);
        f->first = next;
    }
    f->last = &f->first;
}

static void changes_drop(struct file *f)
{
    changes_free(f);
    free(f->synced);
    f->synced = NULL;
    f->synced_room = 0;
}

/* Makes it so long; what is new of it is zero. */
static void synced_resize(struct file *f, size_t len)
{
    if (len > f->synced_room || f->synced == NULL) {
        f->synced_room = 2 * len + 1;
        f->synced = realloc(f->synced, f->synced_room);
        if (f->synced == NULL)
            abort();
    }
    if (len > f->synced_len)
        memset(f->synced + f->synced_len, 0, len - f->synced_len);
    f->synced_len = len;
}

static void changes_sync(struct file *f)
{
    for (const struct change *c = f->first; c != NULL; c = c->next) {
        size_t end = c->offset < 0 ? c->len : (size_t)c->offset + c->len;

        if (c->offset < 0 || end > f->synced_len)
            synced_resize(f, end);
        if (c->offset >= 0)
            memcpy(f->synced + c->offset, c->bytes, c->len);
    }
    changes_free(f);
}

void sim_disk_free(struct sim_disk *d)
{
    for (size_t i = 0; i < DISKS_MAX; i++) {
        if (disks[i] == d)
            disks[i] = NULL;
    }
    for (size_t i = 0; i < d->count; i++)
        changes_drop(&d->files[i]);
    free(d);
}

static struct sim_disk *disk_of_path(const char *path)
{
    for (size_t i = 0; i < DISKS_MAX; i++) {
        if (disks[i] != NULL && strncmp(path, disks[i]->dir, strlen(disks[i]->dir)) == 0)
            return disks[i];
    }
    return NULL;
}

/* A disk is looked for each time: they come and go. */
static const struct sim_open *open_of(int fd, struct sim_disk **disk)
{
    const struct sim_open *o = sim_open_of(fd);

    *disk = o != NULL ? disk_of_path(o->path) : NULL;
    return *disk != NULL ? o : NULL;
}

static struct file *file_of(struct sim_disk *d, const struct sim_open *o)
{
    struct file *f = NULL;

    for (size_t i = 0; i < d->count && f == NULL; i++)
        f = strcmp(d->files[i].path, o->path) == 0 ? &d->files[i] : NULL;
    if (f == NULL) {
        if (d->count == FILES_MAX)
            abort();
        f = &d->files[d->count++];
        (void)snprintf(f->path, PATH_ROOM, "%s", o->path);
        f->last = &f->first;
        f->inode = o->inode;
    } else if (f->inode != o->inode) { /* another file of that name */
        changes_drop(f);
        f->inode = o->inode;
        f->is_named = false;
    }
    return f;
}

/* Before the first change since the last sync; a file of another length was
 * opened to be emptied. */
static void synced_keep(struct file *f, int fd)
{
    struct stat st;
    int in;

    if (f->first != NULL || fstat(fd, &st) != 0 ||
        (f->synced != NULL && f->synced_len == (size_t)st.st_size))
        return;
    f->synced_len = 0;
    synced_resize(f, (size_t)st.st_size);
    in = open(f->path, O_RDONLY | O_CLOEXEC);
    if (in >= 0 && pread(in, f->synced, f->synced_len, 0) != (ssize_t)f->synced_len)
        abort();
    if (in >= 0)
        (void)close(in);
}

static void change_add(struct file *f, off_t offset, const void *bytes, size_t len)
{
    struct change *c = malloc(sizeof *c + (bytes != NULL ? len : 0));

    if (c == NULL)
        abort();
    *c = (struct change){.offset = offset, .len = len};
    if (bytes != NULL)
        memcpy(c->bytes, bytes, len);
    *f->last = c;
    f->last = &c->next;
}

/* --- faults
 * ----------------------------------------------------------------------------------
 */

void sim_disk_plan(struct sim_disk *d, enum sim_fault fault, uint32_t calls)
{
    d->fault = fault;
    d->calls = calls;
}

void sim_disk_kill(struct sim_disk *d, bool power)
{
    d->is_dead = true;
    d->has_lost_power = power;
    d->fault = SIM_NONE;
}

bool sim_disk_is_dead(const struct sim_disk *d)
{
    return d->is_dead;
}

/* The fault that this call meets. */
static enum sim_fault fault_now(struct sim_disk *d, bool is_sync)
{
    enum sim_fault fault = d->fault;

    d->seen++;
    if (d->fails > 0 && !is_sync) {
        d->fails--;
        return SIM_FULL;
    }
    if (fault == SIM_NONE || (fault == SIM_SYNC_FAILS && !is_sync) ||
        (fault == SIM_FULL && is_sync) || d->calls-- > 0)
        return SIM_NONE;
    d->calls = 0;
    d->fault = SIM_NONE;
    if (fault == SIM_FULL)
        d->fails = 2;
    if (fault == SIM_KILL || fault == SIM_TORN || fault == SIM_POWER)
        sim_disk_kill(d, fault == SIM_POWER);
    return fault;
}

/* --- after a loss of power
 * ------------------------------------------------------------------- */

static void bytes_put(int fd, const struct change *c, size_t len)
{
    static cut_call cut;

    if (cut == NULL)
        cut = REAL("ftruncate64", cut_call);
    if (c->offset < 0 ? cut(fd, (off_t)c->len) != 0
                      : real_pwrite(fd, c->bytes, len, c->offset) != (ssize_t)len)
        abort();
}

/* Those that reach the disk: of a journal the first ones, the last of them
 * half. */
static void changes_put(struct sim_disk *d, struct file *f, int fd)
{
    bool is_journal = strstr(f->path, ".journal") != NULL;
    uint32_t share = random_below(d->random, 5); /* quarters */

    for (struct change *c = f->first; c != NULL; c = c->next) {
        if (random_below(d->random, 4) < share) {
            bytes_put(fd, c, c->len);
        } else if (is_journal) {
            if (c->offset >= 0)
                bytes_put(fd, c, random_below(d->random, (uint32_t)c->len + 1));
            break;
        }
    }
}

static void file_lose(struct sim_disk *d, struct file *f)
{
    static cut_call cut;
    struct stat st;
    int fd;

    if (cut == NULL)
        cut = REAL("ftruncate64", cut_call);
    if (stat(f->path, &st) != 0 || st.st_ino != f->inode || f->first == NULL)
        return;
    if (!f->is_named && random_below(d->random, 2) == 0) {
        (void)REAL("unlink", unlink_call)(f->path);
        return;
    }
    fd = open(f->path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || cut(fd, 0) != 0 ||
        real_pwrite(fd, f->synced, f->synced_len, 0) != (ssize_t)f->synced_len)
        abort();
    changes_put(d, f, fd);
    (void)close(fd);
}

uint32_t sim_disk_calls(const struct sim_disk *d)
{
    return d->seen;
}

void sim_disk_forget(struct sim_disk *d)
{
    for (size_t i = 0; i < d->count; i++)
        changes_drop(&d->files[i]);
    d->count = 0;
}

/* A process that runs on may make files; they go again. */
void sim_open_made(const char *path)
{
    struct sim_disk *d = disk_of_path(path);

    if (d == NULL || !d->is_dead)
        return;
    if (d->made_count == MADE_MAX)
        abort();
    (void)snprintf(d->made[d->made_count++], PATH_ROOM, "%s", path);
}

static void made_remove(struct sim_disk *d)
{
    for (size_t i = 0; i < d->made_count; i++)
        (void)REAL("unlink", unlink_call)(d->made[i]);
    d->made_count = 0;
}

bool sim_disk_revive(struct sim_disk *d)
{
    bool lost = d->has_lost_power;

    made_remove(d);
    for (size_t i = 0; i < d->count && lost; i++) {
        file_lose(d, &d->files[i]);
        changes_drop(&d->files[i]);
        d->files[i].is_named = true;
    }
    d->is_dead = d->has_lost_power = false;
    d->fails = 0;
    d->fault = SIM_NONE;
    return lost;
}

/* --- the calls
 * -------------------------------------------------------------------------------
 */

/* -1: to be done as asked; else what the call returns. *len may become less. */
static ssize_t before_write(struct sim_disk *d, size_t *len)
{
    enum sim_fault fault;

    if (d->is_dead)
        return (ssize_t)*len;
    fault = fault_now(d, false);
    if (fault == SIM_TORN)
        *len = random_below(d->random, (uint32_t)*len + 1);
    if (fault == SIM_KILL || fault == SIM_POWER)
        return (ssize_t)*len;
    if (fault != SIM_FULL)
        return -1;
    errno = ENOSPC;
    return -2;
}

static off_t end_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? st.st_size : 0;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    static write_call call;
    struct sim_disk *d;
    const struct sim_open *o = open_of(fd, &d);
    size_t kept = len;
    struct file *f;
    ssize_t done;

    if (call == NULL)
        call = REAL("write", write_call);
    if (d == NULL)
        return call(fd, bytes, len);
    done = before_write(d, &kept);
    if (done != -1)
        return done == -2 ? -1 : done;
    f = file_of(d, o);
    synced_keep(f, fd);
    change_add(f, end_of(fd), bytes, kept); /* all such files are appended to */
    return call(fd, bytes, kept) < 0 ? -1 : (ssize_t)len;
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at);
ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
    struct sim_disk *d;
    const struct sim_open *o = open_of(fd, &d);
    size_t kept = len;
    struct file *f;
    ssize_t done;

    if (d == NULL)
        return real_pwrite(fd, bytes, len, at);
    done = before_write(d, &kept);
    if (done != -1)
        return done == -2 ? -1 : done;
    f = file_of(d, o);
    synced_keep(f, fd);
    change_add(f, at, bytes, kept);
    return real_pwrite(fd, bytes, kept, at) < 0 ? -1 : (ssize_t)len;
}

int ftruncate64(int fd, off_t len);
int ftruncate64(int fd, off_t len)
{
    static cut_call call;
    struct sim_disk *d;
    const struct sim_open *o = open_of(fd, &d);
    enum sim_fault fault;
    struct file *f;

    if (call == NULL)
        call = REAL("ftruncate64", cut_call);
    if (d == NULL)
        return call(fd, len);
    if (d->is_dead)
        return 0;
    fault = fault_now(d, false);
    if (fault == SIM_KILL || fault == SIM_TORN || fault == SIM_POWER)
        return 0;
    f = file_of(d, o);
    synced_keep(f, fd);
    change_add(f, -1, NULL, (size_t)len);
    return call(fd, len);
}

static int synced(int fd)
{
    struct sim_disk *d;
    const struct sim_open *o = open_of(fd, &d);
    enum sim_fault fault = d == NULL || d->is_dead ? SIM_NONE : fault_now(d, true);

    if (d == NULL || d->is_dead)
        return 0;
    if (fault == SIM_SYNC_FAILS) {
        errno = EIO;
        return -1;
    }
    for (size_t i = 0; i < d->count; i++) {
        d->files[i].is_named = true;
        if (strcmp(d->files[i].path, o->path) == 0)
            changes_sync(&d->files[i]);
    }
    return 0;
}

int fsync(int fd)
{
    return synced(fd);
}

int fdatasync(int fd)
{
    return synced(fd);
}

int unlink(const char *path)
{
    static unlink_call call;
    struct sim_disk *d = disk_of_path(path);
    enum sim_fault fault = d == NULL || d->is_dead ? SIM_NONE : fault_now(d, true);

    if (call == NULL)
        call = REAL("unlink", unlink_call);
    if (d != NULL && (d->is_dead || fault == SIM_SYNC_FAILS))
        return 0;
    return call(path);
}
