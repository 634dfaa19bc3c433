#include "lib/sys/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/journal_inflight.h"
#include "lib/sys/journal_resume.h"
#include "lib/sys/journal_segment.h"
#include "lib/sys/mutex.h"
#include "lib/sys/settings.h"

#define STEP_BACK_MS ((int64_t)3600 * 1000)

/* A segment that is full, until it has been synced. */
struct retired {
    struct retired *next;
    int fd;
};

MUTEX_NAME(journal_lock)
#define GUARDED MUTEX_GUARDS(journal_lock)

struct journal {
    char *dir;
    uint64_t segment_bytes;
    struct journal_resumed found;
    struct inflight *inflight;
    int dir_fd;

    struct mutex lock; /* held over write(2), never over an fsync */
    pthread_cond_t sync_done;
    int64_t min_free_bytes GUARDED, sync_ms GUARDED;
    int sync GUARDED; /* enum ledger_sync */

    int fd GUARDED;           /* of the newest segment */
    uint64_t segment GUARDED; /* its number */
    uint64_t size GUARDED;    /* bytes of whole records in it */
    uint64_t next GUARDED;    /* number of the next record */
    int64_t last_ms GUARDED;  /* Unix; no record will be dated before */
    bool rotate GUARDED;      /* the next record begins a segment, however small this one is */
    bool is_torn GUARDED;     /* a failed write has still to be cut back */
    bool was_cut GUARDED;     /* cut back since the last sync, which may have written that half */
    bool is_low GUARDED;      /* below min_free_bytes */
    int write_errno GUARDED;  /* of the last append; 0: it succeeded */
    int sync_errno GUARDED;   /* once an fdatasync has failed, no record is accepted */

    struct retired *retired GUARDED;
    bool dir_changed GUARDED;     /* a segment was added, and the directory not synced since */
    bool syncing GUARDED;         /* by the one thread that does it for all */
    uint64_t synced GUARDED;      /* records below this number are on the disk */
    int64_t synced_at_ms GUARDED; /* monotonic */
};

/* --- opening, while no other thread has it, so without the lock ------------------------------- */

static int fail_open(const struct journal *j, struct err *err)
{
    return err_set(err, EX_CANTCREAT, "cannot open the journal in %s: %s", j->dir, strerror(errno));
}

