#include "collect/follow.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "collect/follow_file.h"
#include "collect/follow_journal.h"

#define JOURNAL_PREFIX "journal:"

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
