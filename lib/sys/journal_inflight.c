#include "lib/sys/journal_inflight.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/mutex.h"

#define MAGIC   "tg-fly\r\n"
#define VERSION 1

/* The file. It never leaves the machine, so integers are in its own order. */
struct inflight_head {
    char magic[8];
    uint32_t version, slots;
};

struct inflight_table {
    struct inflight_head head;
    uint64_t in_doubt_count;
    uint64_t in_doubt[INFLIGHT_SLOTS];
    _Atomic uint64_t slot[INFLIGHT_SLOTS]; /* number of the record; 0: none */
};

MUTEX_NAME(inflight_lock)

struct inflight {
    struct inflight_table *table;
    struct mutex lock;
    int free_count MUTEX_GUARDS(inflight_lock);
    int free_slots[INFLIGHT_SLOTS] MUTEX_GUARDS(inflight_lock); /* the last one is taken first */
};

/* All blocks are allocated at once: a store into a hole on a full disk would be a SIGBUS. */
static int file_make(int fd, const char *path, struct err *err)
{
    struct inflight_table *empty = calloc(1, sizeof *empty);
    int failed;
    ssize_t written;

    if (empty == NULL)
        return err_set(err, EX_OSERR, "cannot make %s: out of memory", path);
    memcpy(empty->head.magic, MAGIC, sizeof empty->head.magic);
    empty->head.version = VERSION;
    empty->head.slots = INFLIGHT_SLOTS;
    failed = ftruncate(fd, 0) != 0 ? errno : posix_fallocate(fd, 0, sizeof *empty);
    written = failed != 0 ? -1 : pwrite(fd, empty, sizeof *empty, 0);
    if (failed == 0 && written != (ssize_t)sizeof *empty)
        failed = written < 0 ? errno : ENOSPC;
    free(empty);
    if (failed != 0)
        return err_set(err, EX_CANTCREAT, "cannot make %s: %s", path, strerror(failed));
    return 0;
}

static bool file_is_good(int fd)
{
    struct inflight_head head;
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_size == (off_t)sizeof(struct inflight_table) &&
           pread(fd, &head, sizeof head, 0) == (ssize_t)sizeof head &&
           memcmp(head.magic, MAGIC, sizeof head.magic) == 0 && head.version == VERSION &&
           head.slots == INFLIGHT_SLOTS;
}

static struct inflight_table *table_map(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *mapped = MAP_FAILED;

    if (fd < 0) {
        (void)err_set(err, EX_CANTCREAT, "cannot open %s: %s", path, strerror(errno));
        return NULL;
    }
    if (file_is_good(fd) || file_make(fd, path, err) == 0) {
        mapped =
            mmap(NULL, sizeof(struct inflight_table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (mapped == MAP_FAILED)
            (void)err_set(err, EX_OSERR, "cannot map %s: %s", path, strerror(errno));
    }
    (void)close(fd);
    return mapped == MAP_FAILED ? NULL : mapped;
}

static bool is_in_doubt(const struct inflight_table *t, uint64_t number)
{
    for (uint64_t i = 0; i < t->in_doubt_count; i++) {
        if (t->in_doubt[i] == number)
            return true;
    }
    return false;
}

/* In such an order that a kill in the middle loses nothing: what has been moved twice is one. */
static void crash_collect(struct inflight_table *t, uint64_t next)
{
    uint64_t kept = 0;

    if (t->in_doubt_count > INFLIGHT_SLOTS)
        t->in_doubt_count = 0;
    for (uint64_t i = 0; i < t->in_doubt_count; i++) {
        if (t->in_doubt[i] < next)
            t->in_doubt[kept++] = t->in_doubt[i];
    }
    t->in_doubt_count = kept;
    for (size_t i = 0; i < INFLIGHT_SLOTS; i++) {
        uint64_t number = atomic_load(&t->slot[i]);

        if (number != 0 && number < next && t->in_doubt_count < INFLIGHT_SLOTS &&
            !is_in_doubt(t, number))
            t->in_doubt[t->in_doubt_count++] = number;
        if (number != 0) /* a page that is only read stays clean */
            atomic_store(&t->slot[i], 0);
    }
}

/* No other thread has it yet, so without the lock. */
struct inflight *journal_inflight_open(const char *dir, uint64_t next,
                                       struct err *err) TG_NO_THREAD_SAFETY
{
    struct inflight *t = calloc(1, sizeof *t);
    char path[PATH_MAX];

    if (t == NULL) {
        (void)err_set(err, EX_OSERR, "cannot open %s/inflight: out of memory", dir);
        return NULL;
    }
    if (snprintf(path, sizeof path, "%s/inflight", dir) >= (int)sizeof path)
        (void)err_set(err, EX_CANTCREAT, "the path %s is too long: shorten state_dir", dir);
    else
        t->table = table_map(path, err);
    if (t->table == NULL) {
        free(t);
        return NULL;
    }
    crash_collect(t->table, next);
    mutex_init(&t->lock);
    for (int i = 0; i < INFLIGHT_SLOTS; i++)
        t->free_slots[t->free_count++] = INFLIGHT_SLOTS - 1 - i;
    return t;
}

void journal_inflight_close(struct inflight *t)
{
    if (t == NULL)
        return;
    (void)munmap(t->table, sizeof *t->table);
    mutex_fini(&t->lock);
    free(t);
}

int journal_inflight_take(struct inflight *t)
{
    int slot = -1;

    inflight_lock_take(&t->lock);
    if (t->free_count > 0)
        slot = t->free_slots[--t->free_count];
    inflight_lock_give(&t->lock);
    return slot;
}

void journal_inflight_set(struct inflight *t, int slot, uint64_t number)
{
    if (slot < 0)
        return;
    TG_ASSERT(slot < INFLIGHT_SLOTS);
    atomic_store(&t->table->slot[slot], number);
}

void journal_inflight_release(struct inflight *t, int slot)
{
    if (slot < 0)
        return;
    journal_inflight_set(t, slot, 0);
    inflight_lock_take(&t->lock);
    TG_ASSERT(t->free_count < INFLIGHT_SLOTS);
    t->free_slots[t->free_count++] = slot;
    inflight_lock_give(&t->lock);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

size_t journal_inflight_in_doubt(struct inflight *t, uint64_t *numbers, size_t max)
{
    size_t count = (size_t)t->table->in_doubt_count;

    if (count > 0)
        qsort(t->table->in_doubt, count, sizeof *t->table->in_doubt, compare);
    for (size_t i = 0; i < count && i < max; i++)
        numbers[i] = t->table->in_doubt[i];
    return count;
}

void journal_inflight_forget(struct inflight *t)
{
    t->table->in_doubt_count = 0;
}
