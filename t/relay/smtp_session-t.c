#include "relay/smtp_session.h"

#include "t/tap.h"

/* A handler that writes down what it is told, and refuses addresses that say so. */
struct record {
    struct buf events, text;
    bool refuses_end;
};

static void note(struct record *rec, const char *what, struct slice detail)
{
    buf_addf(&rec->events, "%s(%.*s) ", what, SLICE_FMT(detail));
}

static void on_connect(void *user, struct smtp_reply *r)
{
    (void)r;
    note(user, "connect", SLICE_NONE);
}

static void on_helo(void *user, struct slice name, bool extended, struct smtp_reply *r)
{
    (void)r;
    note(user, extended ? "ehlo" : "helo", name);
}

static void refuse(struct slice path, struct smtp_reply *r)
{
    if (slice_equal(path, SLICE("<no@x.test>")))
        smtp_reply_set(r, "550 5.7.1 no");
    if (slice_equal(path, SLICE("<close@x.test>"))) {
        smtp_reply_set(r, "421 4.3.2 closing");
        r->close = true;
    }
}

static void on_mail(void *user, const struct smtp_path *path, struct smtp_reply *r)
{
    note(user, "mail", path->text);
    refuse(path->text, r);
}

static void on_rcpt(void *user, const struct smtp_path *path, struct smtp_reply *r)
{
    note(user, "rcpt", path->text);
    refuse(path->text, r);
}

static void on_data(void *user, struct smtp_reply *r)
{
    (void)r;
    note(user, "data", SLICE_NONE);
}

static void on_text(void *user, struct slice portion)
{
    struct record *rec = user;

    buf_add(&rec->text, portion);
}

static void on_end(void *user, struct smtp_reply *r)
{
    struct record *rec = user;

    note(rec, "end", SLICE_NONE);
    if (rec->refuses_end)
        smtp_reply_set(r, "451 4.3.0 later");
}

static void on_reset(void *user)
{
    note(user, "reset", SLICE_NONE);
}

static void on_auth(void *user, struct slice mechanism, struct slice login, struct slice password,
                    struct smtp_reply *r)
{
    struct record *rec = user;

    note(rec, "auth", mechanism);
    if (slice_equal(login, SLICE("joe")) && slice_equal(password, SLICE("secret")))
        smtp_reply_set(r, "235 2.7.0 ok");
}

static void on_unknown(void *user, struct slice line, struct smtp_reply *r)
{
    (void)r;
    note(user, "unknown", line);
}

static const struct smtp_handler handler = {on_connect, on_helo, on_mail,  on_rcpt, on_data,
                                            on_text,    on_end,  on_reset, on_auth, on_unknown};

struct fixture {
    struct smtp_session session;
    struct record record;
};

static void begin(struct fixture *f)
{
    struct smtp_limits limits = {
        .message_max_bytes = 1000, .recipients_max = 3, .errors_max = 5, .commands_max = 30};

    *f = (struct fixture){.record.refuses_end = false};
    buf_init(&f->record.events, 1 << 20);
    buf_init(&f->record.text, 1 << 20);
    smtp_session_init(&f->session, &handler, &f->record, "mx.test", &limits);
    smtp_session_start(&f->session);
    buf_reset(&f->session.out);
    buf_reset(&f->record.events);
}

static void end(struct fixture *f)
{
    smtp_session_fini(&f->session);
    buf_fini(&f->record.events);
    buf_fini(&f->record.text);
}

/* The codes of all replies to that, in order: "250 354 250 ". */
static const char *codes(struct fixture *f, struct slice in)
{
    static char list[2000];
    struct slice out, line;
    size_t len = 0;

    buf_reset(&f->session.out);
    smtp_session_take(&f->session, &in);
    out = buf_slice(&f->session.out);
    list[0] = '\0';
    while (slice_cut(&out, '\n', &line) && out.ptr != NULL) {
        if (line.len > 3 && line.ptr[3] == ' ')
            len += (size_t)snprintf(list + len, sizeof list - len, "%.3s ", line.ptr);
    }
    return list;
}

