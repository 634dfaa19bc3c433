#include "lib/sys/journal_resume.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/journal_frames.h"
#include "lib/sys/journal_repair.h"
#include "lib/sys/journal_segment.h"

int journal_segment_open(const char *dir, uint64_t number, int flags, struct err *err)
{
    char path[PATH_MAX];
    int fd;

    if (journal_segment_path(dir, number, path, err) != 0)
        return -1;
    fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | flags, 0600);
    if (fd < 0)
        return err_set(err, EX_CANTCREAT, "cannot open %s: %s", path, strerror(errno));
    return fd;
}

/* --- the newest segment ---------------------------------------------------------------------- */

static int newest_open(const char *dir, uint64_t first, struct journal_resumed *out,
                       struct err *err)
{
    struct journal_segment_scan scan;
    char path[PATH_MAX];

    if (journal_segment_path(dir, first, path, err) != 0 ||
        journal_segment_scan(path, first, &scan, err) != 0)
        return -1;
    out->fd = journal_segment_open(dir, first, 0, err);
    if (out->fd < 0)
        return -1;
    out->cut_bytes = scan.torn;
    out->segment = first;
    out->size = scan.size;
    out->next = scan.next;
    out->last_ms = scan.last_ms;
    if (scan.torn > 0 && (ftruncate(out->fd, (off_t)scan.size) != 0 || fdatasync(out->fd) != 0))
        return err_set(err, EX_IOERR, "cannot cut the torn tail of %s: %s", path, strerror(errno));
    return 0;
}

static int first_make(const char *dir, int dir_fd, struct journal_resumed *out, struct err *err)
{
    out->segment = out->next = 1;
    out->fd = journal_segment_open(dir, 1, O_CREAT | O_EXCL, err);
    if (out->fd < 0)
        return -1;
    if (fsync(dir_fd) != 0)
        return err_set(err, EX_CANTCREAT, "cannot open the journal in %s: %s", dir,
                       strerror(errno));
    return 0;
}

/* The newest record may be in the segment before, when the newest one is empty. */
static void time_look(const char *dir, uint64_t before, struct journal_resumed *out)
{
    struct journal_segment_scan scan;
    char path[PATH_MAX];

    if (journal_segment_path(dir, before, path, NULL) == 0 &&
        journal_segment_scan(path, before, &scan, NULL) == 0)
        out->last_ms = scan.last_ms;
}

/* --- ends that a loss of power has torn ------------------------------------------------------ */

/* When the first record of a segment was written; 0: not known. */
static int64_t begin_ms(const char *dir, uint64_t segment)
{
    enum journal_frame_state state;
    struct journal_frame frame;
    struct journal_frames f;
    int64_t time_ms = 0;

    if (journal_frames_open(&f, dir, segment, NULL) != 1)
        return 0;
    if (journal_frames_next(&f, &frame, &state, NULL) == 0 && state == FRAME_GOOD)
        time_ms = frame.time_ms;
    journal_frames_close(&f);
    return time_ms;
}

static int ends_close(const char *dir, const uint64_t *numbers, size_t count,
                      struct journal_lost_end *lost, struct err *err)
{
    struct journal_segment_scan was;
    int rc = 1;

    for (size_t i = count - 1; rc == 1 && i-- > 0;) {
        int64_t to_ms = begin_ms(dir, numbers[i + 1]);

        rc = journal_repair_end(dir, numbers[i], numbers[i + 1], to_ms, &was, err);
        if (rc != 1)
            break;
        if (lost->segment == 0)
            lost->to_ms = to_ms;
        lost->segment = numbers[i];
        lost->from_ms = was.last_ms;
        lost->bytes += was.torn;
        lost->records += numbers[i + 1] - was.next;
    }
    return rc < 0 ? -1 : 0;
}

int journal_resume(const char *dir, int dir_fd, bool is_synced, struct journal_resumed *out,
                   struct err *err)
{
    struct err unseen;
    uint64_t *numbers;
    size_t count;
    int rc;

    *out = (struct journal_resumed){.fd = -1};
    err = err != NULL ? err : &unseen;
    if (journal_segments_list(dir, &numbers, &count, err) != 0)
        return -1;
    rc = count > 0 ? newest_open(dir, numbers[count - 1], out, err)
                   : first_make(dir, dir_fd, out, err);
    if (rc == 0 && !is_synced && count > 1)
        rc = ends_close(dir, numbers, count, &out->lost, err);
    if (rc == 0 && count > 1 && out->size == 0)
        time_look(dir, numbers[count - 2], out);
    free(numbers);
    return rc;
}
