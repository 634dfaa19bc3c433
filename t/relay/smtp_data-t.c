#include "relay/smtp_data.h"

#include "t/tap.h"

struct data_case {
    const char *what;
    struct slice wire;
    enum smtp_data_state state;
    struct slice text;
    size_t left; /* bytes behind the end */
};

#define WIRE(text)                                                                                 \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

static const struct data_case cases[] = {
    {"a line", WIRE("a\r\n.\r\n"), SMTP_DATA_END, WIRE("a\r\n"), 0},
    {"nothing", WIRE(".\r\n"), SMTP_DATA_END, WIRE(""), 0},
    {"an empty line", WIRE("\r\n.\r\n"), SMTP_DATA_END, WIRE("\r\n"), 0},
    {"doubled dots", WIRE("..\r\n...\r\n.a\r\n.\r\n"), SMTP_DATA_END, WIRE(".\r\n..\r\na\r\n"), 0},
    {"dots within", WIRE("a.\r\nb..c\r\n.\r\n"), SMTP_DATA_END, WIRE("a.\r\nb..c\r\n"), 0},
    {"what follows stays", WIRE("a\r\n.\r\nQUIT\r\n"), SMTP_DATA_END, WIRE("a\r\n"), 6},
    {"8-bit", WIRE("\xff\xfe\r\n.\r\n"), SMTP_DATA_END, WIRE("\xff\xfe\r\n"), 0},
    {"unfinished", WIRE("a\r\n."), SMTP_DATA_DOT, WIRE("a\r\n"), 0},
    {"smuggled by LF.LF", WIRE("a\n.\nMAIL"), SMTP_DATA_BARE, WIRE("a"), 6},
    {"smuggled by LF.CRLF", WIRE("a\r\nb\n.\r\nMAIL"), SMTP_DATA_BARE, WIRE("a\r\nb"), 7},
    {"smuggled by CRLF.LF", WIRE("a\r\n.\nMAIL"), SMTP_DATA_BARE, WIRE("a\r\n"), 4},
    {"smuggled by CR.CR", WIRE("a\r.\rMAIL"), SMTP_DATA_BARE, WIRE("a"), 5},
    {"smuggled by CRLF.CR", WIRE("a\r\n.\rMAIL"), SMTP_DATA_BARE, WIRE("a\r\n"), 3},
    {"smuggled by CRLF.CRCR", WIRE("a\r\n.\r\r\n"), SMTP_DATA_BARE, WIRE("a\r\n"), 1},
    {"CR CR LF", WIRE("a\r\r\n.\r\n"), SMTP_DATA_BARE, WIRE("a"), 4},
    {"bare LF at the start", WIRE("\n.\r\n"), SMTP_DATA_BARE, WIRE(""), 3},
    {"NUL", WIRE("a\0b\r\n.\r\n"), SMTP_DATA_NUL, WIRE("a"), 6},
    {"NUL behind a dot", WIRE(".\0\r\n.\r\n"), SMTP_DATA_NUL, WIRE(""), 5},
};

static void feed(const struct data_case *c, size_t portion)
{
    struct smtp_data d;
    struct slice rest = c->wire;
    struct buf out;
    char name[200];

    buf_init(&out, 10000);
    smtp_data_init(&d);
    while (rest.len > 0 && d.state < SMTP_DATA_END) {
        struct slice part = slice_to(rest, portion);
        size_t before = part.len;

        smtp_data_take(&d, &part, &out);
        rest = (struct slice){rest.ptr + (before - part.len), rest.len - (before - part.len)};
    }
    (void)snprintf(name, sizeof name, "%s, %zu bytes at a time", c->what, portion);
    IS_INT(d.state, c->state, name);
    IS_SLICE(buf_slice(&out), c->text, "its text");
    IS_INT(rest.len, c->left, "and no byte beyond");
    buf_fini(&out);
}

/* What is stuffed and read again is the same. */
static void test_round_trip(void)
{
    static const struct slice texts[] = {WIRE("a\r\n.b\r\n..\r\n.\r\n"), WIRE(""), WIRE(".\r\n"),
                                         WIRE("\r\n\r\n.x.y\r\n")};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct buf wire, back;
        struct slice in;
        struct smtp_data d;
        bool at_start = true;

        buf_init(&wire, 1000);
        buf_init(&back, 1000);
        for (size_t at = 0; at < texts[i].len; at++)
            smtp_data_stuff((struct slice){texts[i].ptr + at, 1}, &at_start, &wire);
        buf_add(&wire, SLICE(".\r\n"));
        in = buf_slice(&wire);
        smtp_data_init(&d);
        smtp_data_take(&d, &in, &back);
        OK(d.state == SMTP_DATA_END && in.len == 0, "ends where it should");
        IS_SLICE(buf_slice(&back), texts[i], "as it was");
        buf_fini(&wire);
        buf_fini(&back);
    }
}

int main(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t portion = 1; portion < 5; portion++)
            feed(&cases[i], portion);
        feed(&cases[i], 1000);
    }
    test_round_trip();
    return tap_done();
}
