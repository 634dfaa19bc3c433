#include "collect/follow_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/sys/clock.h"

#define NS_PER_MS    INT64_C(1000000)
#define LEFT_MS      ((int64_t)600 * 1000) /* how long a file that was left is looked at */
#define WATCH_EVENTS (IN_MODIFY | IN_MOVE_SELF)

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

void follow_state_fini(struct follow_file *f)
{
    follow_stream_close(&f->stream);
    close_fd(&f->inotify);
    close_fd(&f->left.fd);
}

void follow_state_gap(struct follow_file *f, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(f->reason, sizeof f->reason, format, ap);
    va_end(ap);
}

static void watch(struct follow_file *f)
{
    char name[64];

    if (f->inotify < 0)
        return;
    if (f->watch >= 0)
        (void)inotify_rm_watch(f->inotify, f->watch);
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", f->stream.fd);
    f->watch =
        f->stream.packing == FOLLOW_PLAIN ? inotify_add_watch(f->inotify, name, WATCH_EVENTS) : -1;
}

/* Keeps the descriptor of the file that was read, to see whether more is written to it. */
static void leave(struct follow_file *f, int64_t now_ms)
{
    if (!f->stream.is_open || f->is_final || f->stream.packing != FOLLOW_PLAIN)
        return;
    close_fd(&f->left.fd);
    f->left.fd = f->stream.fd;
    f->left.end = follow_buffer_read_offset(&f->stream.buffer);
    f->left.since_ms = now_ms;
    f->stream.fd = -1;
}

/* Since when has it not been written to? What was written long ago and is only read now counts from
 * then. */
void follow_state_note_quiet(struct follow_file *f, int64_t now_ms)
{
    int64_t age_ms = clock_unix_ms() - follow_stream_written_ns(&f->stream) / NS_PER_MS;

    age_ms = age_ms > FOLLOW_PART_MS ? FOLLOW_PART_MS : age_ms;
    f->quiet_since_ms = now_ms - (age_ms > 0 ? age_ms : 0);
}

void follow_state_take(struct follow_file *f, struct follow_stream *s, int64_t now_ms)
{
    leave(f, now_ms);
    follow_stream_close(&f->stream);
    f->stream = *s;
    *s = (struct follow_stream){.fd = -1};
    f->is_final = f->is_copy || f->stream.packing != FOLLOW_PLAIN;
    follow_state_note_quiet(f, now_ms);
    f->has_at = f->was_truncated = false;
    watch(f);
}

void follow_state_position(const struct follow_file *f, struct follow_position *p)
{
    if (!f->stream.is_open) {
        *p = f->at;
        return;
    }
    follow_stream_position(&f->stream, p);
    p->is_copy = f->is_copy;
}

void follow_state_lose(struct follow_file *f)
{
    follow_state_position(f, &f->at);
    f->has_at = f->was_truncated = true;
    follow_stream_close(&f->stream);
}

void follow_state_look_back(struct follow_file *f, int64_t now_ms)
{
    struct stat st;

    if (f->left.fd < 0)
        return;
    if (fstat(f->left.fd, &st) == 0 && (uint64_t)st.st_size > f->left.end) {
        follow_state_gap(f, "%" PRIu64 " bytes were written to a rotated file after the next one",
                         (uint64_t)st.st_size - f->left.end);
        f->left.end = (uint64_t)st.st_size;
    }
    if (now_ms - f->left.since_ms > LEFT_MS)
        close_fd(&f->left.fd);
}
