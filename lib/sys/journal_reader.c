#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/journal.h"
#include "lib/sys/journal_index.h"
#include "lib/sys/journal_segment.h"

#define CHUNK_BYTES ((size_t)128 << 10)
#define ARENA_BYTES ((size_t)1 << 30)
#define READ_TRIES  4

struct journal_reader {
    char *dir;
    struct journal_position at;
    int fd;             /* -1: no segment that may hold r->at.number has been found yet */
    uint64_t due;       /* number of the record at the offset; 0: that of whichever stands there */
    struct arena arena; /* of the record given last */
    char *bytes;        /* of the segment, from offset `start` */
    size_t len, room;
    uint64_t start;
};

static int damage(const struct journal_reader *r, const char *what, struct err *err)
{
    char path[PATH_MAX] = "";

    TG_IGNORE(journal_segment_path(r->dir, r->at.segment, path, NULL)); /* too long: "" */
    return err_set(err, EX_DATAERR, "%s: offset %llu: the journal is damaged: %s", path,
                   (unsigned long long)r->at.offset, what);
}

static int gone(const struct journal_reader *r, uint64_t found, struct err *err)
{
    return err_set(err, EX_DATAERR,
                   "%s: the journal is damaged: records %llu to %llu are gone (the next segment "
                   "begins with %llu)",
                   r->dir, (unsigned long long)r->at.number, (unsigned long long)found - 1,
                   (unsigned long long)found);
}

/* --- segments --------------------------------------------------------------------------------- */

static int segment_enter(struct journal_reader *r, uint64_t number, uint64_t offset,
                         struct err *err)
{
    char path[PATH_MAX];
    int fd;

    if (journal_segment_path(r->dir, number, path, err) != 0)
        return -1;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, EX_IOERR, "cannot read %s: %s", path, strerror(errno));
    if (r->fd >= 0)
        (void)close(r->fd);
    r->fd = fd;
    r->at.segment = number;
    r->at.offset = offset;
    r->due = offset == 0 ? number : 0;
    r->len = 0;
    return 1;
}

/* The segment that holds the record due, or held it. 1: entered; 0: there is none yet. */
static int segment_find(struct journal_reader *r, struct err *err)
{
    uint64_t *numbers, found = 0, first;
    size_t count;

    if (journal_segments_list(r->dir, &numbers, &count, err) != 0)
        return -1;
    first = count > 0 ? numbers[0] : 0;
    if (r->at.number == 0 && count > 0)
        r->at = (struct journal_position){first, 0, first};
    for (size_t i = 0; i < count && numbers[i] <= r->at.number; i++)
        found = numbers[i];
    free(numbers);
    if (count == 0)
        return 0;
    if (found == 0)
        return gone(r, first, err);
    return segment_enter(r, found, found == r->at.segment ? r->at.offset : 0, err);
}

static bool segment_exists(const struct journal_reader *r, uint64_t number)
{
    char path[PATH_MAX];

    return journal_segment_path(r->dir, number, path, NULL) == 0 && access(path, F_OK) == 0;
}

/* The number of a segment beyond the one that would be next; 0: there is none. */
static int segment_beyond(const struct journal_reader *r, uint64_t *found, struct err *err)
{
    uint64_t *numbers;
    size_t count;

    *found = 0;
    if (journal_segments_list(r->dir, &numbers, &count, err) != 0)
        return -1;
    for (size_t i = count; i-- > 0 && numbers[i] > r->at.number;)
        *found = numbers[i];
    free(numbers);
    return 0;
}

/* --- records ---------------------------------------------------------------------------------- */

static enum journal_frame_state frame_look(const struct journal_reader *r, struct journal_frame *f)
{
    struct slice read = {r->bytes, r->len};

    if (r->at.offset < r->start)
        read = SLICE_NONE;
    return journal_frame_parse(slice_from(read, (size_t)(r->at.offset - r->start)), f);
}

