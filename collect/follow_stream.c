#include "collect/follow_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/core/crc32c.h"
#include "lib/sys/program.h"

#define NS_PER_S      INT64_C(1000000000)
#define GZ_BUFFER     ((unsigned)64 << 10)
#define END_LOOK_BACK ((uint64_t)64 << 10)

static const struct {
    struct slice ending;
    enum follow_packing packing;
    const char *program; /* NULL: zlib */
} PACKINGS[] = {{SLICE(".gz"), FOLLOW_GZ, NULL},
                {SLICE(".xz"), FOLLOW_XZ, "xz"},
                {SLICE(".zst"), FOLLOW_ZST, "zstd"},
                {SLICE(".bz2"), FOLLOW_BZ2, "bzip2"}};

#define PACKING_COUNT (sizeof PACKINGS / sizeof PACKINGS[0])

enum follow_packing follow_stream_packing(const char *name, size_t *len)
{
    struct slice s = slice_str(name);

    *len = s.len;
    for (size_t i = 0; i < PACKING_COUNT; i++) {
        struct slice ending = PACKINGS[i].ending;

        if (s.len > ending.len && slice_equal(slice_from(s, s.len - ending.len), ending)) {
            *len = s.len - ending.len;
            return PACKINGS[i].packing;
        }
    }
    return FOLLOW_PLAIN;
}

uint64_t follow_stream_dev(dev_t dev)
{
    return (uint64_t)major(dev) << 32 | minor(dev);
}

int64_t follow_stream_time_ns(const struct statx_timestamp *t)
{
    return t->tv_sec * NS_PER_S + t->tv_nsec;
}

static void end_program(struct follow_stream *s)
{
    if (s->child <= 0)
        return;
    (void)kill(s->child, SIGKILL);
    while (waitpid(s->child, NULL, 0) < 0 && errno == EINTR)
        continue;
    s->child = 0;
}

void follow_stream_close(struct follow_stream *s)
{
    if (!s->is_open)
        return;
    end_program(s);
    if (s->gz != NULL)
        (void)gzclose_r(s->gz); /* closes its descriptor */
    else if (s->fd >= 0)
        (void)close(s->fd);
    follow_buffer_fini(&s->buffer);
    *s = (struct follow_stream){.fd = -1};
}

/* --- opening ---------------------------------------------------------------------------------- */

static int identify(struct follow_stream *s, const char *path, struct err *err)
{
    struct statx x;

    if (statx(s->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &x) != 0)
        return err_set(err, EX_OSERR, "%s: %s", path, strerror(errno));
    s->dev = follow_stream_dev(makedev(x.stx_dev_major, x.stx_dev_minor));
    s->inode = x.stx_ino;
    s->written_ns = follow_stream_time_ns(&x.stx_mtime);
    if ((x.stx_mask & STATX_BTIME) != 0)
        s->birth_ns = follow_stream_time_ns(&x.stx_btime);
    if (S_ISREG(x.stx_mode))
        return 0;
    if (S_ISDIR(x.stx_mode))
        return err_set(err, EX_CONFIG, "%s is a directory; name the log file in it", path);
    s->packing = FOLLOW_PIPE;
    return fcntl(s->fd, F_SETFL, 0) == 0 ? 0
                                         : err_set(err, EX_OSERR, "%s: %s", path, strerror(errno));
}

static int open_file(struct follow_stream *s, const char *path, struct err *err)
{
    bool is_input = strcmp(path, "-") == 0;

    s->fd = is_input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                     : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (s->fd >= 0)
        return identify(s, is_input ? "standard input" : path, err);
    if (errno == EACCES || errno == EPERM)
        return err_set(err, EX_NOPERM,
                       "cannot read %s: %s; add the user to the group that may read it (adm)", path,
                       strerror(errno));
    return err_set(err, errno == ENOENT ? EX_NOINPUT : EX_OSERR, "cannot open %s: %s", path,
                   strerror(errno));
}

static int start_program(struct follow_stream *s, const char *program, struct err *err)
{
    const char *const argv[] = {program, "-dc", NULL};
    struct program_files files = {s->fd, -1, -1, -1};
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set(err, EX_OSERR, "pipe: %s", strerror(errno));
    files.out = ends[1];
    s->child = program_start(argv, &files, err);
    (void)close(ends[1]);
    (void)close(s->fd);
    s->fd = ends[0];
    return s->child > 0 ? 0 : -1;
}

