#include "lib/sys/journal_repair.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/core/record.h"
#include "lib/sys/files.h"
#include "lib/sys/journal_index.h"
#include "lib/sys/journal_segment.h"

#define SEGMENT_MAX_BYTES ((size_t)1 << 30)
#define OUT_MAX_BYTES     ((size_t)3 << 30)

/* A segment, and what it is to be. */
struct repair_work {
    const char *dir;
    struct journal_repaired *out;
    char path[PATH_MAX];
    struct buf old, new, frame;
    uint64_t due, end; /* number of the next record, and of the next segment's first; 0: none */
    bool is_changed;   /* by more than its end */
    int64_t last_ms;   /* time of the record before */
};

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory for a segment of the journal");
}

/* --- what stands in for records -------------------------------------------------------------- */

static void empty_add(struct repair_work *m)
{
    static const struct record nothing = {.kind = RECORD_EVENT};

    journal_frame_begin(&m->frame);
    record_encode(&nothing, &m->frame);
    journal_frame_finish(&m->frame, journal_frame_sum(&m->frame), m->due, m->last_ms);
    buf_add(&m->new, buf_slice(&m->frame));
}

static int fill(struct repair_work *m, uint64_t until, struct err *err)
{
    struct journal_repaired *out = m->out;

    if (until > m->due && until - m->due > JOURNAL_REPAIR_MAX - out->records)
        return err_set(
            err, EX_DATAERR,
            "%s: more than %llu records before record %llu are missing: restore them, or "
            "move the whole directory away",
            m->dir, (unsigned long long)JOURNAL_REPAIR_MAX, (unsigned long long)until);
    for (; m->due < until; m->due++) {
        if (out->records++ == 0)
            out->first = m->due;
        out->last = m->due;
        m->is_changed = true;
        empty_add(m);
    }
    return m->new.failed || m->frame.failed ? no_memory(err) : 0;
}

/* --- a segment ------------------------------------------------------------------------------- */

static int copy(struct repair_work *m, const struct journal_frame *f, struct slice bytes,
                struct err *err)
{
    if (fill(m, f->number, err) < 0)
        return -1;
    buf_add(&m->new, slice_to(bytes, f->size));
    m->last_ms = f->time_ms;
    m->due = f->number + 1;
    return m->new.failed ? no_memory(err) : 0;
}

/* The next good record, at the front of *rest; false: there is none. */
static bool record_next(struct repair_work *m, struct slice *rest, struct journal_frame *f)
{
    size_t skip;

    if (journal_frame_parse(*rest, f) == FRAME_GOOD && f->number == m->due)
        return true;
    if (!journal_frame_seek(*rest, m->due, &skip))
        return false;
    m->is_changed = true;
    *rest = slice_from(*rest, skip);
    return journal_frame_parse(*rest, f) == FRAME_GOOD;
}

/* All good records from number m->due on, those that are missing between them filled in. */
static int records_copy(struct repair_work *m, struct err *err)
{
    struct slice rest = buf_slice(&m->old);
    struct journal_frame f;

    while (rest.len > 0 && record_next(m, &rest, &f) && (m->end == 0 || f.number < m->end)) {
        if (copy(m, &f, rest, err) < 0)
            return -1;
        rest = slice_from(rest, f.size);
    }
    return 0;
}

static int failed(const struct repair_work *m, const char *what, struct err *err)
{
    return err_set(err, EX_IOERR, "%s: cannot %s: %s", m->path, what, strerror(errno));
}

/* The damaged file keeps a name until its successor is in place, and after. */
static int segment_replace(struct repair_work *m, uint64_t first, struct err *err)
{
    char aside[PATH_MAX + 16];

    (void)snprintf(aside, sizeof aside, "%s.damaged", m->path);
    if (unlink(aside) != 0 && errno != ENOENT)
        return failed(m, "replace the copy of the damaged file", err);
    if (link(m->path, aside) != 0 && errno != ENOENT)
        return failed(m, "keep the damaged file", err);
    if (file_write(m->path, buf_slice(&m->new), 0600, err) < 0)
        return -1;
    journal_index_delete(m->dir, first);
    m->out->segments++;
    return file_sync_dir(m->dir) ? 0 : failed(m, "write its directory", err);
}

