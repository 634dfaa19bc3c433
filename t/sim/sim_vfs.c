#include "t/sim/sim_vfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/sim/sim_disk.h"
#include "t/sim/sim_image.h"
#include "t/sim/sim_open.h"

#define SECTOR_BYTES 4096
#define REGIONS_MAX  8
#define PATH_ROOM    300
#define WAL_MARK_AT  18 /* of the database's head: 2 with a write-ahead log */

/* image NULL: taken away. */
struct handle {
    sqlite3_file base;
    struct sim_image *image;
    void *regions[REGIONS_MAX];
    size_t region_bytes;
};

static sqlite3_vfs *kernel, ours;

static struct handle *handle_of(sqlite3_file *f)
{
    return (struct handle *)f;
}

/* --- a file ---------------------------------------------------------------------------------- */

static void regions_free(struct handle *h)
{
    for (size_t i = 0; i < REGIONS_MAX; i++) {
        free(h->regions[i]);
        h->regions[i] = NULL;
    }
}

static int file_close(sqlite3_file *f)
{
    regions_free(handle_of(f));
    sim_image_release(handle_of(f)->image);
    handle_of(f)->image = NULL;
    return SQLITE_OK;
}

static int file_read(sqlite3_file *f, void *to, int len, sqlite3_int64 at)
{
    const struct sim_image *i = handle_of(f)->image;
    size_t want = (size_t)len, found = i->len > (size_t)at ? i->len - (size_t)at : 0;

    found = found < want ? found : want;
    if (found > 0)
        memcpy(to, i->bytes + at, found);
    memset((char *)to + found, 0, want - found);
    return found == want ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *f, const void *from, int len, sqlite3_int64 at)
{
    if (sim_disk_image_write(handle_of(f)->image, (size_t)at, from, (size_t)len) < 0)
        return SQLITE_FULL;
    return SQLITE_OK;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 len)
{
    sim_disk_image_cut(handle_of(f)->image, (size_t)len);
    return SQLITE_OK;
}

static int file_sync(sqlite3_file *f, int flags)
{
    (void)flags;
    return sim_disk_image_sync(handle_of(f)->image) < 0 ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *len)
{
    *len = (sqlite3_int64)handle_of(f)->image->len;
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *f, int level)
{
    (void)f;
    (void)level;
    return SQLITE_OK;
}

static int file_is_reserved(sqlite3_file *f, int *is_reserved)
{
    (void)f;
    *is_reserved = 0;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *f, int what, void *argument)
{
    (void)f;
    (void)what;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *f)
{
    (void)f;
    return SECTOR_BYTES;
}

