#include "collect/follow.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "collect/follow_file.h"
#include "collect/follow_journal.h"
#include "lib/sys/clock.h"

#define JOURNAL_PREFIX "journal:"
#define LOOK_MS        100 /* between two looks for a place */

struct follow {
    char *source;
    bool is_journal;
    struct follow_file file;
    struct follow_journal journal;
};

static void release(struct follow *f)
{
    if (f->is_journal)
        follow_journal_fini(&f->journal);
    else
        follow_state_fini(&f->file);
    free(f->source);
    free(f);
}

void follow_close(struct follow *f)
{
    if (f != NULL)
        release(f);
}

static int init(struct follow *f, const struct follow_options *options,
                const struct follow_position *at, struct err *err)
{
    size_t prefix = strlen(JOURNAL_PREFIX);

    f->is_journal = strncmp(f->source, JOURNAL_PREFIX, prefix) == 0;
    if (f->is_journal)
        return follow_journal_init(&f->journal, f->source + prefix, options, at, err);
    return follow_file_init(&f->file, f->source, options, at, err);
}

struct follow *follow_open(const char *source, const struct follow_options *options,
                           const struct follow_position *at, struct err *err)
{
    struct follow *f = calloc(1, sizeof *f);

    if (f != NULL)
        f->source = strdup(source);
    if (f == NULL || f->source == NULL) {
        free(f);
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    if (init(f, options, at, err) == 0)
        return f;
    release(f);
    return NULL;
}

enum follow_result follow_next(struct follow *f, int64_t now_ms, struct slice *line,
                               struct gap *gap, struct err *err)
{
    return f->is_journal ? follow_journal_next(&f->journal, now_ms, line, gap, err)
                         : follow_file_next(&f->file, now_ms, line, gap, err);
}

void follow_position(const struct follow *f, struct follow_position *p)
{
    if (f->is_journal)
        follow_journal_position(&f->journal, p);
    else
        follow_state_position(&f->file, p);
}

int follow_fd(const struct follow *f)
{
    return f->is_journal ? f->journal.fd : f->file.inotify;
}

uint64_t follow_lag_bytes(const struct follow *f)
{
    return f->is_journal ? 0 : follow_stream_lag(&f->file.stream);
}

/* --- does a position fit? --------------------------------------------------------------------- */

/* -1: not known yet. */
static int has_fitted(const struct follow *f, enum follow_result last)
{
    const struct follow_journal *j = &f->journal;

    if (!f->is_journal)
        return f->file.stream.is_open ? !f->file.is_misfit : -1;
    if (j->was_refused || j->has_held)
        return 0;
    if (!j->looks_for_at)
        return 1;
    return last == FOLLOW_END ? 0 : -1;
}

static void wait_for_more(const struct follow *f, int64_t ms)
{
    struct pollfd p = {follow_fd(f), POLLIN, 0};

    (void)poll(&p, 1, ms < LOOK_MS ? (int)ms : LOOK_MS);
}

int follow_fits(const char *source, const struct follow_position *at, int64_t deadline_ms,
                struct err *err)
{
    struct follow_options options = {.mode = FOLLOW_ONCE, .from = FOLLOW_FROM_END};
    struct follow *f = follow_open(source, &options, at, err);
    enum follow_result last = FOLLOW_GAP;
    struct slice line;
    struct gap gap;
    int fits = -1;
    int64_t left_ms;

    if (f == NULL)
        return -1;
    while (fits < 0 && last != FOLLOW_ERROR && (left_ms = deadline_ms - clock_monotonic_ms()) > 0) {
        if (last == FOLLOW_NOTHING)
            wait_for_more(f, left_ms);
        last = follow_next(f, clock_monotonic_ms(), &line, &gap, err);
        fits = has_fitted(f, last);
        if (last == FOLLOW_END)
            break;
    }
    if (fits < 0 && last != FOLLOW_ERROR)
        (void)err_set(err, EX_UNAVAILABLE, "%s: nothing to be read in time", source);
    follow_close(f);
    return fits;
}
