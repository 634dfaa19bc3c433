/*
 * What the log on standard input makes Dovecot's machine and the filters' count, for tests that
 * compare it with what their clients did. Zone UTC, hosted are host.test and vmbox.test.
 *
 *     machine_dump [spamd|amavis|rspamd]
 */
#include "t/collect/machine_fixture.h"

#include "collect/dovecot.h"
#include "collect/filters.h"

static const struct shape *line(struct machine *m, const struct log_line *l)
{
    const struct shape *shape = dovecot_line(m, l);

    return shape != NULL ? shape : filters_line(m, l);
}

static void types(struct open_book *b)
{
    dovecot_types(b);
    filters_types(b);
}

int main(int argc, char **argv)
{
    static const struct fixture_part part = {line, dovecot_tick, types};
    static struct fixture f;
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    struct buf log;
    size_t got;

    buf_init(&log, (size_t)64 << 20);
    do {
        char bytes[4096];

        got = fread(bytes, 1, sizeof bytes, stdin);
        buf_add(&log, (struct slice){bytes, got});
    } while (got > 0);
    fixture_init(&f, &part);
    f.bounds = (struct read_time_bounds){now_ms, now_ms};
    if (argc > 1 && strcmp(argv[1], "amavis") == 0)
        f.rules.spam_service = SPAM_AMAVIS;
    if (argc > 1 && strcmp(argv[1], "rspamd") == 0)
        f.rules.spam_service = SPAM_RSPAMD;
    fixture_run(&f, FIXTURE_FOLDS, buf_slice(&log));
    printf("%.*s", SLICE_FMT(fixture_text(&f, false)));
    fixture_fini(&f);
    buf_fini(&log);
    return 0;
}
