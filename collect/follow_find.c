#include "collect/follow_find.h"

#include <string.h>
#include <sysexits.h>

#include "collect/follow_siblings.h"
#include "lib/sys/clock.h"

#define NS_PER_MS INT64_C(1000000)

/* Files of one listing, and what could not be looked at. */
struct search {
    struct follow_file *f;
    int64_t now_ms;
    struct follow_siblings all;
    struct follow_stream stream; /* that which is tried */
    struct err unreadable;       /* code 0: all could be read */
    bool has_changed;            /* a rotation is under way: nothing can be concluded */
};

/* How often a search is begun anew in one call, and the pause before. */
#define ROUNDS   5
#define PAUSE_MS 8
/* A folder whose names change all the time is looked at all the same after so long. */
#define RESTLESS_MS 60000
/* A rotated file may be written to for so long after the new one was made. */
#define LATE_NS (INT64_C(600) * 1000 * NS_PER_MS)

/* 1: open; 0: it could not be read (noted), or it is another file by now; -1: not now. */
static int open_sibling(struct search *s, const struct follow_sibling *one, struct err *err)
{
    struct err why = {0};

    follow_stream_close(&s->stream);
    if (follow_stream_open(&s->stream, one->path, &why) == 0) {
        if (s->stream.dev == one->dev && s->stream.inode == one->inode)
            return 1;
        follow_stream_close(&s->stream);
        why.code = EX_NOINPUT;
    }
    if (why.code == EX_NOINPUT) {
        s->has_changed = true;
        return 0;
    }
    if (one->is_live || (why.code != EX_NOPERM && why.code != EX_UNAVAILABLE))
        return err_set(err, why.code, "%s", why.text);
    s->unreadable = why;
    return 0;
}

/* How the position fits that file; 0 as for one that begins otherwise where it cannot be read. */
static enum follow_fit try(struct search *s, const struct follow_sibling *one,
                           const struct follow_position *at, struct err *err)
{
    int opened = open_sibling(s, one, err);

    if (opened <= 0)
        return opened < 0 ? FOLLOW_FIT_ERROR : FOLLOW_FIT_NONE;
    return follow_stream_seek(&s->stream, at, err);
}

/* Is that file a copy of the live one, which is being made or was made just now? */
static int is_copy_of_live(struct search *s, const struct follow_sibling *one, struct err *err)
{
    const struct follow_sibling *live = follow_siblings_live(&s->all);
    struct follow_position head = {0};
    struct follow_stream *stream = &s->stream;
    int opened;

    if (live == NULL || one == live || one->packing != FOLLOW_PLAIN)
        return 0;
    opened = open_sibling(s, one, err);
    if (opened <= 0)
        return opened;
    head.head_len = stream->head_len;
    head.head_crc = stream->head_crc;
    if (head.head_len == 0)
        return 0;
    switch (try(s, live, &head, err)) {
    case FOLLOW_FIT_ERROR:
        return -1;
    case FOLLOW_FIT_GOOD:
        return 1;
    default:
        return 0;
    }
}

/* Takes that file, from its beginning. */
static int take_whole(struct search *s, const struct follow_sibling *one, struct err *err)
{
    int result = one == NULL ? 0 : is_copy_of_live(s, one, err);

    if (one == NULL || result < 0)
        return result;
    if (result > 0)
        one = follow_siblings_live(&s->all);
    result = open_sibling(s, one, err);
    if (result == 0 && s->unreadable.code != 0)
        return err_set(err, s->unreadable.code, "%s", s->unreadable.text);
    if (result <= 0)
        return result;
    s->f->is_copy = s->f->is_copy && !one->is_live;
    follow_state_take(s->f, &s->stream, s->now_ms);
    return 1;
}

/* --- the first -------------------------------------------------------------------------------- */

/* The file that is open, from its end. */
static int take_from_end(struct search *s, struct err *err)
{
    if (follow_stream_seek_end(&s->stream, err) != 0)
        return -1;
    follow_state_take(s->f, &s->stream, s->now_ms);
    return 1;
}

/* That file is not there: what comes, and was written after that time, is new. */
static int begin_later(struct follow_file *f, int64_t since_ns)
{
    f->has_at = true;
    f->at.written_ns = since_ns;
    return 0;
}

/* Without a position, from the end of what is there at this moment, whatever names do. */
static int begin_end(struct search *s, struct err *err)
{
    struct follow_file *f = s->f;
    struct err why = {0};

    if (follow_stream_open(&s->stream, f->path, &why) != 0)
        return why.code == EX_NOINPUT ? begin_later(f, clock_unix_ms() * NS_PER_MS)
                                      : err_set(err, why.code, "%s", why.text);
    if (s->stream.packing == FOLLOW_PIPE)
        return err_set(err, EX_CONFIG, "%s is no regular file; only such a file can be followed",
                       f->path);
    return take_from_end(s, err);
}