static int bytes_fill(struct journal_reader *r, size_t wanted, struct err *err)
{
    ssize_t got;

    if (wanted > r->room) {
        char *grown = realloc(r->bytes, wanted);

        if (grown == NULL)
            return err_set(err, EX_OSERR, "cannot read the journal: out of memory");
        r->bytes = grown;
        r->room = wanted;
    }
    r->start = r->at.offset;
    do
        got = pread(r->fd, r->bytes, r->room, (off_t)r->start);
    while (got < 0 && errno == EINTR);
    r->len = got < 0 ? 0 : (size_t)got;
    return got < 0 ? damage(r, strerror(errno), err) : 0;
}

/* A record that is not good is read again, from its first byte: the writer may have been in the
 * middle of it, or have cut back half of one and written another in its place. */
static int frame_read(struct journal_reader *r, struct journal_frame *f,
                      enum journal_frame_state *state, struct err *err)
{
    *state = frame_look(r, f);
    for (int tries = 0; *state != FRAME_GOOD && tries < READ_TRIES; tries++) {
        if (bytes_fill(r, f->size > CHUNK_BYTES ? f->size : CHUNK_BYTES, err) != 0)
            return -1;
        *state = frame_look(r, f);
        if (*state == FRAME_SHORT && r->len < r->room)
            break;
    }
    return 0;
}

static bool next_exists(const struct journal_reader *r)
{
    return r->at.number != r->at.segment && segment_exists(r, r->at.number);
}

/* What stands at the end of a segment that others follow: a whole record, if it was written since
 * we last looked (1: look again), or nothing (0). */
static int segment_rest(struct journal_reader *r, struct err *err)
{
    enum journal_frame_state state;
    struct journal_frame f;

    r->len = 0;
    if (frame_read(r, &f, &state, err) != 0)
        return -1;
    if (state == FRAME_GOOD)
        return 1;
    return r->len == 0 ? 0 : damage(r, "the segment ends in the middle of a record", err);
}

/* At the end of a segment. 1: gone on to the next one, which is that named by the record due: it is
 * made only when all records before it have been written; or a record has come. 0: none yet. */
static int segment_next(struct journal_reader *r, struct err *err)
{
    bool has_next = next_exists(r);
    uint64_t beyond = 0;
    int rest;

    if (!has_next) {
        if (segment_beyond(r, &beyond, err) != 0)
            return -1;
        /* Asked again: it may have been made, and others after it, since. */
        if (beyond == 0 || next_exists(r))
            return 0;
    }
    rest = segment_rest(r, err);
    if (rest != 0)
        return rest;
    return has_next ? segment_enter(r, r->at.number, 0, err) : gone(r, beyond, err);
}

/* 1: given; 0: one from before the position, skipped. */
static int frame_take(struct journal_reader *r, const struct journal_frame *f, struct record *out,
                      struct err *err)
{
    bool wanted = f->number == r->at.number;
    struct err why;

    if ((r->due != 0 && f->number != r->due) || f->number > r->at.number)
        return damage(r, "a record out of order", err);
    if (wanted) {
        arena_reset(&r->arena);
        if (record_decode(f->body, &r->arena, out, &why) != 0)
            return damage(r, why.text, err);
        out->number = f->number;
        out->time_ms = f->time_ms;
        r->at.number++;
    }
    r->at.offset += f->size;
    r->due = f->number + 1;
    return wanted ? 1 : 0;
}

/* The position is not where the record due begins: it is another journal's, as one that came out of
 * a backup may be; or that record is being written. */
static bool is_elsewhere(const struct journal_reader *r, enum journal_frame_state state,
                         const struct journal_frame *f)
{
    return r->due == 0 && r->len > 0 && (state != FRAME_GOOD || f->number != r->at.number);
}

/* Looked for by its number, from the segment's first record on. */
static void segment_again(struct journal_reader *r)
{
    r->at.offset = 0;
    r->due = r->at.segment;
    r->len = 0;
}