static int start_unpacking(struct follow_stream *s, struct err *err)
{
    for (size_t i = 0; i < PACKING_COUNT; i++)
        if (s->packing == PACKINGS[i].packing && PACKINGS[i].program != NULL)
            return start_program(s, PACKINGS[i].program, err);
    if (s->packing != FOLLOW_GZ)
        return 0;
    s->gz = gzdopen(s->fd, "rb");
    if (s->gz == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    (void)gzbuffer(s->gz, GZ_BUFFER);
    return 0;
}

static void add_head(struct follow_stream *s, uint64_t offset, struct slice bytes)
{
    if (s->head_len >= FOLLOW_HEAD_MAX || offset > s->head_len || offset + bytes.len <= s->head_len)
        return;
    bytes = slice_to(slice_from(bytes, s->head_len - offset), FOLLOW_HEAD_MAX - s->head_len);
    s->head_crc = crc32c(s->head_crc, bytes);
    s->head_len += (uint32_t)bytes.len;
}

/* Its first bytes: of a plain file without moving, of another into the buffer. */
static int read_head(struct follow_stream *s, struct err *err)
{
    char head[FOLLOW_HEAD_MAX];
    ssize_t len;

    if (s->packing == FOLLOW_PIPE)
        return 0;
    if (s->packing == FOLLOW_PLAIN) {
        len = pread(s->fd, head, sizeof head, 0);
        if (len < 0)
            return err_set(err, EX_IOERR, "cannot read the log: %s", strerror(errno));
        add_head(s, 0, (struct slice){head, (size_t)len});
        return 0;
    }
    while (s->head_len < FOLLOW_HEAD_MAX)
        switch (follow_stream_read(s, err)) {
        case FOLLOW_READ_SOME:
            break;
        case FOLLOW_READ_ERROR:
            return -1;
        default:
            return 0; /* a short file, or damaged, which the next read says again */
        }
    return 0;
}

int follow_stream_open(struct follow_stream *s, const char *path, struct err *err)
{
    size_t len;

    *s = (struct follow_stream){.fd = -1, .packing = follow_stream_packing(path, &len)};
    if (follow_buffer_init(&s->buffer, FOLLOW_LINE_MAX) != 0)
        return err_set(err, EX_OSERR, "out of memory");
    follow_buffer_begin(&s->buffer, 0, SLICE_NONE);
    s->is_open = true;
    if (open_file(s, path, err) == 0 && start_unpacking(s, err) == 0 && read_head(s, err) == 0)
        return 0;
    follow_stream_close(s);
    return -1;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The bytes of a plain file at that place; less than `len` at its end, -1 with errno. */
static ssize_t bytes_at(const struct follow_stream *s, char *to, size_t len, uint64_t offset)
{
    return pread(s->fd, to, len, (off_t)offset);
}

static bool has_head(const struct follow_stream *s, uint32_t len, uint32_t crc)
{
    char head[FOLLOW_HEAD_MAX];

    return len <= sizeof head && bytes_at(s, head, len, 0) == (ssize_t)len &&
           crc32c(0, (struct slice){head, len}) == crc;
}

/* Are the bytes before the place of reading still those that were read? Asked after a read, so that
 * what it gave is of the same file. */
static bool is_same(const struct follow_stream *s)
{
    uint64_t at = follow_buffer_read_offset(&s->buffer);
    struct slice last = follow_buffer_last(&s->buffer);
    char now[FOLLOW_TAIL_MAX];

    if (bytes_at(s, now, last.len, at - last.len) != (ssize_t)last.len ||
        !slice_equal(last, (struct slice){now, last.len}))
        return false;
    return at >= FOLLOW_TAIL_MAX || has_head(s, s->head_len, s->head_crc);
}

static enum follow_read read_plain(struct follow_stream *s, struct err *err)
{
    uint64_t offset = follow_buffer_read_offset(&s->buffer);
    size_t room;
    char *to = follow_buffer_room(&s->buffer, &room);
    ssize_t len = bytes_at(s, to, room, offset);

    if (len < 0) {
        (void)err_set(err, EX_IOERR, "cannot read the log: %s", strerror(errno));
        return FOLLOW_READ_ERROR;
    }
    if (!is_same(s))
        return FOLLOW_READ_TRUNCATED;
    if (len == 0)
        return FOLLOW_READ_END;
    add_head(s, offset, (struct slice){to, (size_t)len});
    follow_buffer_added(&s->buffer, (size_t)len);
    return FOLLOW_READ_SOME;
}

/* Did the program that unpacks end well? */
static bool has_ended_well(struct follow_stream *s)
{
    int status = -1;

    while (waitpid(s->child, &status, 0) < 0 && errno == EINTR)
        continue;
    s->child = 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static ssize_t unpack(struct follow_stream *s, char *to, size_t room)
{
    ssize_t len;
    int code = Z_OK;

    if (s->gz != NULL) {
        len = gzread(s->gz, to, (unsigned)room);
        (void)gzerror(s->gz, &code);
        s->is_damaged = s->is_damaged || (len <= 0 && code != Z_OK && code != Z_STREAM_END);
        return len;
    }
    while ((len = read(s->fd, to, room)) < 0 && errno == EINTR)
        continue;
    if (len == 0 && s->child > 0)
        s->is_damaged = !has_ended_well(s);
    return len;
}

enum follow_read follow_stream_read(struct follow_stream *s, struct err *err)
{
    uint64_t offset = follow_buffer_read_offset(&s->buffer);
    size_t room;
    char *to;
    ssize_t len;

    if (s->packing == FOLLOW_PLAIN)
        return read_plain(s, err);
    to = follow_buffer_room(&s->buffer, &room);
    len = s->is_damaged ? 0 : unpack(s, to, room);
    if (len > 0) {
        add_head(s, offset, (struct slice){to, (size_t)len});
        follow_buffer_added(&s->buffer, (size_t)len);
        return FOLLOW_READ_SOME;
    }
    if (len < 0 && !s->is_damaged) {
        (void)err_set(err, EX_IOERR, "cannot read the log: %s", strerror(errno));
        return FOLLOW_READ_ERROR;
    }
    return s->is_damaged ? FOLLOW_READ_DAMAGED : FOLLOW_READ_END;
}

/* --- places ----------------------------------------------------------------------------------- */

static int size_of(const struct follow_stream *s, uint64_t *size, struct err *err)
{
    struct stat st;

    if (fstat(s->fd, &st) != 0)
        return err_set(err, EX_IOERR, "cannot read the log: %s", strerror(errno));
    *size = (uint64_t)st.st_size;
    return 0;
}

/* To a place in a plain file. */
static int go_to(struct follow_stream *s, uint64_t offset, struct err *err)
{
    char tail[FOLLOW_TAIL_MAX];
    size_t len = offset < sizeof tail ? (size_t)offset : sizeof tail;

    if (bytes_at(s, tail, len, offset - len) != (ssize_t)len)
        return err_set(err, EX_IOERR, "cannot read the log at byte %" PRIu64, offset);
    follow_buffer_begin(&s->buffer, offset, (struct slice){tail, len});
    return 0;
}

int follow_stream_seek_end(struct follow_stream *s, struct err *err)
{
    uint64_t size, from;
    size_t room;
    char *bytes;
    const char *last;
    ssize_t len;

    if (size_of(s, &size, err) != 0)
        return -1;
    follow_buffer_begin(&s->buffer, 0, SLICE_NONE);
    bytes = follow_buffer_room(&s->buffer, &room);
    from = size > END_LOOK_BACK ? size - END_LOOK_BACK : 0;
    len = bytes_at(s, bytes, (size_t)(size - from), from);
    if (len < 0)
        return err_set(err, EX_IOERR, "cannot read the log: %s", strerror(errno));
    last = memrchr(bytes, '\n', (size_t)len);
    return go_to(s, last == NULL ? from : from + (uint64_t)(last - bytes) + 1, err);
}

/* As far as that offset; of compressed bytes there is no other way. How far it came. */
static int skip_to(struct follow_stream *s, uint64_t offset, struct err *err)
{
    struct follow_buffer *b = &s->buffer;
    enum follow_read read = FOLLOW_READ_SOME;

    while (b->offset < offset && read == FOLLOW_READ_SOME) {
        uint64_t left = offset - b->offset;
        size_t here = b->end - b->start;

        follow_buffer_skip(b, left < here ? (size_t)left : here);
        if (b->offset < offset)
            read = follow_stream_read(s, err);
    }
    return read == FOLLOW_READ_ERROR ? -1 : 0;
}

static enum follow_fit fit_unpacked(struct follow_stream *s, const struct follow_position *to,
                                    struct err *err)
{
    struct follow_buffer *b = &s->buffer;
    size_t have = b->end - b->start;

    if (have < to->head_len ||
        crc32c(0, (struct slice){b->bytes + b->start, to->head_len}) != to->head_crc)
        return FOLLOW_FIT_NONE;
    if (skip_to(s, to->offset, err) != 0)
        return FOLLOW_FIT_ERROR;
    return b->offset < to->offset ? FOLLOW_FIT_SHORT : FOLLOW_FIT_CHANGED;
}

static enum follow_fit fit_plain(struct follow_stream *s, const struct follow_position *to,
                                 struct err *err)
{
    uint64_t size;

    if (!has_head(s, to->head_len, to->head_crc))
        return FOLLOW_FIT_NONE;
    if (size_of(s, &size, err) != 0)
        return FOLLOW_FIT_ERROR;
    if (go_to(s, size < to->offset ? size : to->offset, err) != 0)
        return FOLLOW_FIT_ERROR;
    return size < to->offset ? FOLLOW_FIT_SHORT : FOLLOW_FIT_CHANGED;
}

/* To the beginning of the next line. */
static enum follow_fit skip_part(struct follow_stream *s, struct err *err)
{
    struct slice tail = follow_buffer_tail(&s->buffer), line;
    enum follow_read read = FOLLOW_READ_SOME;
    uint64_t nuls;

    if (tail.len == 0 || tail.ptr[tail.len - 1] == '\n')
        return FOLLOW_FIT_CHANGED;
    while (read == FOLLOW_READ_SOME &&
           follow_buffer_cut(&s->buffer, &line, &nuls) != FOLLOW_CUT_LINE)
        read = follow_stream_read(s, err);
    return read == FOLLOW_READ_ERROR ? FOLLOW_FIT_ERROR : FOLLOW_FIT_CHANGED;
}

enum follow_fit follow_stream_seek(struct follow_stream *s, const struct follow_position *to,
                                   struct err *err)
{
    enum follow_fit fit =
        s->packing == FOLLOW_PLAIN ? fit_plain(s, to, err) : fit_unpacked(s, to, err);
    struct slice tail = follow_buffer_tail(&s->buffer);

    if (fit != FOLLOW_FIT_CHANGED)
        return fit;
    if (tail.len == to->tail_len && crc32c(0, tail) == to->tail_crc)
        return FOLLOW_FIT_GOOD;
    return skip_part(s, err);
}

int64_t follow_stream_written_ns(const struct follow_stream *s)
{
    struct stat st;

    /* Where no byte is known, the position means what is written after it was seen to be empty. */
    if (s->packing != FOLLOW_PLAIN || s->head_len == 0 || fstat(s->fd, &st) != 0)
        return s->written_ns;
    return st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec;
}

void follow_stream_position(const struct follow_stream *s, struct follow_position *p)
{
    struct slice tail = follow_buffer_tail(&s->buffer);

    *p = (struct follow_position){
        .dev = s->dev,
        .inode = s->inode,
        .birth_ns = s->birth_ns,
        .offset = s->buffer.offset,
        .head_len = s->head_len,
        .head_crc = s->head_crc,
        .tail_len = (uint32_t)tail.len,
        .tail_crc = crc32c(0, tail),
        .written_ns = follow_stream_written_ns(s),
    };
}

uint64_t follow_stream_lag(const struct follow_stream *s)
{
    uint64_t size, at = s->buffer.offset;

    if (!s->is_open || s->packing != FOLLOW_PLAIN || size_of(s, &size, NULL) != 0)
        return 0;
    return size > at ? size - at : 0;
}
