#include "relay/message.h"

#include "t/tap.h"

static void load(struct message *m, struct slice text, size_t portion)
{
    message_init(m, "/tmp");
    while (text.len > 0) {
        message_add(m, slice_to(text, portion));
        text = slice_from(text, portion);
    }
    message_end(m);
}

static void is_whole(struct message *m, struct slice want, const char *what)
{
    struct buf b;
    char *room;

    buf_init(&b, 1 << 20);
    message_add_header(m, &b);
    room = buf_space(&b, (size_t)m->body.len);
    if (spool_read(&m->body, 0, room, (size_t)m->body.len) == (ssize_t)m->body.len)
        b.len += (size_t)m->body.len;
    IS_SLICE(buf_slice(&b), want, what);
    buf_fini(&b);
}

#define TEXT(text)                                                                                 \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

static void test_parts(void)
{
    static const struct {
        const char *what;
        struct slice in, out;
        size_t fields;
        uint64_t body;
    } cases[] = {
        {"plain", TEXT("A: b\r\nC: d\r\n\r\nbody\r\n"), TEXT("A: b\r\nC: d\r\n\r\nbody\r\n"), 2, 6},
        {"folded", TEXT("A: b\r\n c\r\n\td\r\n\r\n"), TEXT("A: b\r\n c\r\n\td\r\n\r\n"), 1, 0},
        {"no blank, empty, blanks kept", TEXT("A:b\r\nC:\r\nD:  e \r\n\r\n"),
         TEXT("A:b\r\nC:\r\nD:  e \r\n\r\n"), 3, 0},
        {"blank before the colon goes", TEXT("X : v\r\n\r\n"), TEXT("X: v\r\n\r\n"), 1, 0},
        {"no empty line", TEXT("A: b\r\nno header\r\n"), TEXT("A: b\r\n\r\nno header\r\n"), 1, 11},
        {"no header at all", TEXT("hello there\r\n"), TEXT("\r\nhello there\r\n"), 0, 13},
        {"a fold of nothing", TEXT(" x\r\nA: b\r\n"), TEXT("\r\n x\r\nA: b\r\n"), 0, 10},
        {"nothing", TEXT(""), TEXT("\r\n"), 0, 0},
        {"only the end of the header", TEXT("\r\n"), TEXT("\r\n"), 0, 0},
        {"dropped, folds and all",
         TEXT("Return-Path: <x>\r\nBcc: a,\r\n b\r\nContent-Length: 5\r\nresent-bcc: x\r\nA: b\r\n"
              "\r\nBcc: not a header\r\n"),
         TEXT("A: b\r\n\r\nBcc: not a header\r\n"), 1, 19},
        {"8-bit in a value", TEXT("A: \xc3\xbc\r\n\r\n"), TEXT("A: \xc3\xbc\r\n\r\n"), 1, 0},
        {"8-bit in a name: no header", TEXT("\xc3: x\r\n\r\n"), TEXT("\r\n\xc3: x\r\n\r\n"), 0, 8},
        {"a colon alone: no header", TEXT(": x\r\n"), TEXT("\r\n: x\r\n"), 0, 5},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t portion = 1; portion < 100; portion += 7) {
            struct message m;

            load(&m, cases[i].in, portion);
            IS_INT(m.field_count, cases[i].fields, cases[i].what);
            IS_INT(m.body.len, cases[i].body, "bytes of the body");
            is_whole(&m, cases[i].out, "as it goes out");
            message_fini(&m);
        }
    }
}

static void test_changes(void)
{
    struct message m;

    load(&m, SLICE("A: 1\r\nB: 2\r\nA: 3\r\n\r\nbody\r\n"), 1000);
    message_insert_field(&m, 0, SLICE("Top"), SLICE(" t"));
    message_insert_field(&m, 2, SLICE("Third"), SLICE(" x"));
    message_add_field(&m, SLICE("Last"), SLICE(" one\n\ttwo\nthree"));
    is_whole(&m,
             SLICE("Top: t\r\nA: 1\r\nThird: x\r\nB: 2\r\nA: 3\r\n"
                   "Last: one\r\n\ttwo\r\n\tthree\r\n\r\nbody\r\n"),
             "inserted and added; no line of a value can become a field");
    message_change_field(&m, 2, SLICE("a"), SLICE(" second"));
    message_change_field(&m, 1, SLICE("B"), SLICE(""));
    message_change_field(&m, 1, SLICE("None"), SLICE(""));
    message_change_field(&m, 1, SLICE("New"), SLICE(" n\n\nBody?"));
    message_change_field(&m, 1, SLICE("Last"), SLICE(" l"));
    is_whole(&m,
             SLICE("Top: t\r\nA: 1\r\nThird: x\r\nA: second\r\nLast: l\r\n"
                   "New: n\r\n\tBody?\r\n\r\nbody\r\n"),
             "changed, deleted, added where there was none");
    message_replace_body(&m, SLICE("new\n"));
    message_replace_body(&m, SLICE("body\r\nend"));
    is_whole(&m,
             SLICE("Top: t\r\nA: 1\r\nThird: x\r\nA: second\r\nLast: l\r\nNew: n\r\n\tBody?\r\n"
                   "\r\nnew\r\nbody\r\nend"),
             "body replaced, lines made whole");
    OK(m.fault == NULL, "no fault");
    message_reset(&m);
    is_whole(&m, SLICE("\r\n"), "empty after reset");
    message_fini(&m);
}

