/* follow_buffer: lines as a plain splitter gives them, however the bytes arrive; long lines are
 * cut, NULs taken out, the bytes before a place are kept. */
#include "t/tap.h"

#include <stdlib.h>

#include "collect/follow_buffer.h"
#include "t/random.h"

#define LINE_MAX_BYTES ((size_t)1000)

static char source[3 << 20];
static size_t source_len;

static void put(const char *bytes, size_t len)
{
    memcpy(source + source_len, bytes, len);
    source_len += len;
}

static void fill(char byte, size_t len)
{
    memset(source + source_len, byte, len);
    source_len += len;
}

struct reading {
    struct follow_buffer b;
    size_t read, lines, wrong;
    uint64_t nuls;
    char seen[4096]; /* first bytes of the lines, each with a '|' */
    size_t seen_len;
};

static void see(struct reading *r, struct slice line)
{
    struct slice first = slice_to(line, 20);
    struct slice tail = follow_buffer_tail(&r->b);

    r->lines++;
    if (r->seen_len + first.len + 1 < sizeof r->seen) {
        memcpy(r->seen + r->seen_len, first.ptr, first.len);
        r->seen_len += first.len;
        r->seen[r->seen_len++] = '|';
    }
    r->wrong += line.len > LINE_MAX_BYTES || r->b.offset > source_len ||
                tail.len != (r->b.offset < 64 ? r->b.offset : 64) ||
                memcmp(tail.ptr, source + r->b.offset - tail.len, tail.len) != 0;
}

/* Gives the source in pieces of at most `piece` bytes. */
static void read_all(struct reading *r, struct random_source *random, uint32_t piece)
{
    struct slice line, last;
    uint64_t nuls;

    *r = (struct reading){0};
    if (follow_buffer_init(&r->b, LINE_MAX_BYTES) != 0)
        abort();
    follow_buffer_begin(&r->b, 0, SLICE_NONE);
    for (;;) {
        enum follow_cut cut = follow_buffer_cut(&r->b, &line, &nuls);
        size_t room, len = 1 + random_below(random, piece);
        char *to;

        if (cut == FOLLOW_CUT_LINE)
            see(r, line);
        if (cut == FOLLOW_CUT_NULS)
            r->nuls += nuls;
        if (cut != FOLLOW_CUT_NOTHING)
            continue;
        r->wrong += follow_buffer_read_offset(&r->b) != r->read;
        last = follow_buffer_last(&r->b);
        r->wrong += last.len > r->read || memcmp(last.ptr, source + r->read - last.len, last.len);
        if (r->read == source_len)
            break;
        to = follow_buffer_room(&r->b, &room);
        len = len < room ? len : room;
        len = len < source_len - r->read ? len : source_len - r->read;
        r->wrong += room == 0;
        memcpy(to, source + r->read, len);
        follow_buffer_added(&r->b, len);
        r->read += len;
    }
}

static void test_lines(struct random_source *random)
{
    static const uint32_t pieces[] = {1, 7, 100, 5000, 300000};
    size_t lines = 0;

    source_len = 0;
    while (source_len < 100000) {
        fill((char)('a' + random_below(random, 26)), random_below(random, 200));
        put("\n", 1);
        lines++;
    }
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct reading r;

        read_all(&r, random, pieces[i]);
        IS_INT(r.lines, lines, "as many lines as '\\n'");
        IS_INT(r.wrong, 0, "places and the bytes before them are right");
        IS_INT(r.nuls, 0, "no NULs");
        IS_INT(r.b.offset, source_len, "the last place is the end");
        follow_buffer_fini(&r.b);
    }
}