static void one(const char *what, struct slice in, const char *want)
{
    struct fixture f;

    begin(&f);
    IS_STR(codes(&f, in), want, what);
    end(&f);
}

#define ENVELOPE "EHLO c\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\n"

static void test_message(void)
{
    struct fixture f;

    begin(&f);
    IS_STR(codes(&f, SLICE(ENVELOPE "DATA\r\nSubject: x\r\n\r\n..y\r\n.\r\nQUIT\r\n")),
           "250 250 250 354 250 221 ", "a message, all pipelined");
    IS_SLICE(
        buf_slice(&f.record.events),
        SLICE("reset() ehlo(c) mail(<a@x.test>) rcpt(<b@x.test>) data() end() reset() reset() "),
        "in this order");
    IS_SLICE(buf_slice(&f.record.text), SLICE("Subject: x\r\n\r\n.y\r\n"), "its text");
    OK(f.session.is_closed, "closed by QUIT");
    end(&f);
}

static void test_order(void)
{
    one("MAIL before HELO", SLICE("MAIL FROM:<a@x>\r\n"), "503 ");
    one("HELO will do", SLICE("HELO c\r\nMAIL FROM:<a@x>\r\n"), "250 250 ");
    one("RCPT before MAIL", SLICE("EHLO c\r\nRCPT TO:<a@x>\r\n"), "250 503 ");
    one("DATA before RCPT", SLICE("EHLO c\r\nMAIL FROM:<a@x>\r\nDATA\r\n"), "250 250 554 ");
    one("DATA before MAIL", SLICE("EHLO c\r\nDATA\r\n"), "250 503 ");
    one("MAIL twice", SLICE("EHLO c\r\nMAIL FROM:<a@x>\r\nMAIL FROM:<b@x>\r\n"), "250 250 503 ");
    one("RSET forgets", SLICE(ENVELOPE "RSET\r\nRCPT TO:<b@x>\r\n"), "250 250 250 250 503 ");
    one("EHLO forgets", SLICE(ENVELOPE "EHLO c\r\nDATA\r\n"), "250 250 250 250 503 ");
    one("all recipients refused",
        SLICE("EHLO c\r\nMAIL FROM:<a@x>\r\nRCPT TO:<no@x.test>\r\nDATA\r\n"), "250 250 550 554 ");
    one("sender refused", SLICE("EHLO c\r\nMAIL FROM:<no@x.test>\r\nRCPT TO:<b@x>\r\n"),
        "250 550 503 ");
    one("others", SLICE("NOOP x\r\nVRFY a\r\nHELP\r\nEXPN a\r\n"), "250 252 214 502 ");
    one("arguments where none may be", SLICE("EHLO\r\nRSET x\r\n" ENVELOPE "DATA x\r\n"),
        "501 501 250 250 250 501 ");
}

static void test_syntax(void)
{
    one("empty recipient", SLICE("EHLO c\r\nMAIL FROM:<a@x>\r\nRCPT TO:<>\r\n"), "250 250 501 ");
    one("bad parameter", SLICE("EHLO c\r\nMAIL FROM:<a@x> RET=FULL\r\n"), "250 555 ");
    one("8-bit without SMTPUTF8", SLICE("EHLO c\r\nMAIL FROM:<\xc3\xbc@x>\r\n"), "250 553 ");
    one("8-bit with it",
        SLICE("EHLO c\r\nMAIL FROM:<\xc3\xbc@x> SMTPUTF8\r\nRCPT TO:<\xc3\xb6@x>\r\n"),
        "250 250 250 ");
    one("for one message only",
        SLICE("EHLO c\r\nMAIL FROM:<a@x> SMTPUTF8\r\nRSET\r\nMAIL FROM:<a@x>\r\nRCPT "
              "TO:<\xc3\xb6@x>\r\n"),
        "250 250 250 250 553 ");
    one("NUL", SLICE("EHLO a\0b\r\n"), "500 ");
    one("unknown", SLICE("XYZ\r\nhello there\r\n"), "500 500 ");
    one("empty line", SLICE("\r\n"), "500 ");
}