static void add_long(struct buf *b, size_t len)
{
    while (len-- > 0)
        buf_add_char(b, 'x');
}

static void test_limits(void)
{
    struct message m;
    struct buf b;

    buf_init(&b, 64 << 20);
    buf_add(&b, SLICE("A: "));
    add_long(&b, MESSAGE_FIELD_BYTES - 3);
    buf_add(&b, SLICE("\r\n\r\n"));
    load(&m, buf_slice(&b), 16384);
    OK(m.fault == NULL && m.field_count == 1, "the longest field");
    message_fini(&m);

    buf_reset(&b);
    add_long(&b, MESSAGE_FIELD_BYTES + 100);
    buf_add(&b, SLICE("\r\n"));
    load(&m, buf_slice(&b), 16384);
    OK(m.fault != NULL && strncmp(m.fault, "552", 3) == 0, "a header line too long");
    OK(m.line.len <= MESSAGE_FIELD_BYTES + 2, "is not kept");
    message_fini(&m);

    buf_reset(&b);
    buf_add(&b, SLICE("A: x\r\n"));
    for (int i = 0; i < 700; i++) {
        buf_add(&b, SLICE(" "));
        add_long(&b, 98);
        buf_add(&b, SLICE("\r\n"));
    }
    load(&m, buf_slice(&b), 16384);
    OK(m.fault != NULL, "a field too long by its folds");
    message_fini(&m);

    buf_reset(&b);
    for (int i = 0; i < 400; i++) {
        buf_add(&b, SLICE("A: "));
        add_long(&b, 60000);
        buf_add(&b, SLICE("\r\n"));
    }
    load(&m, buf_slice(&b), 16384);
    OK(m.fault != NULL && strncmp(m.fault, "552", 3) == 0, "a header too large");
    message_fini(&m);

    buf_reset(&b);
    for (int i = 0; i < 100000; i++)
        buf_add(&b, SLICE("A: b\r\n"));
    load(&m, buf_slice(&b), 16384);
    OK(m.fault == NULL && m.field_count == 100000, "100,000 short fields are fine");
    message_fini(&m);
    buf_fini(&b);
}

static void test_hops(void)
{
    struct message m;
    struct buf b;

    buf_init(&b, 1 << 20);
    for (int i = 0; i < MESSAGE_HOPS_MAX; i++)
        buf_add(&b, SLICE("Received: x\r\n"));
    load(&m, buf_slice(&b), 16384);
    OK(m.fault == NULL, "50 hops");
    message_fini(&m);
    buf_add(&b, SLICE("received: x\r\n"));
    load(&m, buf_slice(&b), 16384);
    OK(m.fault != NULL && strncmp(m.fault, "554 5.4.6", 9) == 0, "51: a loop");
    message_fini(&m);
    buf_fini(&b);
}

/* A body beyond what is held in memory goes to a file and comes back the same. */
static void test_spool(void)
{
    static char block[100003], back[100003];
    struct spool s;
    uint64_t at = 0;
    int bad = 0;

    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)(i * 31 >> 3);
    spool_init(&s, "/tmp");
    for (int i = 0; i < 5; i++)
        spool_add(&s, (struct slice){block, sizeof block});
    OK(s.fd >= 0 && s.len == 5 * sizeof block, "in a file");
    for (int i = 0; i < 5; i++, at += sizeof block)
        bad += spool_read(&s, at, back, sizeof back) != (ssize_t)sizeof back ||
               memcmp(block, back, sizeof back) != 0;
    IS_INT(bad, 0, "comes back");
    IS_INT(spool_read(&s, at, back, 10), 0, "the end");
    spool_reset(&s);
    OK(s.fd < 0 && s.len == 0 && spool_read(&s, 0, back, 10) == 0, "reset");
    spool_fini(&s);
    spool_init(&s, "/nonexistent");
    for (int i = 0; i < 5; i++)
        spool_add(&s, (struct slice){block, sizeof block});
    OK(s.failed, "no directory: failed, and said so");
    spool_fini(&s);
}

int main(void)
{
    test_parts();
    test_changes();
    test_limits();
    test_hops();
    test_spool();
    return tap_done();
}