static const struct buffer_case {
    const char *name;
    size_t long_before; /* a line of that many bytes stands first */
    struct slice text;
    const char *lines;
    uint64_t nuls;
    const char *rest;
} cases[] = {
    {"plain", 0, SLICE("one\ntwo\n"), "one|two|", 0, ""},
    {"empty lines", 0, SLICE("\n\none\n"), "||one|", 0, ""},
    {"a part", 0, SLICE("one\ntw"), "one|", 0, "tw"},
    {"a line over the limit", 5000, SLICE("two\n"), "xxxxxxxxxxxxxxxxxxxx|two|", 0, ""},
    {"a line over the buffer", 300000, SLICE("two\nthree\n"), "xxxxxxxxxxxxxxxxxxxx|two|three|", 0,
     ""},
    {"a line of many buffers", 2000000, SLICE("two\n"), "xxxxxxxxxxxxxxxxxxxx|two|", 0, ""},
    {"NULs between lines", 0, SLICE("one\n\0\0\0\0two\n"), "one|two|", 4, ""},
    {"NULs in a line", 0, SLICE("one\ntor\0\0two\n"), "one|two|", 5, ""},
    {"NULs before the '\\n'", 0, SLICE("one\ntor\0\0\ntwo\n"), "one|two|", 5, ""},
    {"NULs twice in a line", 0, SLICE("\0a\0\0b\n"), "b|", 4, ""},
    {"NULs behind a long line", 300000, SLICE("\0\0two\n"), "xxxxxxxxxxxxxxxxxxxx|two|", 2, ""},
};

static void test_case(const struct buffer_case *c, struct random_source *random)
{
    static const uint32_t pieces[] = {3, 300000};
    struct reading r;
    struct slice rest = SLICE_NONE;

    printf("# %s\n", c->name);
    source_len = 0;
    if (c->long_before > 0) {
        fill('x', c->long_before);
        put("\n", 1);
    }
    put(c->text.ptr, c->text.len);
    for (size_t i = 0; i < 2; i++) {
        read_all(&r, random, pieces[i]);
        IS_SLICE(((struct slice){r.seen, r.seen_len}), slice_str(c->lines), "lines");
        IS_INT(r.nuls, c->nuls, "bytes taken out");
        IS_INT(r.wrong, 0, "places");
        IS_INT(follow_buffer_has_part(&r.b), c->rest[0] != '\0', "is there a part?");
        (void)follow_buffer_cut_rest(&r.b, &rest);
        IS_SLICE(rest, slice_str(c->rest), "the part");
        IS_INT(r.b.offset, source_len, "the last place is the end");
        follow_buffer_fini(&r.b);
    }
}

/* A hole of many buffers with half a line before it and a whole one behind. */
static void test_hole(struct random_source *random)
{
    struct reading r;
    uint64_t nuls;

    source_len = 0;
    put("one\ntor", 7);
    fill('\0', 1000000);
    put("two\n", 4);
    fill('\0', 5000);
    read_all(&r, random, 100000);
    IS_SLICE(((struct slice){r.seen, r.seen_len}), SLICE("one|two|"), "lines around a hole");
    IS_INT(r.nuls, 1000003, "its bytes are counted, with the torn line");
    IS_INT(follow_buffer_cut_nuls(&r.b, &nuls), FOLLOW_CUT_NULS, "NULs at the end are told there");
    IS_INT(nuls, 5000, "all of them");
    IS_INT(follow_buffer_cut_nuls(&r.b, &nuls), FOLLOW_CUT_NOTHING, "once");
    IS_INT(r.wrong, 0, "places");
    follow_buffer_fini(&r.b);
}

static void test_begin(void)
{
    struct follow_buffer b;

    if (follow_buffer_init(&b, LINE_MAX_BYTES) != 0)
        abort();
    follow_buffer_begin(&b, 1000, SLICE("before\n"));
    IS_INT(follow_buffer_read_offset(&b), 1000, "begins in the middle of a source");
    IS_SLICE(follow_buffer_tail(&b), SLICE("before\n"), "with the bytes before");
    OK(!follow_buffer_has_part(&b), "which are not given");
    follow_buffer_fini(&b);
}

int main(void)
{
    struct random_source seed = {4};

    test_lines(&seed);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        test_case(&cases[i], &seed);
    test_hole(&seed);
    test_begin();
    return tap_done();
}