static int begin_start(struct search *s, struct err *err)
{
    int64_t since_ns = s->f->options.since_ms * NS_PER_MS;
    int result = take_whole(s, follow_siblings_after(&s->all, since_ns), err);

    if (result == 0 && !s->has_changed && follow_siblings_live(&s->all) == NULL)
        return begin_later(s->f, since_ns);
    return result;
}

/* No byte of the file was known: what was written since. */
static int begin_unknown(struct search *s, struct err *err)
{
    const struct follow_sibling *one = follow_siblings_after(&s->all, s->f->at.written_ns);

    return take_whole(s, one != NULL ? one : follow_siblings_live(&s->all), err);
}

/* Was the file at the path emptied since? Its birth time tells it from a new file that was given
 * the same inode. */
static bool is_truncated(const struct search *s, enum follow_fit live_fit)
{
    const struct follow_position *at = &s->f->at;

    return s->f->was_truncated ||
           (live_fit == FOLLOW_FIT_NONE && s->stream.is_open && s->stream.dev == at->dev &&
            s->stream.inode == at->inode && s->stream.birth_ns == at->birth_ns);
}

/* The file of the position is nowhere. */
static int begin_lost(struct search *s, struct err *err)
{
    struct follow_file *f = s->f;
    struct follow_sibling *live = follow_siblings_live(&s->all);
    const struct follow_sibling *next = follow_siblings_after(&s->all, f->at.written_ns);
    bool truncated = f->was_truncated;
    int result;

    if (s->has_changed || (live == NULL && next == NULL))
        return 0;
    /* It may be in the one that cannot be read; that can be mended, a gap cannot. */
    if (s->unreadable.code != 0)
        return err_set(err, s->unreadable.code, "%s", s->unreadable.text);
    if (truncated && live != NULL)
        next = live;
    f->is_copy = false;
    result = next != NULL ? take_whole(s, next, err) : open_sibling(s, live, err);
    if (result > 0 && next == NULL)
        result = take_from_end(s, err);
    if (result <= 0)
        return result;
    f->is_misfit = true;
    follow_state_gap(f, "%s",
                     truncated ? "copytruncate: the copy was not found"
                               : "the file of the last position is gone");
    return 1;
}

/* That file holds the position, more or less. */
static int take_fitting(struct search *s, const struct follow_sibling *one, enum follow_fit fit)
{
    struct follow_file *f = s->f;

    f->is_copy = !one->is_live && (f->was_truncated || f->at.is_copy);
    f->is_misfit = fit == FOLLOW_FIT_CHANGED || (fit == FOLLOW_FIT_SHORT && !f->is_copy);
    if (fit == FOLLOW_FIT_CHANGED)
        follow_state_gap(f, "%s was changed before the last position", one->path);
    if (fit == FOLLOW_FIT_SHORT && !f->is_copy)
        follow_state_gap(f, "%s is shorter than it was", one->path);
    follow_state_take(f, &s->stream, s->now_ms);
    return 1;
}

/* The live file, if it fits; otherwise the oldest sibling that does; otherwise one that almost
 * does. */
static int begin_known(struct search *s, struct err *err)
{
    const struct follow_position *at = &s->f->at;
    struct follow_sibling *live = follow_siblings_live(&s->all), *almost = NULL;
    enum follow_fit fit = live != NULL ? try(s, live, at, err) : FOLLOW_FIT_NONE;

    s->f->was_truncated = is_truncated(s, fit);
    if (fit == FOLLOW_FIT_GOOD)
        return take_fitting(s, live, fit);
    if (fit == FOLLOW_FIT_SHORT || fit == FOLLOW_FIT_CHANGED)
        almost = live;
    for (size_t i = 0; fit != FOLLOW_FIT_ERROR && i < s->all.count; i++) {
        if (&s->all.list[i] == live)
            continue;
        fit = try(s, &s->all.list[i], at, err);
        if (fit == FOLLOW_FIT_GOOD)
            return take_fitting(s, &s->all.list[i], fit);
        if (fit == FOLLOW_FIT_SHORT || fit == FOLLOW_FIT_CHANGED)
            almost = &s->all.list[i];
    }
    if (fit != FOLLOW_FIT_ERROR && almost != NULL && !s->has_changed) {
        fit = try(s, almost, at, err);
        if (fit == FOLLOW_FIT_SHORT || fit == FOLLOW_FIT_CHANGED)
            return take_fitting(s, almost, fit);
    }
    return fit == FOLLOW_FIT_ERROR ? -1 : begin_lost(s, err);
}