/* Records `first` to `end` - 1; end 0: those that are there, for nothing follows. */
static int segment_repair(struct repair_work *m, uint64_t first, uint64_t end, bool is_there,
                          struct err *err)
{
    m->is_changed = false;
    m->due = first;
    m->end = end;
    buf_reset(&m->old);
    buf_reset(&m->new);
    if (journal_segment_path(m->dir, first, m->path, err) != 0 ||
        (is_there && file_read(m->path, &m->old, err) != 0) || records_copy(m, err) < 0)
        return -1;
    if (end > 0 && fill(m, end, err) < 0)
        return -1;
    return m->is_changed || (end > 0 && m->new.len != m->old.len) ? segment_replace(m, first, err)
                                                                  : 0;
}

/* --- all of them ----------------------------------------------------------------------------- */

/* The time of its first good record. */
static int time_of(struct repair_work *m, uint64_t first, int64_t *time_ms, struct err *err)
{
    struct journal_frame f;
    struct slice rest;

    if (journal_segment_path(m->dir, first, m->path, err) != 0 ||
        file_read(m->path, &m->old, err) != 0)
        return -1;
    rest = buf_slice(&m->old);
    m->due = first;
    *time_ms = record_next(m, &rest, &f) ? f.time_ms : 0;
    return 0;
}

static int segments_repair(struct repair_work *m, const uint64_t *numbers, size_t count,
                           uint64_t due, struct err *err)
{
    int rc = count == 0 ? 0 : time_of(m, numbers[0], &m->last_ms, err);

    if (rc == 0 && count > 0 && due > 0 && due < numbers[0])
        rc = segment_repair(m, due, numbers[0], false, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        uint64_t end = i + 1 < count ? numbers[i + 1] : 0;

        /* Numbers that were never given (journal_raise_number) lie before what is needed. */
        if (end == 0 || end > due)
            rc = segment_repair(m, numbers[i], end, true, err);
    }
    return rc;
}

int journal_repair(const char *dir, uint64_t due, struct journal_repaired *out, struct err *err)
{
    struct repair_work m = {.dir = dir, .out = out};
    uint64_t *numbers;
    size_t count;
    int rc;

    *out = (struct journal_repaired){.records = 0};
    if (journal_segments_list(dir, &numbers, &count, err) != 0)
        return -1;
    buf_init(&m.old, SEGMENT_MAX_BYTES);
    buf_init(&m.new, OUT_MAX_BYTES);
    buf_init(&m.frame, FRAME_MAX_BYTES);
    rc = segments_repair(&m, numbers, count, due, err);
    buf_fini(&m.old);
    buf_fini(&m.new);
    buf_fini(&m.frame);
    free(numbers);
    return rc;
}

/* --- an end ---------------------------------------------------------------------------------- */

static int end_write(struct repair_work *m, uint64_t size, struct err *err)
{
    int fd = open(m->path, O_WRONLY | O_APPEND | O_CLOEXEC), rc = 0;

    if (fd < 0 || ftruncate(fd, (off_t)size) != 0 ||
        write(fd, m->new.data, m->new.len) != (ssize_t)m->new.len || fdatasync(fd) != 0)
        rc = failed(m, "close its torn end", err);
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

int journal_repair_end(const char *dir, uint64_t first, uint64_t end, int64_t time_ms,
                       struct journal_segment_scan *was, struct err *err)
{
    struct journal_repaired out = {.records = 0};
    struct repair_work m = {.dir = dir, .out = &out};
    int rc = journal_segment_path(dir, first, m.path, err);

    if (rc != 0 || journal_segment_scan(m.path, first, was, err) != 0)
        return rc == 0 && err->code == EX_DATAERR ? 0 : -1;
    if (was->next > end || (was->next == end && was->torn == 0))
        return 0;
    buf_init(&m.new, OUT_MAX_BYTES);
    buf_init(&m.frame, FRAME_MAX_BYTES);
    m.due = was->next;
    m.last_ms = was->last_ms != 0 ? was->last_ms : time_ms;
    rc = fill(&m, end, err);
    if (rc == 0)
        rc = end_write(&m, was->size, err);
    if (rc == 0)
        journal_index_delete(dir, first);
    buf_fini(&m.new);
    buf_fini(&m.frame);
    return rc < 0 ? -1 : 1;
}
