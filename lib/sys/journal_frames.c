#include "lib/sys/journal_frames.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define WINDOW_BYTES ((size_t)256 << 10)
#define READ_TRIES   4

int journal_frames_open(struct journal_frames *f, const char *dir, uint64_t segment,
                        struct err *err)
{
    char path[PATH_MAX];
    struct stat st;

    *f = (struct journal_frames){.fd = -1};
    if (journal_segment_path(dir, segment, path, err) != 0)
        return -1;
    f->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0 && errno == ENOENT)
        return 0;
    if (f->fd < 0 || fstat(f->fd, &st) != 0) {
        (void)err_set(err, EX_IOERR, "cannot read %s: %s", path, strerror(errno));
        journal_frames_close(f);
        return -1;
    }
    f->bytes = (uint64_t)st.st_size;
    return 1;
}

void journal_frames_close(struct journal_frames *f)
{
    if (f->fd >= 0)
        (void)close(f->fd);
    free(f->window);
    *f = (struct journal_frames){.fd = -1};
}

void journal_frames_seek(struct journal_frames *f, uint64_t offset)
{
    f->offset = offset;
}

static enum journal_frame_state look(const struct journal_frames *f, struct journal_frame *frame)
{
    struct slice read = {f->window, f->len};

    if (f->offset < f->start || f->offset - f->start > f->len)
        read = SLICE_NONE;
    return journal_frame_parse(slice_from(read, (size_t)(f->offset - f->start)), frame);
}

static int window_fill(struct journal_frames *f, size_t wanted, struct err *err)
{
    ssize_t got;

    if (wanted > f->room) {
        char *grown = realloc(f->window, wanted);

        if (grown == NULL)
            return err_set(err, EX_OSERR, "cannot read the journal: out of memory");
        f->window = grown;
        f->room = wanted;
    }
    f->start = f->offset;
    do
        got = pread(f->fd, f->window, f->room, (off_t)f->start);
    while (got < 0 && errno == EINTR);
    f->len = got < 0 ? 0 : (size_t)got;
    return got < 0 ? err_set(err, EX_IOERR, "cannot read the journal: %s", strerror(errno)) : 0;
}

/* What is not good is read again: the writer may have been in the middle of it. */
int journal_frames_next(struct journal_frames *f, struct journal_frame *frame,
                        enum journal_frame_state *state, struct err *err)
{
    *state = look(f, frame);
    for (int tries = 0; *state != FRAME_GOOD && tries < READ_TRIES; tries++) {
        if (window_fill(f, frame->size > WINDOW_BYTES ? frame->size : WINDOW_BYTES, err) != 0)
            return -1;
        *state = look(f, frame);
        if (*state == FRAME_SHORT && f->len < f->room)
            break;
    }
    if (*state == FRAME_GOOD)
        f->offset += frame->size;
    return 0;
}
