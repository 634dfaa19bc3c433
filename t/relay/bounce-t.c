#include "relay/bounce.h"

#include "relay/quoted_printable.h"
#include "relay/smtp_reply.h"
#include "t/tap.h"

static void coded(struct slice text, bool needed, struct slice want, const char *what)
{
    struct buf b;

    buf_init(&b, 100000);
    OK(quoted_printable_is_needed(text) == needed, what);
    quoted_printable_add(&b, text);
    IS_SLICE(buf_slice(&b), want, what);
    buf_fini(&b);
}

static void test_quoted_printable(void)
{
    static char line[1001];

    coded(SLICE("plain\r\ntext\r\n"), false, SLICE("plain\r\ntext\r\n"), "ASCII");
    coded(SLICE("a=b"), false, SLICE("a=3Db"), "an equals sign");
    coded(SLICE("\xc3\xa4"), true, SLICE("=C3=A4"), "8 bits");
    coded(SLICE("a\rb\nc\0\x1b"), true, SLICE("a=0Db=0Ac=00=1B"), "control bytes, bare CR and LF");
    coded(SLICE("a \r\nb\t"), false, SLICE("a=20\r\nb=09"), "a blank at the end of a line");
    coded(SLICE("a b\tc"), false, SLICE("a b\tc"), "others");
    coded(SLICE("123456789012345678901234567890123456789012345678901234567890123456789012345"
                "x\xff"),
          true,
          SLICE("123456789012345678901234567890123456789012345678901234567890123456789012345=\r\n"
                "x=FF"),
          "a soft end at 75");
    memset(line, 'x', sizeof line);
    OK(!quoted_printable_is_needed((struct slice){line, 998}), "a line of 998");
    OK(quoted_printable_is_needed((struct slice){line, 999}), "of 999");
    memcpy(line + 500, "\r\n", 2);
    OK(!quoted_printable_is_needed((struct slice){line, 1000}), "two lines");
}

static void cleaned(struct slice text, struct slice want, const char *what)
{
    struct arena arena;

    arena_init(&arena, 100000);
    IS_SLICE(smtp_reply_clean(text, &arena), want, what);
    arena_fini(&arena);
}

static void test_clean(void)
{
    static char text[SMTP_REPLY_CLEAN_MAX_BYTES + 10];

    cleaned(SLICE("550 5.1.1 no"), SLICE("550 5.1.1 no"), "a reply");
    cleaned(SLICE("550 .\r.\r\x1b[31m\0\n\x7f"), SLICE("550 . .  [31m   "), "control bytes");
    cleaned(SLICE("550 Empf\xc3\xa4nger"), SLICE("550 Empf\xc3\xa4nger"), "UTF-8");
    cleaned(SLICE("550 Empf\xe4nger"), SLICE("550 Empf?nger"), "what is no UTF-8");
    cleaned(SLICE("a\xc2\x9b"
                  "b\xe2\x80\xae"),
            SLICE("a?b?"), "C1 and bidi controls");
    cleaned(SLICE(""), SLICE(""), "nothing");
    memset(text, 'x', sizeof text);
    memcpy(text + SMTP_REPLY_CLEAN_MAX_BYTES - 1, "\xc3\xa4", 2);
    cleaned((struct slice){text, sizeof text}, (struct slice){text, SMTP_REPLY_CLEAN_MAX_BYTES - 1},
            "cut between characters");
}

static void status(const char *reply, const char *want)
{
    struct recipient r = {
        .address = SLICE("b@y.test"), .state = RECIPIENT_FAILED, .text = slice_str(reply)};
    struct queue_file f = {.envelope = {.id = SLICE("Q1"),
                                        .sender = SLICE("a@x.test"),
                                        .recipients = &r,
                                        .recipient_count = 1}};
    struct buf b;

    buf_init(&b, 100000);
    bounce_format(&f, "mx.test", "B1", 0, SLICE("Subject: x\r\n"), &b);
    buf_add_char(&b, '\0');
    OK(strstr(b.data, want) != NULL, reply);
    buf_fini(&b);
}

static void test_status(void)
{
    status("550 5.1.1 nobody", "\r\nStatus: 5.1.1\r\n");
    status("451 4.4.3 expired", "\r\nStatus: 5.4.3\r\n");
    status("4.4.2 lost", "\r\nStatus: 5.4.2\r\n");
    status("550 no", "\r\nStatus: 5.0.0\r\n");
    status("550 5.hello", "\r\nStatus: 5.0.0\r\n");
    status("550 5.1.1.1 x", "\r\nStatus: 5.0.0\r\n");
    status("550 5.1234.1 x", "\r\nStatus: 5.0.0\r\n");
    status("550 9.1.1 x", "\r\nStatus: 5.0.0\r\n");
    status("550", "\r\nStatus: 5.0.0\r\n");
    status("", "\r\nStatus: 5.0.0\r\n");
    status("550 5.1.1 Empf\xc3\xa4nger", "smtp; 550 5.1.1 Empf??nger\r\n");
}

int main(void)
{
    test_quoted_printable();
    test_clean();
    test_status();
    return tap_done();
}