static int dir_open(struct journal *j, struct err *err)
{
    if (mkdir(j->dir, 0700) != 0 && errno != EEXIST)
        return fail_open(j, err);
    j->dir_fd = open(j->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return j->dir_fd < 0 ? fail_open(j, err) : 0;
}

/* Goes on where the newest segment ends. */
static int resume(struct journal *j, int sync, struct err *err) TG_NO_THREAD_SAFETY
{
    int rc = journal_resume(j->dir, j->dir_fd, sync != SYNC_NEVER, &j->found, err);

    j->fd = j->found.fd;
    j->segment = j->found.segment;
    j->size = j->found.size;
    j->next = j->found.next;
    j->last_ms = j->found.last_ms;
    return rc;
}

static bool is_space_low(const struct journal *j, int64_t min_free_bytes)
{
    struct statvfs fs;

    return min_free_bytes > 0 && fstatvfs(j->dir_fd, &fs) == 0 &&
           (uint64_t)fs.f_bavail * fs.f_frsize < (uint64_t)min_free_bytes;
}

struct journal *journal_open(const struct journal_config *config,
                             struct err *err) TG_NO_THREAD_SAFETY
{
    struct journal *j = calloc(1, sizeof *j);

    if (j == NULL || (j->dir = strdup(config->dir)) == NULL) {
        (void)err_set(err, EX_OSERR, "cannot open the journal in %s: out of memory", config->dir);
        free(j);
        return NULL;
    }
    j->segment_bytes = config->segment_bytes > 0 ? config->segment_bytes : JOURNAL_SEGMENT_BYTES;
    j->fd = j->dir_fd = -1;
    mutex_init(&j->lock);
    (void)pthread_cond_init(&j->sync_done, NULL);
    journal_configure(j, config);
    if (dir_open(j, err) != 0 || resume(j, config->sync, err) != 0 ||
        (j->inflight = journal_inflight_open(j->dir, j->next, err)) == NULL) {
        j->sync = SYNC_NEVER;
        journal_close(j);
        return NULL;
    }
    j->is_low = is_space_low(j, j->min_free_bytes);
    return j;
}

void journal_configure(struct journal *j, const struct journal_config *config)
{
    journal_lock_take(&j->lock);
    j->min_free_bytes = config->min_free_bytes;
    j->sync = config->sync;
    j->sync_ms = config->sync_ms;
    journal_lock_give(&j->lock);
}

uint64_t journal_cut_bytes(const struct journal *j)
{
    return j->found.cut_bytes;
}

const struct journal_lost_end *journal_lost_end(const struct journal *j)
{
    return &j->found.lost;
}

void journal_raise_number(struct journal *j, uint64_t next_number)
{
    journal_lock_take(&j->lock);
    if (next_number > j->next) {
        j->next = next_number;
        j->rotate = true; /* a segment holds numbers without gaps */
    }
    journal_lock_give(&j->lock);
}

/* --- syncing ---------------------------------------------------------------------------------- */

/* Syncs and closes what is retired; errno of the first failure, or 0. */
static int retired_sync(struct retired *list, bool wanted)
{
    int failed = 0;

    while (list != NULL) {
        struct retired *next = list->next;

        if (wanted && fdatasync(list->fd) != 0 && failed == 0)
            failed = errno;
        (void)close(list->fd);
        free(list);
        list = next;
    }
    return failed;
}

/* One thread syncs for all, with the lock given back meanwhile. Only it closes segments, so that
 * the newest one's descriptor stays good also where another thread begins a segment. */
static void sync_locked(struct journal *j) TG_REQUIRES(journal_lock)
{
    struct retired *retired = j->retired;
    bool dir_changed = j->dir_changed, wanted = j->sync != SYNC_NEVER;
    uint64_t target = j->next;
    int fd = j->fd, failed = 0;

    j->syncing = true;
    j->retired = NULL;
    j->dir_changed = j->was_cut = false;
    journal_lock_give(&j->lock);
    if (dir_changed && wanted && fsync(j->dir_fd) != 0)
        failed = errno;
    int retired_failed = retired_sync(retired, wanted);
    if (wanted && fdatasync(fd) != 0)
        failed = errno;
    journal_lock_take(&j->lock);
    j->syncing = false;
    if (failed != 0 || retired_failed != 0)
        j->sync_errno = failed != 0 ? failed : retired_failed;
    else if (wanted)
        j->synced = target;
    (void)pthread_cond_broadcast(&j->sync_done);
}

static int sync_failed(const struct journal *j, struct err *err) TG_REQUIRES(journal_lock)
{
    return err_set(
        err, EX_IOERR,
        "the journal in %s could not be forced to the disk (%s) and takes no more: see to "
        "the disk, then start again",
        j->dir, strerror(j->sync_errno));
}

static int sync_wait(struct journal *j, uint64_t number, struct err *err) TG_REQUIRES(journal_lock)
{
    while (j->synced <= number && j->sync_errno == 0) {
        if (j->syncing)
            journal_lock_wait(&j->lock, &j->sync_done);
        else
            sync_locked(j);
    }
    return j->synced > number ? 0 : sync_failed(j, err);
}

static bool is_sync_due(const struct journal *j, int64_t now_ms) TG_REQUIRES(journal_lock)
{
    if (j->syncing || j->sync_errno != 0)
        return false;
    if (j->dir_changed || j->retired != NULL)
        return true;
    return j->sync == SYNC_TIMED && j->synced < j->next && now_ms - j->synced_at_ms >= j->sync_ms;
}

void journal_tick(struct journal *j, int64_t now_ms)
{
    int64_t min_free_bytes;
    bool low;

    journal_lock_take(&j->lock);
    if (is_sync_due(j, now_ms)) {
        sync_locked(j);
        j->synced_at_ms = now_ms;
    }
    min_free_bytes = j->min_free_bytes;
    journal_lock_give(&j->lock);
    low = is_space_low(j, min_free_bytes);
    journal_lock_take(&j->lock);
    j->is_low = low;
    j->write_errno = 0;
    journal_lock_give(&j->lock);
}

/* At its end no other thread has it. */
void journal_close(struct journal *j) TG_NO_THREAD_SAFETY
{
    if (j == NULL)
        return;
    journal_lock_take(&j->lock);
    while (j->syncing)
        journal_lock_wait(&j->lock, &j->sync_done);
    if (j->fd >= 0)
        sync_locked(j);
    journal_lock_give(&j->lock);
    journal_inflight_close(j->inflight);
    if (j->fd >= 0)
        (void)close(j->fd);
    if (j->dir_fd >= 0)
        (void)close(j->dir_fd);
    (void)pthread_cond_destroy(&j->sync_done);
    mutex_fini(&j->lock);
    free(j->dir);
    free(j);
}

/* --- appending -------------------------------------------------------------------------------- */

static int low_space(const struct journal *j, struct err *err) TG_REQUIRES(journal_lock)
{
    return err_set(err, EX_IOERR, "less than ledger.min_free (%lld bytes) is free in %s: make room",
                   (long long)j->min_free_bytes, j->dir);
}

static int write_failed(const struct journal *j, struct err *err) TG_REQUIRES(journal_lock)
{
    return err_set(err, EX_IOERR, "cannot write the journal in %s: %s", j->dir,
                   strerror(j->write_errno));
}

/* What half a record has left behind goes before anything else is written. */
static int cut_back(struct journal *j, struct err *err) TG_REQUIRES(journal_lock)
{
    if (j->is_torn && ftruncate(j->fd, (off_t)j->size) != 0) {
        j->write_errno = errno;
        return write_failed(j, err);
    }
    j->was_cut = j->was_cut || j->is_torn;
    j->is_torn = false;
    return 0;
}

static int check_locked(const struct journal *j, struct err *err) TG_REQUIRES(journal_lock)
{
    if (j->sync_errno != 0)
        return sync_failed(j, err);
    return j->is_low ? low_space(j, err) : 0;
}

int journal_check(struct journal *j, struct err *err)
{
    int result;

    journal_lock_take(&j->lock);
    result = check_locked(j, err);
    if (result == 0 && j->write_errno != 0)
        result = write_failed(j, err);
    journal_lock_give(&j->lock);
    return result;
}

static void segment_delete(const struct journal *j) TG_REQUIRES(journal_lock)
{
    char path[PATH_MAX];

    if (journal_segment_path(j->dir, j->segment, path, NULL) == 0)
        (void)unlink(path);
}

/* A new segment, named by the record that comes next. Where it cannot be made the old one goes on,
 * unless numbers would have a gap in it. */
static int rotate(struct journal *j, struct err *err) TG_REQUIRES(journal_lock)
{
    struct retired *old = malloc(sizeof *old);
    int fd = old == NULL ? -1 : journal_segment_open(j->dir, j->next, O_CREAT | O_EXCL, err);

    if (fd < 0) {
        if (old == NULL)
            (void)err_set(err, EX_OSERR, "cannot begin a segment of the journal: out of memory");
        free(old);
        return j->rotate ? -1 : 0;
    }
    if (j->size == 0)
        segment_delete(j); /* nothing in it, and its number will not come */
    *old = (struct retired){j->retired, j->fd};
    j->retired = old;
    j->fd = fd;
    j->segment = j->next;
    j->size = 0;
    j->rotate = false;
    j->dir_changed = true;
    return 0;
}

static int64_t date(struct journal *j) TG_REQUIRES(journal_lock)
{
    int64_t now = clock_unix_ms();

    if (now < j->last_ms && j->last_ms - now <= STEP_BACK_MS)
        return j->last_ms;
    j->last_ms = now;
    return now;
}

static int frame_write(struct journal *j, struct slice bytes, struct err *err)
    TG_REQUIRES(journal_lock)
{
    ssize_t written;

    do
        written = write(j->fd, bytes.ptr, bytes.len);
    while (written < 0 && errno == EINTR);
    if (written == (ssize_t)bytes.len) {
        j->size += bytes.len;
        j->write_errno = 0;
        return 0;
    }
    j->write_errno = written < 0 ? errno : ENOSPC;
    (void)write_failed(j, err);
    j->is_torn = written > 0;
    (void)cut_back(j, NULL);
    return -1;
}

static bool is_full(const struct journal *j) TG_REQUIRES(journal_lock)
{
    return j->rotate || j->size >= j->segment_bytes;
}

/* A segment is on the disk before the next one is begun: what a loss of power takes is the end of
 * the journal, never something between two segments. Who never syncs has journal_resume. */
static int room_make(struct journal *j, struct err *err) TG_REQUIRES(journal_lock)
{
    while (check_locked(j, err) == 0 && cut_back(j, err) == 0) {
        if (!is_full(j))
            return 0;
        if (j->sync == SYNC_NEVER || (j->synced >= j->next && !j->was_cut))
            return rotate(j, err);
        if (j->syncing)
            journal_lock_wait(&j->lock, &j->sync_done);
        else
            sync_locked(j);
    }
    return -1;
}

static int append_locked(struct journal *j, struct record *r, struct buf *frame, int slot,
                         uint32_t sum, struct err *err) TG_REQUIRES(journal_lock)
{
    if (room_make(j, err) != 0)
        return -1;
    r->number = j->next;
    r->time_ms = date(j);
    journal_frame_finish(frame, sum, r->number, r->time_ms);
    journal_inflight_set(j->inflight, slot, r->number);
    if (frame_write(j, buf_slice(frame), err) != 0) {
        journal_inflight_set(j->inflight, slot, 0);
        return -1;
    }
    j->next++;
    return j->sync == SYNC_ALWAYS ? sync_wait(j, r->number, err) : 0;
}

int journal_append(struct journal *j, struct record *r, int slot, struct err *err)
{
    struct buf frame;
    int result;

    buf_init(&frame, FRAME_MAX_BYTES);
    journal_frame_begin(&frame);
    record_encode(r, &frame);
    if (frame.failed) {
        result = err_set(err, EX_DATAERR, "the record is larger than %zu bytes", FRAME_MAX_BYTES);
    } else {
        uint32_t sum = journal_frame_sum(&frame);

        journal_lock_take(&j->lock);
        result = append_locked(j, r, &frame, slot, sum, err);
        journal_lock_give(&j->lock);
    }
    buf_fini(&frame);
    return result;
}

int64_t journal_now(struct journal *j, uint64_t *next_number)
{
    int64_t now;

    journal_lock_take(&j->lock);
    now = date(j);
    *next_number = j->next;
    journal_lock_give(&j->lock);
    return now;
}

/* --- in flight -------------------------------------------------------------------------------- */

int journal_slot_take(struct journal *j)
{
    return journal_inflight_take(j->inflight);
}

void journal_slot_clear(struct journal *j, int slot)
{
    journal_inflight_set(j->inflight, slot, 0);
}

void journal_slot_release(struct journal *j, int slot)
{
    journal_inflight_release(j->inflight, slot);
}

size_t journal_in_doubt(struct journal *j, uint64_t *numbers, size_t max)
{
    return journal_inflight_in_doubt(j->inflight, numbers, max);
}

void journal_in_doubt_forget(struct journal *j)
{
    journal_inflight_forget(j->inflight);
}
