#include "t/sim/sim_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t/sim/sim_change.h"
#include "t/sim/sim_image.h"
#include "t/sim/sim_open.h"

#define DISKS_MAX 4
#define FILES_MAX 256
#define MADE_MAX  32
#define FRESH_MAX 32
#define PATH_ROOM SIM_PATH_ROOM

struct sim_disk {
    char dir[PATH_ROOM];
    struct random_source *random;
    struct sim_file files[FILES_MAX];
    size_t count;
    enum sim_fault fault;
    uint32_t calls, fails; /* until the fault; writes that fail yet */
    uint32_t seen;         /* calls */
    bool is_dead, has_lost_power;
    char made[MADE_MAX][PATH_ROOM]; /* files that are new since it died */
    size_t made_count;
    char fresh[FRESH_MAX][PATH_ROOM]; /* files whose names are not on the disk yet */
    size_t fresh_count;
};

static struct sim_disk *disks[DISKS_MAX];

/* --- the real calls -------------------------------------------------------------------------- */

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

/* --- disks and files ------------------------------------------------------------------------- */

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

void sim_disk_free(struct sim_disk *d)
{
    for (size_t i = 0; i < DISKS_MAX; i++) {
        if (disks[i] == d)
            disks[i] = NULL;
    }
    for (size_t i = 0; i < d->count; i++)
        sim_file_fini(&d->files[i]);
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

static bool is_fresh(const struct sim_disk *d, const char *path)
{
    bool is = false;

    for (size_t i = 0; i < d->fresh_count && !is; i++)
        is = strcmp(d->fresh[i], path) == 0;
    return is;
}

static void file_begin(const struct sim_disk *d, struct sim_file *f, const struct sim_open *o)
{
    sim_file_init(f, o);
    f->is_named = !is_fresh(d, o->path);
}

static struct sim_file *file_of(struct sim_disk *d, const struct sim_open *o)
{
    struct sim_file *f = NULL;

    for (size_t i = 0; i < d->count && f == NULL; i++)
        f = strcmp(d->files[i].path, o->path) == 0 ? &d->files[i] : NULL;
    if (f == NULL) {
        if (d->count == FILES_MAX)
            abort();
        f = &d->files[d->count++];
        file_begin(d, f, o);
    } else if (f->inode != o->inode || f->image != o->image) { /* another file of that name */
        sim_file_fini(f);
        file_begin(d, f, o);
    }
    return f;
}

/* --- faults ---------------------------------------------------------------------------------- */

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

uint32_t sim_disk_calls(const struct sim_disk *d)
{
    return d->seen;
}

void sim_disk_forget(struct sim_disk *d)
{
    for (size_t i = 0; i < d->count; i++)
        sim_file_fini(&d->files[i]);
    d->count = d->fresh_count = 0;
}

/* A process that runs on may make files; they go again. The names of others reach the disk with the
 * next sync. */
void sim_open_made(const char *path)
{
    struct sim_disk *d = disk_of_path(path);

    if (d == NULL)
        return;
    if (d->is_dead && d->made_count == MADE_MAX)
        abort();
    if (d->is_dead)
        (void)snprintf(d->made[d->made_count++], PATH_ROOM, "%s", path);
    else if (d->fresh_count < FRESH_MAX)
        (void)snprintf(d->fresh[d->fresh_count++], PATH_ROOM, "%s", path);
}

static void made_remove(struct sim_disk *d)
{
    for (size_t i = 0; i < d->made_count; i++) {
        struct sim_image *image = sim_image_find(d->made[i]);

        (void)REAL("unlink", unlink_call)(d->made[i]);
        if (image != NULL)
            sim_image_unlink(image);
    }
    d->made_count = 0;
}

bool sim_disk_revive(struct sim_disk *d)
{
    bool lost = d->has_lost_power;

    made_remove(d);
    for (size_t i = 0; i < d->count && lost; i++)
        sim_file_lose(&d->files[i], d->random);
    if (lost)
        d->fresh_count = 0;
    d->is_dead = d->has_lost_power = false;
    d->fails = 0;
    d->fault = SIM_NONE;
    return lost;
}

/* --- the calls ------------------------------------------------------------------------------- */

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
    struct sim_file *f;
    ssize_t done;

    if (call == NULL)
        call = REAL("write", write_call);
    if (d == NULL)
        return call(fd, bytes, len);
    done = before_write(d, &kept);
    if (done != -1)
        return done == -2 ? -1 : done;
    f = file_of(d, o);
    sim_file_keep(f, fd);
    sim_file_write(f, end_of(fd), bytes, kept); /* all such files are appended to */
    return call(fd, bytes, kept) < 0 ? -1 : (ssize_t)len;
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at);
ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
    struct sim_disk *d;
    const struct sim_open *o = open_of(fd, &d);
    size_t kept = len;
    struct sim_file *f;
    ssize_t done;

    if (d == NULL)
        return real_pwrite(fd, bytes, len, at);
    done = before_write(d, &kept);
    if (done != -1)
        return done == -2 ? -1 : done;
    f = file_of(d, o);
    sim_file_keep(f, fd);
    sim_file_write(f, at, bytes, kept);
    return real_pwrite(fd, bytes, kept, at) < 0 ? -1 : (ssize_t)len;
}

