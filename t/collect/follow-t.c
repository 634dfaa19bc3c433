/* follow: positions that are taken at odd moments. */
#include "t/tap.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collect/follow.h"
#include "lib/sys/clock.h"

static char dir[] = "/tmp/tg-follow-XXXXXX", path[64], rotated[64];

static void append(const char *text)
{
    FILE *f = fopen(path, "ae");

    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        abort();
}

static struct follow *open_at(const struct follow_position *at)
{
    const struct follow_options options = {FOLLOW_ONCE, FOLLOW_FROM_END, 0};
    struct err err = {0};
    struct follow *f = follow_open(path, &options, at, &err);

    if (f == NULL)
        abort();
    return f;
}

/* All lines, joined by blanks; a gap is "gap". */
static struct slice all_lines(struct follow *f)
{
    static char text[4096];
    size_t len = 0;
    struct slice line;
    struct gap gap;
    int64_t now_ms = 1000000;

    for (;;) {
        enum follow_result result = follow_next(f, now_ms, &line, &gap, NULL);

        if (result == FOLLOW_END || result == FOLLOW_ERROR)
            return (struct slice){text, len};
        if (result == FOLLOW_NOTHING)
            now_ms += 10000;
        else
            len += (size_t)snprintf(text + len, sizeof text - len, "%.*s ",
                                    SLICE_FMT(result == FOLLOW_LINE ? line : SLICE("gap")));
    }
}

/* What a follower gives that begins at that position after the log was rotated. */
static void after_rotation(struct follow *before, const char *want, const char *what)
{
    struct follow_position at;
    struct follow *f;

    follow_position(before, &at);
    follow_close(before);
    if (rename(path, rotated) != 0)
        abort();
    append("new\n");
    f = open_at(&at);
    IS_SLICE(all_lines(f), slice_str(want), what);
    follow_close(f);
    (void)unlink(path);
    (void)unlink(rotated);
}

static void copy_and_truncate(void)
{
    char command[256];

    (void)snprintf(command, sizeof command, "cp %s %s && : > %s", path, rotated, path);
    if (system(command) != 0)
        abort();
}

static int fits(const struct follow_position *at)
{
    return follow_fits(path, at, clock_monotonic_ms() + 80000, NULL);
}

static void test_fits(void)
{
    struct follow *f;
    struct follow_position at, wrong;

    append("old\n");
    f = open_at(NULL);
    (void)all_lines(f);
    follow_position(f, &at);
    follow_close(f);
    IS_INT(fits(&at), 1, "a position at the end of a log fits");
    copy_and_truncate();
    append("new and longer\n");
    IS_INT(fits(&at), 1, "also when the log was copied and truncated, with a gap behind it");
    wrong = at;
    wrong.head_crc ^= 1;
    IS_INT(fits(&wrong), 0, "one of another log does not");
    (void)unlink(rotated);
    IS_INT(fits(&at), 0, "nor does one in a file that is gone");
    (void)unlink(path);
    IS_INT(follow_fits(path, &at, clock_monotonic_ms() + 200, NULL), -1,
           "without any file it cannot be told");
}

/* What is written before the first look is new, too. */
static void test_from_end(void)
{
    const struct follow_options options = {FOLLOW_LIVE, FOLLOW_FROM_END, 0};
    struct slice line = SLICE("");
    struct err err = {0};
    struct follow *f;
    struct gap gap;

    append("old\n");
    f = follow_open(path, &options, NULL, &err);
    append("new\n");
    OK(f != NULL && follow_next(f, clock_monotonic_ms(), &line, &gap, &err) == FOLLOW_LINE,
       err.text);
    IS_SLICE(line, SLICE("new"), "from its end as it was when it was opened");
    follow_close(f);
    (void)unlink(path);
}

int main(void)
{
    struct follow *f;

    if (mkdtemp(dir) == NULL)
        abort();
    (void)snprintf(path, sizeof path, "%s/log", dir);
    (void)snprintf(rotated, sizeof rotated, "%s/log.1", dir);

    f = open_at(NULL);
    IS_SLICE(all_lines(f), SLICE(""), "there is no file");
    append("first\n");
    after_rotation(f, "first new ", "a position that was taken before there was one");

    append("");
    f = open_at(NULL);
    IS_SLICE(all_lines(f), SLICE(""), "an empty file");
    append("first\n");
    after_rotation(f, "first new ", "a position that was taken before the first line was read");

    append("old\n");
    after_rotation(open_at(NULL), "", "before the first reading there is no position");
    test_fits();
    test_from_end();
    (void)rmdir(dir);
    return tap_done();
}