static int search_once(struct search *s, int (*choose)(struct search *s, struct err *err),
                       struct err *err)
{
    const struct follow_file *f = s->f;
    bool settled = !f->is_rotating || s->now_ms - f->rotating_since_ms < RESTLESS_MS;
    int result = follow_siblings_list(&s->all, f->path, settled, err);

    s->has_changed = result == 0;
    s->unreadable = (struct err){0};
    if (result > 0)
        result = choose(s, err);
    follow_stream_close(&s->stream);
    follow_siblings_fini(&s->all);
    return result;
}

static int search(struct follow_file *f, int64_t now_ms,
                  int (*choose)(struct search *s, struct err *err), struct err *err)
{
    struct search s = {.f = f, .now_ms = now_ms, .stream = {.fd = -1}};
    int result = 0;

    for (int round = 0; result == 0 && (round == 0 || s.has_changed) && round < ROUNDS; round++) {
        if (round > 0)
            clock_sleep_ms(PAUSE_MS);
        result = search_once(&s, choose, err);
    }
    if (!f->is_rotating)
        f->rotating_since_ms = now_ms;
    f->is_rotating = result == 0 && s.has_changed;
    return result;
}

static int choose_first(struct search *s, struct err *err)
{
    if (!s->f->has_at)
        return begin_start(s, err);
    return s->f->at.head_len == 0 ? begin_unknown(s, err) : begin_known(s, err);
}

int follow_find_begin(struct follow_file *f, int64_t now_ms, struct err *err)
{
    if (!f->has_at && f->options.from == FOLLOW_FROM_END) {
        struct search s = {.f = f, .now_ms = now_ms, .stream = {.fd = -1}};
        int result = begin_end(&s, err);

        follow_stream_close(&s.stream);
        return result;
    }
    return search(f, now_ms, choose_first, err);
}

/* --- the next --------------------------------------------------------------------------------- */

/* Where the open file is in the listing, also when it was compressed since; *found false where it
 * is gone. -1: not now. */
static int find_open(struct search *s, struct follow_sibling **found, struct err *err)
{
    const struct follow_stream *open = &s->f->stream;
    const struct follow_position head = {.head_len = open->head_len, .head_crc = open->head_crc};

    *found = follow_siblings_inode(&s->all, open->dev, open->inode);
    for (size_t i = s->all.count; *found == NULL && open->head_len > 0 && i-- > 0;) {
        struct follow_sibling *one = &s->all.list[i];
        enum follow_fit fit =
            one->packing == FOLLOW_PLAIN ? FOLLOW_FIT_NONE : try(s, one, &head, err);

        if (fit == FOLLOW_FIT_ERROR)
            return -1;
        if (fit == FOLLOW_FIT_GOOD)
            *found = one;
    }
    return 0;
}

static struct follow_sibling *with_data(const struct follow_siblings *all,
                                        struct follow_sibling *one)
{
    while (one != NULL && one->size == 0)
        one = follow_siblings_next(all, one);
    return one;
}

/* Is the open file a copy of the live one? One that was renamed was made before the live file was,
 * and written to until then. Where it was compressed since, only the latter is known. */
static bool is_copied(const struct search *s, int64_t written_ns)
{
    const struct follow_sibling *live = follow_siblings_live(&s->all);
    const struct follow_stream *open = &s->f->stream;

    if (s->f->is_copy || live == NULL || live->birth_ns == 0 || open->birth_ns == 0)
        return s->f->is_copy;
    return open->packing == FOLLOW_PLAIN ? open->birth_ns > live->birth_ns
                                         : written_ns > live->birth_ns + LATE_NS;
}

static int choose_next(struct search *s, struct err *err)
{
    struct follow_file *f = s->f;
    struct follow_sibling *open, *next;
    struct follow_position at;
    bool was_copy;
    int result;

    if (find_open(s, &open, err) != 0)
        return -1;
    if (open == NULL && s->has_changed)
        return 0;
    follow_stream_position(&f->stream, &at);
    was_copy = is_copied(s, at.written_ns);
    next = open != NULL ? follow_siblings_next(&s->all, open)
                        : follow_siblings_after(&s->all, at.written_ns);
    next = with_data(&s->all, next);
    if (next == NULL)
        return 0;
    result = take_whole(s, next, err);
    if (result > 0 && was_copy)
        follow_state_gap(f, "copytruncate: lines between the copying and the truncating are lost, "
                            "if there were any");
    return result;
}

int follow_find_next(struct follow_file *f, int64_t now_ms, struct err *err)
{
    return search(f, now_ms, choose_next, err);
}