int ftruncate64(int fd, off_t len);
int ftruncate64(int fd, off_t len)
{
    static cut_call call;
    struct sim_disk *d;
    const struct sim_open *o = open_of(fd, &d);
    enum sim_fault fault;
    struct sim_file *f;

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
    sim_file_keep(f, fd);
    sim_file_cut(f, (size_t)len);
    return call(fd, len);
}

/* A sync of one file brings the names of all to the disk. */
static int path_sync(struct sim_disk *d, const char *path)
{
    enum sim_fault fault = d == NULL || d->is_dead ? SIM_NONE : fault_now(d, true);

    if (d == NULL || d->is_dead)
        return 0;
    if (fault == SIM_SYNC_FAILS) {
        errno = EIO;
        return -1;
    }
    d->fresh_count = 0;
    for (size_t i = 0; i < d->count; i++) {
        d->files[i].is_named = true;
        if (strcmp(d->files[i].path, path) == 0)
            sim_file_sync(&d->files[i]);
    }
    return 0;
}

static int synced(int fd)
{
    struct sim_disk *d;
    const struct sim_open *o = open_of(fd, &d);

    return path_sync(d, o != NULL ? o->path : "");
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

/* --- the same with an image ------------------------------------------------------------------ */

static struct sim_open of_image(struct sim_image *i)
{
    struct sim_open o = {.image = i};

    (void)snprintf(o.path, sizeof o.path, "%s", i->path);
    return o;
}

int sim_disk_image_write(struct sim_image *i, size_t at, const void *bytes, size_t len)
{
    struct sim_disk *d = disk_of_path(i->path);
    struct sim_open o = of_image(i);
    struct sim_file *f;
    ssize_t done = d == NULL ? -1 : before_write(d, &len);

    if (done != -1)
        return done == -2 ? -1 : 0;
    if (d != NULL) {
        f = file_of(d, &o);
        sim_file_keep(f, -1);
        sim_file_write(f, (off_t)at, bytes, len);
    }
    sim_image_write(i, at, bytes, len);
    return 0;
}

void sim_disk_image_cut(struct sim_image *i, size_t len)
{
    struct sim_disk *d = disk_of_path(i->path);
    enum sim_fault fault = d == NULL || d->is_dead ? SIM_NONE : fault_now(d, false);
    struct sim_open o = of_image(i);
    struct sim_file *f;

    if (d != NULL && (d->is_dead || fault == SIM_KILL || fault == SIM_TORN || fault == SIM_POWER))
        return;
    if (d != NULL) {
        f = file_of(d, &o);
        sim_file_keep(f, -1);
        sim_file_cut(f, len);
    }
    sim_image_resize(i, len);
}

int sim_disk_image_sync(const struct sim_image *i)
{
    return path_sync(disk_of_path(i->path), i->path);
}

void sim_disk_image_unlink(struct sim_image *i)
{
    struct sim_disk *d = disk_of_path(i->path);
    enum sim_fault fault = d == NULL || d->is_dead ? SIM_NONE : fault_now(d, true);

    if (d == NULL || (!d->is_dead && fault != SIM_SYNC_FAILS))
        sim_image_unlink(i);
}

bool sim_disk_has(const char *path)
{
    return disk_of_path(path) != NULL;
}