static int file_traits(sqlite3_file *f)
{
    (void)f;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* --- the memory that goes with a write-ahead log --------------------------------------------- */

static int memory_map(sqlite3_file *f, int region, int bytes, int is_made, void volatile **at)
{
    struct handle *h = handle_of(f);

    if (region >= REGIONS_MAX)
        abort();
    h->region_bytes = (size_t)bytes;
    if (h->regions[region] == NULL && is_made) {
        h->regions[region] = calloc(1, (size_t)bytes);
        if (h->regions[region] == NULL)
            abort();
    }
    *at = h->regions[region];
    return SQLITE_OK;
}

static int memory_lock(sqlite3_file *f, int offset, int count, int flags)
{
    (void)f;
    (void)offset;
    (void)count;
    (void)flags;
    return SQLITE_OK;
}

static void memory_barrier(sqlite3_file *f)
{
    (void)f;
}

static int memory_unmap(sqlite3_file *f, int is_deleted)
{
    (void)is_deleted;
    regions_free(handle_of(f));
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {.iVersion = 2,
                                           .xClose = file_close,
                                           .xRead = file_read,
                                           .xWrite = file_write,
                                           .xTruncate = file_truncate,
                                           .xSync = file_sync,
                                           .xFileSize = file_size,
                                           .xLock = file_lock,
                                           .xUnlock = file_lock,
                                           .xCheckReservedLock = file_is_reserved,
                                           .xFileControl = file_control,
                                           .xSectorSize = file_sector,
                                           .xDeviceCharacteristics = file_traits,
                                           .xShmMap = memory_map,
                                           .xShmLock = memory_lock,
                                           .xShmBarrier = memory_barrier,
                                           .xShmUnmap = memory_unmap};

/* --- names ----------------------------------------------------------------------------------- */

static struct sim_image *image_of(const char *path)
{
    struct sim_image *i = sim_image_find(path);

    if (i != NULL)
        return i;
    sim_open_made(path);
    return sim_image_make(path);
}

static int vfs_open(sqlite3_vfs *v, const char *path, sqlite3_file *f, int flags, int *out)
{
    struct handle *h = handle_of(f);

    (void)v;
    if (path == NULL || !sim_disk_has(path))
        return kernel->xOpen(kernel, path, f, flags, out);
    *h = (struct handle){.image = image_of(path)};
    sim_image_hold(h->image);
    h->base.pMethods = &methods;
    if (out != NULL)
        *out = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *v, const char *path, int is_synced)
{
    struct sim_image *i;

    (void)v;
    if (!sim_disk_has(path))
        return kernel->xDelete(kernel, path, is_synced);
    i = sim_image_find(path);
    if (i == NULL)
        return SQLITE_IOERR_DELETE_NOENT;
    sim_disk_image_unlink(i);
    return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *v, const char *path, int what, int *is_there)
{
    (void)v;
    if (!sim_disk_has(path))
        return kernel->xAccess(kernel, path, what, is_there);
    *is_there = sim_image_find(path) != NULL;
    return SQLITE_OK;
}

/* All of ours are whole, and lead through no links. */
static int vfs_path(sqlite3_vfs *v, const char *path, int room, char *whole)
{
    (void)v;
    if (!sim_disk_has(path))
        return kernel->xFullPathname(kernel, path, room, whole);
    (void)snprintf(whole, (size_t)room, "%s", path);
    return SQLITE_OK;
}

void sim_vfs_begin(void)
{
    kernel = sqlite3_vfs_find(NULL);
    ours = *kernel;
    ours.zName = "simulated";
    ours.pNext = NULL;
    ours.xOpen = vfs_open;
    ours.xDelete = vfs_delete;
    ours.xAccess = vfs_access;
    ours.xFullPathname = vfs_path;
    if (ours.szOsFile < (int)sizeof(struct handle))
        ours.szOsFile = (int)sizeof(struct handle);
    if (sqlite3_vfs_register(&ours, 1) != SQLITE_OK)
        abort();
}

/* --- a connection that gets other files ------------------------------------------------------ */

static struct handle *part_of(sqlite3 *db, int which)
{
    sqlite3_file *f = NULL;

    if (sqlite3_file_control(db, "main", which, &f) != SQLITE_OK || f == NULL ||
        f->pMethods != &methods)
        return NULL;
    return handle_of(f);
}

static void image_set(struct handle *h, struct sim_image *i)
{
    if (i != NULL)
        sim_image_hold(i);
    sim_image_release(h->image);
    h->image = i;
}

static bool is_log(const struct handle *h)
{
    size_t len = h != NULL && h->image != NULL ? strlen(h->image->path) : 0;

    return len > 4 && strcmp(h->image->path + len - 4, "-wal") == 0;
}

bool sim_vfs_take(sqlite3 *db)
{
    struct handle *file = part_of(db, SQLITE_FCNTL_FILE_POINTER);
    struct handle *log = part_of(db, SQLITE_FCNTL_JOURNAL_POINTER);

    if (file == NULL || !is_log(log))
        return false;
    if (sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) == SQLITE_OK)
        sim_disk_image_unlink(log->image);
    image_set(file, NULL);
    image_set(log, NULL);
    return true;
}

bool sim_vfs_give(sqlite3 *db, const char *path)
{
    struct handle *file = part_of(db, SQLITE_FCNTL_FILE_POINTER);
    struct handle *log = part_of(db, SQLITE_FCNTL_JOURNAL_POINTER);
    const struct sim_image *main = sim_image_find(path);
    char other[PATH_ROOM];

    (void)snprintf(other, sizeof other, "%s-journal", path);
    if (file == NULL || log == NULL || main == NULL || main->len <= WAL_MARK_AT ||
        main->bytes[WAL_MARK_AT] != 2 || sim_image_find(other) != NULL)
        return false;
    (void)snprintf(other, sizeof other, "%s-wal", path);
    image_set(file, sim_image_find(path));
    image_set(log, image_of(other));
    for (size_t i = 0; i < REGIONS_MAX; i++) {
        if (file->regions[i] != NULL)
            memset(file->regions[i], 0, file->region_bytes);
    }
    return true;
}