static void test_limits(void)
{
    struct fixture f;
    struct buf b;

    one("too large, as it says itself", SLICE("EHLO c\r\nMAIL FROM:<a@x> SIZE=1001\r\n"),
        "250 552 ");
    one("as large as can be", SLICE("EHLO c\r\nMAIL FROM:<a@x> SIZE=1000\r\n"), "250 250 ");
    one("too many recipients",
        SLICE(ENVELOPE "RCPT TO:<c@x>\r\nRCPT TO:<d@x>\r\nRCPT TO:<e@x>\r\n"),
        "250 250 250 250 250 452 ");
    buf_init(&b, 100000);
    buf_add(&b, SLICE(ENVELOPE));
    for (int i = 0; i < 50; i++)
        buf_addf(&b, "RCPT TO:<r%d@x>\r\n", i);
    buf_add(&b, SLICE("DATA\r\nhello\r\n.\r\n"));
    begin(&f);
    OK(memmem(codes(&f, buf_slice(&b)), 2000, "452 452 354 250 ", 16) != NULL,
       "those above the limit are no errors: the others get the message");
    OK(!f.session.is_closed, "and the session goes on");
    end(&f);
    buf_fini(&b);
    one("too many errors", SLICE("A\r\nB\r\nC\r\nD\r\nE\r\nNOOP\r\n"), "500 500 500 500 500 421 ");
    buf_init(&b, 100000);
    for (int i = 0; i < 31; i++)
        buf_add(&b, SLICE("NOOP\r\n"));
    begin(&f);
    (void)codes(&f, buf_slice(&b));
    OK(f.session.is_closed && memmem(f.session.out.data, f.session.out.len, "421", 3) != NULL,
       "too many commands");
    end(&f);
    buf_reset(&b);
    buf_add(&b, SLICE(ENVELOPE "DATA\r\n"));
    for (int i = 0; i < 101; i++)
        buf_add(&b, SLICE("12345678\r\n"));
    buf_add(&b, SLICE(".\r\nNOOP\r\n"));
    begin(&f);
    IS_STR(codes(&f, buf_slice(&b)), "250 250 250 354 552 250 ", "too large: told at the end");
    OK(memmem(f.record.events.data, f.record.events.len, "end", 3) == NULL, "never an end");
    end(&f);
    buf_reset(&b);
    buf_add(&b, SLICE(ENVELOPE "DATA\r\n"));
    for (int i = 0; i < 250; i++)
        buf_add(&b, SLICE("12345678\r\n"));
    begin(&f);
    IS_STR(codes(&f, buf_slice(&b)), "250 250 250 354 552 ", "twice as large: told at once");
    OK(f.session.is_closed, "and closed");
    end(&f);
    buf_fini(&b);
}

static void test_long_lines(void)
{
    static const size_t lens[] = {2048, 2049, 100000};
    struct fixture f;
    struct buf b;

    for (size_t i = 0; i < 3; i++) {
        buf_init(&b, 200000);
        buf_add(&b, SLICE("NOOP "));
        while (b.len < lens[i])
            buf_add_char(&b, 'x');
        buf_add(&b, SLICE("\r\n"));
        begin(&f);
        IS_STR(codes(&f, buf_slice(&b)), i == 0 ? "250 " : "500 ", "a long line");
        OK(f.session.is_closed == (i > 0), "one too long ends the session");
        end(&f);
        buf_fini(&b);
    }
    begin(&f);
    for (int i = 0; i < 1000 && !f.session.is_closed; i++)
        (void)codes(&f, SLICE("0123456789"));
    OK(f.session.is_closed && f.session.line.len < 3000, "an endless line is not kept");
    end(&f);
}

