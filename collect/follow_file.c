#include "collect/follow_file.h"

#include <inttypes.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "collect/follow_find.h"
#include "lib/sys/clock.h"

#define NS_PER_MS INT64_C(1000000)

/* From its end means as it is now, not at the first read. What fails is tried again then. */
static void begin_now(struct follow_file *f)
{
    struct err why;

    if (!f->has_at && f->options.mode == FOLLOW_LIVE && f->options.from == FOLLOW_FROM_END)
        (void)!follow_find_begin(f, clock_monotonic_ms(), &why);
}

int follow_file_init(struct follow_file *f, const char *path, const struct follow_options *options,
                     const struct follow_position *at, struct err *err)
{
    *f = (struct follow_file){.path = path,
                              .options = *options,
                              .stream = {.fd = -1},
                              .inotify = -1,
                              .watch = -1,
                              .left = {.fd = -1}};
    if (options->mode == FOLLOW_WHOLE)
        return follow_stream_open(&f->stream, path, err);
    if (strcmp(path, "-") == 0)
        return err_set(err, EX_CONFIG, "standard input can only be read as a whole (--once)");
    /* Without it (there is a limit for each user) a look once in a second has to do. */
    if (options->mode == FOLLOW_LIVE)
        f->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    f->has_at = at != NULL && at->written_ns != FOLLOW_STATE_NOT_BEGUN;
    if (f->has_at)
        f->at = *at;
    else
        f->at.written_ns = FOLLOW_STATE_NOT_BEGUN;
    begin_now(f);
    return 0;
}

/* --- what comes next -------------------------------------------------------------------------- */

static bool is_live(const struct follow_file *f)
{
    struct stat st;

    return stat(f->path, &st) == 0 && follow_stream_dev(st.st_dev) == f->stream.dev &&
           st.st_ino == f->stream.inode;
}

/* Nothing there now. */
static enum follow_result idle(struct follow_file *f, int64_t now_ms)
{
    follow_state_look_back(f, now_ms);
    return f->options.mode == FOLLOW_LIVE ? FOLLOW_NOTHING : FOLLOW_END;
}

/* What a search found is open (1), or there is nothing to go on with (0), for now. */
static enum follow_result after_search(struct follow_file *f, int64_t now_ms, int found,
                                       bool *again)
{
    *again = found > 0;
    if (found < 0)
        return FOLLOW_ERROR;
    return found > 0 || f->is_rotating ? FOLLOW_NOTHING : idle(f, now_ms);
}

/* At the end of a file that is not the live one. */
static enum follow_result at_rotated_end(struct follow_file *f, int64_t now_ms, struct slice *line,
                                         bool *again, struct err *err)
{
    int64_t quiet_ms = now_ms - f->quiet_since_ms;

    if (follow_buffer_has_part(&f->stream.buffer)) {
        if (!f->is_final && quiet_ms < FOLLOW_PART_MS)
            return idle(f, now_ms);
        (void)follow_buffer_cut_rest(&f->stream.buffer, line);
        return FOLLOW_LINE;
    }
    if (!f->is_final && quiet_ms < FOLLOW_QUIET_MS)
        return FOLLOW_NOTHING;
    return after_search(f, now_ms, follow_find_next(f, now_ms, err), again);
}

static enum follow_result at_end(struct follow_file *f, int64_t now_ms, struct slice *line,
                                 bool *again, struct err *err)
{
    struct follow_buffer *b = &f->stream.buffer;
    uint64_t nuls;

    if (follow_buffer_cut_nuls(b, &nuls) == FOLLOW_CUT_NULS) {
        follow_state_gap(f, "%" PRIu64 " bytes were lost in a crash", nuls);
        *again = true;
        return FOLLOW_NOTHING;
    }
    if (f->options.mode == FOLLOW_WHOLE)
        return follow_buffer_cut_rest(b, line) == FOLLOW_CUT_LINE ? FOLLOW_LINE : FOLLOW_END;
    if (is_live(f))
        return idle(f, now_ms);
    return at_rotated_end(f, now_ms, line, again, err);
}

/* Events are taken before the file is read, so that none is lost in between. */
static void take_events(const struct follow_file *f)
{
    char events[4096];

    while (f->inotify >= 0 && read(f->inotify, events, sizeof events) > 0)
        continue;
}

static enum follow_result read_on(struct follow_file *f, int64_t now_ms, struct slice *line,
                                  bool *again, struct err *err)
{
    take_events(f);
    *again = true;
    switch (follow_stream_read(&f->stream, err)) {
    case FOLLOW_READ_SOME:
        follow_state_note_quiet(f, now_ms);
        return FOLLOW_NOTHING;
    case FOLLOW_READ_TRUNCATED:
        follow_state_lose(f);
        return FOLLOW_NOTHING;
    case FOLLOW_READ_DAMAGED:
        if (!f->stream.is_damage_told)
            follow_state_gap(f, "a compressed log file is damaged from byte %" PRIu64 " on",
                             follow_buffer_read_offset(&f->stream.buffer));
        *again = !f->stream.is_damage_told;
        f->stream.is_damage_told = true;
        return *again ? FOLLOW_NOTHING : at_end(f, now_ms, line, again, err);
    case FOLLOW_READ_END:
        *again = false;
        return at_end(f, now_ms, line, again, err);
    default:
        return FOLLOW_ERROR;
    }
}

/* One step: a line, a gap, or *again. */
static enum follow_result step(struct follow_file *f, int64_t now_ms, struct slice *line,
                               bool *again, struct err *err)
{
    uint64_t nuls;

    *again = true;
    if (!f->stream.is_open)
        return after_search(f, now_ms, follow_find_begin(f, now_ms, err), again);
    switch (follow_buffer_cut(&f->stream.buffer, line, &nuls)) {
    case FOLLOW_CUT_LINE:
        return FOLLOW_LINE;
    case FOLLOW_CUT_NULS:
        follow_state_gap(f, "%" PRIu64 " bytes were lost in a crash", nuls);
        return FOLLOW_NOTHING;
    default:
        return read_on(f, now_ms, line, again, err);
    }
}

enum follow_result follow_file_next(struct follow_file *f, int64_t now_ms, struct slice *line,
                                    struct gap *gap, struct err *err)
{
    enum follow_result result;
    bool again;

    f->reason[0] = '\0';
    do {
        result = step(f, now_ms, line, &again, err);
        if (f->reason[0] != '\0') {
            *gap = (struct gap){.reason = slice_str(f->reason)};
            return FOLLOW_GAP;
        }
    } while (result == FOLLOW_NOTHING && again);
    return result;
}