int journal_reader_next(struct journal_reader *r, struct record *out, struct err *err)
{
    enum journal_frame_state state;
    struct journal_frame f;
    int result = 0;

    while (result == 0) {
        if (r->fd < 0 && (result = segment_find(r, err)) <= 0)
            return result;
        if (frame_read(r, &f, &state, err) != 0)
            return -1;
        if (is_elsewhere(r, state, &f)) {
            segment_again(r);
            continue;
        }
        if (state == FRAME_BAD)
            return damage(r, "a record with a wrong checksum or length", err);
        if (state == FRAME_GOOD) {
            result = frame_take(r, &f, out, err);
        } else {
            result = segment_next(r, err);
            if (result <= 0)
                return result;
            result = 0;
        }
    }
    return result;
}

/* --- opening ---------------------------------------------------------------------------------- */

struct journal_reader *journal_reader_open(const char *dir, struct journal_position from,
                                           struct err *err)
{
    struct journal_reader *r = calloc(1, sizeof *r);

    if (r == NULL || (r->dir = strdup(dir)) == NULL) {
        (void)err_set(err, EX_OSERR, "cannot read the journal in %s: out of memory", dir);
        free(r);
        return NULL;
    }
    r->fd = -1;
    r->at = from;
    arena_init(&r->arena, ARENA_BYTES);
    if (segment_find(r, err) < 0) {
        journal_reader_close(r);
        return NULL;
    }
    return r;
}

void journal_reader_close(struct journal_reader *r)
{
    if (r == NULL)
        return;
    if (r->fd >= 0)
        (void)close(r->fd);
    arena_fini(&r->arena);
    free(r->bytes);
    free(r->dir);
    free(r);
}

struct journal_position journal_reader_position(const struct journal_reader *r)
{
    return r->at;
}

/* --- trimming --------------------------------------------------------------------------------- */

static bool disk_has(const char *dir, uint64_t bytes)
{
    struct statvfs fs;

    return bytes == 0 || statvfs(dir, &fs) != 0 || (uint64_t)fs.f_bavail * fs.f_frsize >= bytes;
}

static uint64_t bytes_before(const char *dir, const uint64_t *numbers, size_t count)
{
    char path[PATH_MAX];
    struct stat st;
    uint64_t bytes = 0;

    for (size_t i = 0; i < count; i++) {
        if (journal_segment_path(dir, numbers[i], path, NULL) == 0 && stat(path, &st) == 0)
            bytes += (uint64_t)st.st_size;
    }
    return bytes;
}

/* Deletes one of the folded segments, unless it is kept: 1 deleted, 0 kept. */
static int segment_trim(const char *dir, uint64_t number, const struct journal_keep *keep,
                        uint64_t *bytes, struct err *err)
{
    char path[PATH_MAX];
    struct stat st;

    if (journal_segment_path(dir, number, path, err) != 0)
        return -1;
    if (stat(path, &st) != 0)
        st = (struct stat){0};
    if (st.st_mtime >= keep->since_s && *bytes <= keep->max_bytes &&
        disk_has(dir, keep->min_free_bytes))
        return 0;
    if (unlink(path) != 0 && errno != ENOENT)
        return err_set(err, EX_IOERR, "cannot delete %s: %s", path, strerror(errno));
    journal_index_delete(dir, number);
    *bytes -= (uint64_t)st.st_size < *bytes ? (uint64_t)st.st_size : *bytes;
    return 1;
}

/* Oldest first, so that a kill in between leaves no hole. */
int journal_trim(const char *dir, struct journal_position before, const struct journal_keep *keep,
                 struct err *err)
{
    uint64_t *numbers, bytes;
    size_t count, folded = 0;
    int result = 1;

    if (journal_segments_list(dir, &numbers, &count, err) != 0)
        return -1;
    while (folded + 1 < count && numbers[folded + 1] <= before.number)
        folded++;
    bytes = bytes_before(dir, numbers, folded);
    for (size_t i = 0; result == 1 && i < folded; i++)
        result = segment_trim(dir, numbers[i], keep, &bytes, err);
    free(numbers);
    return result < 0 ? -1 : 0;
}