static void test_line_ends(void)
{
    static const struct slice bad[] = {
        {"NOOP\n", 5}, {"NOOP\rNOOP\r\n", 11},   {"NOOP\r\r\n", 7},
        {"\n", 1},     {"EHLO c\nNOOP\r\n", 13},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        one("a bare CR or LF in a command", bad[i], "521 ");
    one("a bare LF in a message", SLICE(ENVELOPE "DATA\r\na\n.\nMAIL FROM:<x@y>\r\n.\r\n"),
        "250 250 250 354 521 ");
    one("a bare CR in a message", SLICE(ENVELOPE "DATA\r\na\r\n.\rMAIL FROM:<x@y>\r\n.\r\n"),
        "250 250 250 354 521 ");
    one("a NUL in a message", SLICE(ENVELOPE "DATA\r\na\0\r\n.\r\nNOOP\r\n"),
        "250 250 250 354 521 ");
}

static void test_starttls(void)
{
    struct fixture f;
    struct slice in = SLICE("EHLO c\r\nSTARTTLS\r\nMAIL FROM:<evil@x>\r\nRCPT TO:<b@x>\r\n");

    one("not offered", SLICE("STARTTLS\r\n"), "502 ");
    begin(&f);
    f.session.offers_tls = true;
    smtp_session_take(&f.session, &in);
    OK(f.session.wants_tls, "TLS is to begin");
    OK(slice_starts_nocase(in, SLICE("MAIL")), "what was sent behind is left to be thrown away");
    OK(memmem(f.session.out.data, f.session.out.len, "250-STARTTLS", 12) != NULL, "was offered");
    smtp_session_tls(&f.session, false);
    IS_STR(codes(&f, SLICE("MAIL FROM:<a@x>\r\n")), "503 ", "EHLO is forgotten");
    IS_STR(codes(&f, SLICE("EHLO c\r\nSTARTTLS\r\n")), "250 503 ", "once only");
    OK(memmem(f.session.out.data, f.session.out.len, "250-STARTTLS", 12) == NULL,
       "not offered again");
    end(&f);
    begin(&f);
    f.session.offers_tls = true;
    (void)codes(&f, SLICE("EHLO c\r\nSTARTTLS\r\nMAI"));
    smtp_session_tls(&f.session, false);
    IS_STR(codes(&f, SLICE("EHLO c\r\n")), "250 ", "half a command before TLS is forgotten too");
    end(&f);
    begin(&f);
    f.session.offers_tls = f.session.offers_auth = true;
    IS_STR(codes(&f, SLICE("EHLO c\r\nAUTH PLAIN AGpvZQBzZWNyZXQ=\r\nSTARTTLS\r\n")),
           "250 235 220 ", "a login before TLS");
    smtp_session_tls(&f.session, true);
    OK(!f.session.has_login, "is forgotten");
    IS_STR(codes(&f, SLICE("EHLO c\r\nAUTH PLAIN AGpvZQBzZWNyZXQ=\r\n")), "250 235 ",
           "and may be repeated");
    end(&f);
}

static void auth(const char *what, struct slice in, const char *want, bool good)
{
    struct fixture f;

    begin(&f);
    f.session.offers_auth = true;
    IS_STR(codes(&f, in), want, what);
    OK(f.session.has_login == good, good ? "logged in" : "not logged in");
    end(&f);
}

/* AGpvZQBzZWNyZXQ= is NUL joe NUL secret; am9l joe; c2VjcmV0 secret. */
static void test_auth(void)
{
    one("AUTH not offered", SLICE("EHLO c\r\nAUTH PLAIN AGpvZQBzZWNyZXQ=\r\n"), "250 502 ");
    auth("PLAIN at once", SLICE("EHLO c\r\nAUTH PLAIN AGpvZQBzZWNyZXQ=\r\n"), "250 235 ", true);
    auth("PLAIN asked for", SLICE("EHLO c\r\nauth plain\r\nAGpvZQBzZWNyZXQ=\r\n"), "250 334 235 ",
         true);
    auth("LOGIN", SLICE("EHLO c\r\nAUTH LOGIN\r\nam9l\r\nc2VjcmV0\r\n"), "250 334 334 235 ", true);
    auth("LOGIN, the name at once", SLICE("EHLO c\r\nAUTH LOGIN am9l\r\nc2VjcmV0\r\n"),
         "250 334 235 ", true);
    auth("wrong password", SLICE("EHLO c\r\nAUTH PLAIN AGpvZQBzZWNyZXR0\r\n"), "250 535 ", false);
    auth("given up", SLICE("EHLO c\r\nAUTH LOGIN\r\n*\r\nNOOP\r\n"), "250 334 501 250 ", false);
    auth("no base64", SLICE("EHLO c\r\nAUTH PLAIN !!!!\r\n"), "250 501 ", false);
    auth("no NULs", SLICE("EHLO c\r\nAUTH PLAIN am9l\r\n"), "250 501 ", false);
    auth("empty", SLICE("EHLO c\r\nAUTH PLAIN =\r\n"), "250 501 ", false);
    auth("for another", SLICE("EHLO c\r\nAUTH PLAIN YW5uAGpvZQBzZWNyZXQ=\r\n"), "250 501 ", false);
    auth("another mechanism", SLICE("EHLO c\r\nAUTH CRAM-MD5\r\n"), "250 504 ", false);
    auth("before EHLO", SLICE("AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n"), "503 ", false);
    auth("twice", SLICE("EHLO c\r\nAUTH PLAIN AGpvZQBzZWNyZXQ=\r\nAUTH PLAIN AGpvZQBzZWNyZXQ=\r\n"),
         "250 235 503 ", true);
    auth("in a transaction", SLICE(ENVELOPE "AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n"), "250 250 250 503 ",
         false);
}

/* However the bytes come in, the replies are the same. */
static void test_portions(void)
{
    static const struct slice dialog = {ENVELOPE "DATA\r\n..a\r\nb\r\n.\r\nRSET\r\nBAD\r\nQUIT\r\n",
                                        sizeof ENVELOPE - 1 + 37};
    char whole[2000];
    struct fixture f;

    begin(&f);
    (void)snprintf(whole, sizeof whole, "%s", codes(&f, dialog));
    end(&f);
    for (size_t portion = 1; portion < 20; portion++) {
        struct slice rest = dialog;
        char list[2000] = "";

        begin(&f);
        while (rest.len > 0 && !f.session.is_closed) {
            size_t len = strlen(list);

            (void)snprintf(list + len, sizeof list - len, "%s", codes(&f, slice_to(rest, portion)));
            rest = slice_from(rest, portion);
        }
        IS_STR(list, whole, "the same replies in portions");
        end(&f);
    }
}

static void test_closing(void)
{
    struct fixture f;

    begin(&f);
    IS_STR(codes(&f, SLICE("EHLO c\r\nMAIL FROM:<close@x.test>\r\nNOOP\r\n")), "250 421 ",
           "421 of the handler ends the session");
    end(&f);
    begin(&f);
    f.record.refuses_end = true;
    IS_STR(codes(&f, SLICE(ENVELOPE "DATA\r\na\r\n.\r\nMAIL FROM:<a@x>\r\n")),
           "250 250 250 354 451 250 ", "a refused message leaves the session as it was");
    end(&f);
    begin(&f);
    smtp_session_end(&f.session, "421 4.4.2 Timeout");
    OK(f.session.is_closed &&
           slice_equal(buf_slice(&f.session.out), SLICE("421 4.4.2 Timeout\r\n")),
       "ended from outside");
    end(&f);
}

int main(void)
{
    test_message();
    test_order();
    test_syntax();
    test_limits();
    test_long_lines();
    test_line_ends();
    test_starttls();
    test_auth();
    test_portions();
    test_closing();
    return tap_done();
}
